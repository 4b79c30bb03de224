#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the drum kit of the examples, synthesized, as 16-bit WAV files: make_kit.py FOLDER."""
import math
import os
import random
import struct
import sys
import wave

RATE = 44100


def render(seconds, sound):
    return [sound(i / RATE) for i in range(int(seconds * RATE))]


def kick():
    """A sine that falls from 190 to 46 Hz, with a click in front."""
    def sound(t):
        phase = 46 * t + (190 - 46) * 0.035 * (1 - math.exp(-t / 0.035))
        return (math.sin(2 * math.pi * phase) * math.exp(-t / 0.16)
                + 0.4 * math.sin(2 * math.pi * 1800 * t) * math.exp(-t / 0.002))
    return render(0.6, sound)


def noise_filter(coefficients, seed):
    """A two-pole band over white noise: (frequency, damping)."""
    rand, (hz, damping) = random.Random(seed), coefficients
    a1, a2 = 2 * damping * math.cos(2 * math.pi * hz / RATE), -damping * damping
    state = [0.0, 0.0]

    def step():
        y = rand.uniform(-1, 1) * (1 - damping) * 2 + a1 * state[0] + a2 * state[1]
        state[1], state[0] = state[0], y
        return y
    return step


def snare():
    rattle = noise_filter((3400, 0.72), 1)
    return render(0.35, lambda t: 0.9 * rattle() * math.exp(-t / 0.075)
                  + 0.5 * math.sin(2 * math.pi * 186 * t) * math.exp(-t / 0.06)
                  + 0.25 * math.sin(2 * math.pi * 331 * t) * math.exp(-t / 0.04))


def hat(seconds, fall, seed):
    hiss, ring = noise_filter((9800, 0.6), seed), (5407, 6713, 8231, 9511)
    return render(seconds, lambda t: math.exp(-t / fall) * (
        0.8 * hiss() + 0.1 * sum(math.copysign(1, math.sin(2 * math.pi * f * t)) for f in ring)))


def clap():
    hands = noise_filter((1400, 0.86), 4)

    def sound(t):
        strokes = sum(math.exp(-(t - d) / 0.006) for d in (0, 0.011, 0.023) if t >= d)
        return hands() * (strokes + (math.exp(-(t - 0.023) / 0.09) if t > 0.023 else 0))
    return render(0.4, sound)


def write(path, frames):
    top = max(abs(x) for x in frames) / 0.95
    fade = RATE // 100
    tail = [min(1, (len(frames) - i) / fade) for i in range(len(frames))]
    with wave.open(path, "wb") as out:
        out.setparams((1, 2, RATE, len(frames), "NONE", ""))
        out.writeframes(b"".join(struct.pack("<h", round(32767 * x * f / top))
                                 for x, f in zip(frames, tail)))


def main():
    kit = {"kick": kick(), "snare": snare(), "hat": hat(0.09, 0.022, 2),
           "open_hat": hat(0.45, 0.14, 3), "clap": clap()}
    for name, frames in kit.items():
        write(os.path.join(sys.argv[1], name + ".wav"), frames)


if __name__ == "__main__":
    main()
