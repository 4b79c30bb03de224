#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Programs that do nothing wrong in their callback: the doctor must not accuse them.

usage: controls.py TACTUS [TEST...]

A control may be late on a loaded machine; then the machine is to blame, not the program.
"""
import os
import pathlib
import sys

from watched import doctor
from audio_servers import jack, main, need, pipewire


def clean(tactus, folder, start, command, period=256):
    need(command[0], install="programs")
    with jack(folder, period=period) as environment:
        report = doctor(tactus, folder, environment, command)
    assert report.cycles(start) > 100, report.sources
    assert not report.accusations(), report.accusations()
    assert not report.hazards, report.hazards


def setbfree_is_clean(tactus, folder):
    clean(tactus, folder, "jack:setBfree", ["setBfree", "midi.driver=jack"])


def jack_metro_is_clean(tactus, folder):
    clean(tactus, folder, "jack:metro", ["jack_metro", "-b", "120"])


def jack_metro_is_clean_at_64_frames(tactus, folder):
    clean(tactus, folder, "jack:metro", ["jack_metro", "-b", "120"], period=64)


def jack_simple_client_is_clean(tactus, folder):
    clean(tactus, folder, "jack:jack_simple_client", ["jack_simple_client"])


def jack_thru_is_clean(tactus, folder):
    clean(tactus, folder, "jack:jack_thru", ["jack_thru"])


def jack_metro_is_clean_on_pipewire(tactus, folder):
    need("pw-jack", "jack_metro")
    with pipewire(folder) as environment:
        report = doctor(tactus, folder, environment, ["pw-jack", "jack_metro", "-b", "120"])
    assert report.cycles("jack:metro") > 100, report.sources
    assert not report.accusations() and not report.hazards, report.accusations()


def a_program_that_allocates_is_accused(tactus, folder):
    """Without this the others could pass because nobody is ever accused."""
    patch = pathlib.Path(__file__).resolve().parents[2] / "examples/demo.yaml"
    report = doctor(tactus, folder, dict(os.environ, MALLOC_ARENA_MAX="1"), [tactus, "story", str(patch), "--seconds", "2"])
    blamed = [a for a in report.accusations() if a not in report.hazards]
    assert "malloc" in report.hazards and blamed, report.accusations()


if __name__ == "__main__":
    sys.exit(main((a_program_that_allocates_is_accused, setbfree_is_clean, jack_metro_is_clean,
                   jack_metro_is_clean_at_64_frames, jack_simple_client_is_clean, jack_thru_is_clean, jack_metro_is_clean_on_pipewire)))
