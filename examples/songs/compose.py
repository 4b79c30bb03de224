#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the songs of the examples, ours, as Standard MIDI Files: compose.py FOLDER.

nocturne.mid: sixteen bars of broken chords under a slow melody, with the sustain pedal, two tracks on
channels 1 and 2, and a tempo that gives way at the end."""
import os
import struct
import sys

QUARTER = 480
CHORDS = [("A2", "E3", "A3", "C4", "E4"), ("F2", "C3", "F3", "A3", "C4"),
          ("C3", "G3", "C4", "E4", "G4"), ("G2", "D3", "G3", "B3", "D4"),
          ("A2", "E3", "A3", "C4", "E4"), ("D3", "A3", "D4", "F4", "A4"),
          ("E2", "B2", "E3", "G#3", "B3"), ("A2", "E3", "A3", "C4", "E4")]
MELODY = [("E5", 3), ("D5", 1), ("C5", 4), ("E5", 2), ("G5", 2), ("D5", 4),
          ("C5", 3), ("B4", 1), ("A4", 2), ("D5", 2), ("B4", 3), ("G#4", 1), ("A4", 4)]
NAMES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]


def key(name):
    return 12 * (int(name[-1]) + 1) + NAMES.index(name[:-1])


def number(value):
    out = [value & 127]
    while value := value >> 7:
        out.insert(0, value & 127 | 128)
    return bytes(out)


def track(events):
    """events: (tick, bytes), in any order."""
    data, now = b"", 0
    for tick, message in sorted(events, key=lambda e: e[0]):
        data += number(tick - now) + message
        now = tick
    data += b"\x00\xff\x2f\x00"
    return b"MTrk" + struct.pack(">I", len(data)) + data


def note(events, channel, name, start, length, velocity):
    events.append((start, bytes([0x90 | channel, key(name), velocity])))
    events.append((start + length, bytes([0x80 | channel, key(name), 0])))


def tempo(events, tick, bpm):
    events.append((tick, b"\xff\x51\x03" + struct.pack(">I", round(60e6 / bpm))[1:]))


def nocturne():
    left, right = [], []
    tempo(left, 0, 76)
    bar = 4 * QUARTER
    for i in range(16):
        chord, at = CHORDS[i % 8], i * bar
        left.append((at, b"\xb0\x40\x7f"))
        left.append((at + bar - 60, b"\xb0\x40\x00"))
        for k, index in enumerate((0, 1, 2, 3, 4, 3, 2, 1)):
            note(left, 0, chord[index], at + k * QUARTER // 2, QUARTER // 2 - 20, 52 + 6 * (k % 4 == 0))
    at = 0
    for repeat in range(2):
        for name, beats in MELODY:
            note(right, 1, name, at, beats * QUARTER - 30, 84 + 6 * repeat)
            at += beats * QUARTER
    for k in range(4):
        tempo(left, 15 * bar + k * QUARTER, 72 - 8 * k)
    return b"MThd" + struct.pack(">IHHH", 6, 1, 2, QUARTER) + track(left) + track(right)


def main():
    with open(os.path.join(sys.argv[1], "nocturne.mid"), "wb") as out:
        out.write(nocturne())


if __name__ == "__main__":
    main()
