#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""LV2 plug-ins in jalv: twenty clean ones must not be accused, and what the host does in its callback
must not be charged to the plug-in.

usage: plugins.py TACTUS [TEST...]
"""
import sys

from watched import SERIOUS, doctor
from audio_servers import Skip, jack, main, need, run

MDA, SWH, X42 = "http://drobilla.net/plugins/mda/", "http://plugin.org.uk/swh-plugins/", "http://gareus.org/oss/lv2/"
CLEAN = ([MDA + name for name in ("JX10", "Leslie", "Overdrive", "Loudness", "MultiBand", "SubSynth")] +
         [SWH + name for name in ("retroFlange", "sinusWavewrapper", "comb_l", "gverb", "allpass_l", "lcrDelay",
                                  "matrixStMS", "giantFlange", "svf", "hardLimiter", "foldover", "valve")] +
         [X42 + name for name in ("b_synth", "stereoroute")])
# its meters are outputs of control, and jalv 1.6 looks each up in its model in the callback
HOSTED = X42 + "meters#NORmono"


def installed():
    need("jalv", "lv2ls", install="programs")
    return set(run(["lv2ls"]).stdout.split())


def twenty_clean_plugins_stay_clean(tactus, folder):
    there = [uri for uri in CLEAN if uri in installed()]
    if not there:
        raise Skip("none of the plug-ins is installed (tools/bootstrap programs)")
    accused = {}
    with jack(folder, period=64) as environment:
        for uri in there:
            report = doctor(tactus, folder, environment, ["jalv", "-n", "plugin", uri], seconds=2)
            assert report.cycles("jack:plugin") > 100, (uri, report.sources)
            if report.accusations():
                accused[uri] = report.accusations()
    assert not accused, accused
    print(f"# {len(there)} plug-ins, none accused")


def what_the_host_does_is_not_the_plugins(tactus, folder):
    if HOSTED not in installed():
        raise Skip(f"{HOSTED} is not installed (tools/bootstrap programs)")
    with jack(folder) as environment:
        report = doctor(tactus, folder, environment, ["jalv", "-n", "plugin", HOSTED], seconds=3)
    assert report.share("malloc", "jack:plugin") > 0.9, report.hazards
    for name in ("malloc", "free"):
        hazard = report.hazards[name]
        place = report.run["places"][hazard["place"]]
        module = place["frames"][place["blame"]]["module"]
        assert hazard["grade"] == SERIOUS and module, hazard
        print(f"# {name} charged to {module}")
        assert "/lv2/" not in module and "meters" not in module, f"{name} charged to {module}"


if __name__ == "__main__":
    sys.exit(main((twenty_clean_plugins_stay_clean, what_the_host_does_is_not_the_plugins)))
