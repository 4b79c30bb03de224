#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A program on RtAudio's JACK side: what it does in its callback is named, and charged to it.

(Its ALSA side wants a card. The callback as a cycle of its own: tests/watch.)

usage: rtaudio.py TACTUS [TEST...]
"""
import pathlib
import sys

from watched import SERIOUS, doctor, need_file
from audio_servers import jack, main, need, run


def what_an_rtaudio_callback_does_is_named(tactus, folder):
    need("c++")
    need_file("/usr/include/rtaudio/RtAudio.h")
    program = str(pathlib.Path(folder, "player"))
    source = pathlib.Path(__file__).with_name("rtaudio_player.cpp")
    built = run(["c++", "-g", "-o", program, str(source), "-lrtaudio"], seconds=60)
    assert built.returncode == 0, built.stderr
    with jack(folder) as environment:
        report = doctor(tactus, folder, environment, [program], seconds=5)
    assert report.cycles("jack:") > 50, report.sources
    hazard = report.hazards["malloc"]
    assert hazard["grade"] == SERIOUS and report.share("malloc", "jack:") > 0.9, report.hazards
    place = report.run["places"][hazard["place"]]
    assert place["frames"][place["blame"]]["module"] == "player", place


if __name__ == "__main__":
    sys.exit(main((what_an_rtaudio_callback_does_is_named,)))
