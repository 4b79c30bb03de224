#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Small programs on the ways into audio that no program of the distribution takes: ALSA's mapped
transfers, PortAudio's blocking calls, RtAudio on ALSA, PipeWire's filters. Each has its cycles with
deadlines that are right, and its planted fault is named with its place.

usage: hosts.py TACTUS [TEST...]
"""
import pathlib
import subprocess
import sys

from watched import doctor, need_file
from audio_servers import Skip, jack, main, need, pipewire, run

HERE = pathlib.Path(__file__).with_name("hosts")
PERIOD_NS = 256 * 1_000_000_000 // 48000


def build(folder, source, *packages, libraries=()):
    """The program of that source; skips where its packages are not there."""
    compiler = "c++" if source.endswith(".cpp") else "cc"
    need(compiler, "pkg-config")
    flags = []
    for package in packages:
        found = run(["pkg-config", "--cflags", "--libs", package])
        if found.returncode:
            raise Skip(f"there is no {package} (tools/bootstrap programs)")
        flags += found.stdout.split()
    program = pathlib.Path(folder, pathlib.Path(source).stem)
    built = run([compiler, "-g", "-O1", "-o", str(program), str(HERE / source), *flags, *libraries], seconds=120)
    assert built.returncode == 0, built.stderr
    return str(program)


def default_to_jack(environment):
    with open(environment["ALSA_CONFIG_PATH"], "a", encoding="utf-8") as conf:
        conf.write('pcm.jkp { type plug slave { pcm "jk" } }\npcm.!default { type plug slave { pcm "jk" } }\n')


def check(report, start, program, periods=3):
    """The cycles of this source alone, deadlines within so many periods, and the sleep as what late ones
    are late by."""
    others = [n for n in report.sources if not n.startswith((start, "jack:"))]
    assert report.cycles(start) > 150 and sum(report.cycles(n) for n in others) < 10, report.sources
    sleeps = [m for m in report.run["misses"] if m["verdicts"][0]["rule"] == "blocking_call"]
    assert len(sleeps) >= 6, [(m["cycle"], m["late_ns"], m["verdicts"][0]["rule"]) for m in report.run["misses"]]
    for miss in sleeps:
        assert "nanosleep" in miss["verdicts"][0]["text"], miss
        given = miss["deadline_ns"] - miss["begin_ns"]
        assert -PERIOD_NS < given <= periods * PERIOD_NS, f"{given} ns for a cycle of {PERIOD_NS}"
    placed = [m for m in sleeps if m["verdicts"][0]["place"] is not None]
    assert placed, sleeps[0]
    place = report.run["places"][placed[0]["verdicts"][0]["place"]]
    frame = place["frames"][place["blame"]]
    assert frame["module"] == program and frame["function"].startswith("planted_fault"), place


def mapped_alsa_transfers_are_cycles(tactus, folder):
    program = build(folder, "alsa_mmap.c", "alsa")
    with jack(folder) as environment:
        default_to_jack(environment)
        report = doctor(tactus, folder, environment, [program, "jkp"], seconds=6)
    check(report, "alsa:jkp", "alsa_mmap")


def blocking_writes_of_portaudio_are_cycles(tactus, folder):
    program = build(folder, "pa_blocking.c", "portaudio-2.0")
    with jack(folder) as environment:
        default_to_jack(environment)
        report = doctor(tactus, folder, environment, [program], seconds=8)
    check(report, "portaudio:", "pa_blocking", periods=4)


def blocking_reads_of_portaudio_are_cycles(tactus, folder):
    program = build(folder, "pa_blocking.c", "portaudio-2.0")
    with jack(folder) as environment:
        default_to_jack(environment)
        report = doctor(tactus, folder, environment, [program, "read"], seconds=8)
    check(report, "portaudio:", "pa_blocking", periods=4)


def callbacks_of_rtaudio_on_alsa_are_cycles(tactus, folder):
    need_file("/usr/include/rtaudio/RtAudio.h")
    program = build(folder, "rtaudio_alsa.cpp", libraries=["-lrtaudio"])
    with jack(folder) as environment:
        default_to_jack(environment)
        report = doctor(tactus, folder, environment, [program], seconds=8)
    check(report, "rtaudio:", "rtaudio_alsa")


def filters_of_pipewire_are_cycles(tactus, folder):
    program = build(folder, "pw_filter.c", "libpipewire-0.3")
    with pipewire(folder) as environment:
        linker = subprocess.Popen(["sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.3; "
                                   "pw-link planted:output nowhere:playback_FL && break; done"],
                                  env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            report = doctor(tactus, folder, environment, [program], seconds=8)
        finally:
            linker.wait(timeout=20)
    check(report, "pipewire:", "pw_filter")


if __name__ == "__main__":
    sys.exit(main((mapped_alsa_transfers_are_cycles, blocking_writes_of_portaudio_are_cycles,
                   blocking_reads_of_portaudio_are_cycles, callbacks_of_rtaudio_on_alsa_are_cycles,
                   filters_of_pipewire_are_cycles)))
