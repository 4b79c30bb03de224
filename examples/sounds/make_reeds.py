#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the sounds of examples/sounds/reeds.sfz, synthesized, as 16-bit WAV files: make_reeds.py FOLDER.

Each is a reed of an organ, softly or hard: it speaks, stands (that is looped) and dies away."""
import math
import os
import struct
import sys
import wave

RATE, SPEAK, STAND, DIE = 22050, 0.08, 0.42, 0.2
KEYS = {"c3": 48, "c5": 72}
LAYERS = {"soft": (1.6, 0.5), "hard": (0.9, 0.8)}


def reed(hz, slope, level):
    """Two tongues a hair apart, so that it lives; slope: how harmonics fall."""
    top = int(10000 / hz)
    shares = [(k, k ** -slope / (1 + (k * hz / 5000) ** 2)) for k in range(1, min(top, 24) + 1)]
    scale = level / sum(abs(s) for _, s in shares) / 2

    def sound(t):
        rise = 1 - math.exp(-t / (SPEAK / 4))
        fall = math.exp(-max(0.0, t - SPEAK - STAND) / (DIE / 6))
        y = 0.0
        for k, share in shares:
            late = min(1.0, t / (SPEAK * 0.4 * k ** 0.5))
            y += share * late * (math.sin(2 * math.pi * k * hz * 1.0006 * t)
                                 + math.sin(2 * math.pi * k * hz * 0.9994 * t + k))
        return y * rise * fall * scale
    return [sound(i / RATE) for i in range(int((SPEAK + STAND + DIE) * RATE))]


def main():
    for layer, (slope, level) in LAYERS.items():
        for key, number in KEYS.items():
            frames = reed(440 * 2 ** ((number - 69) / 12), slope, level)
            with wave.open(os.path.join(sys.argv[1], f"reed_{layer}_{key}.wav"), "wb") as out:
                out.setnchannels(1)
                out.setsampwidth(2)
                out.setframerate(RATE)
                out.writeframes(b"".join(struct.pack("<h", round(32767 * x)) for x in frames))


if __name__ == "__main__":
    main()
