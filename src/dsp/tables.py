#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the constant tables of the blocks (tables.h, tables.c).

usage: tables.py HEADER SOURCE

blep: the difference between a band-limited and an ideal unit step, for a step that happened at
fraction p/64 of a sample; 32 taps around it. The band limit is a sinc under a Kaiser window
(J. F. Kaiser, 1974) whose transition lies around half the sample rate.
blamp: its running integral, the same for a corner (a step of the slope).
sinc: taps for reading between frames, at fraction p/256 of a frame behind tap 15; a whole sinc under
a Kaiser window, flat to 18 kHz of 48, -100 dB.
peak: taps for the points a quarter, a half and three quarters behind tap 5, to find peaks between frames.
half_steep, half_wide: the odd taps of half-band low-passes (sinc under a Kaiser window) for a change
of rate by two: steep for 48 <-> 96 kHz (stop band -100 dB from 28 kHz), wide for 96 <-> 192 kHz.
half_iir: all-passes of a half-band filter of two branches for 48 <-> 96 kHz, flat to 20 kHz, -96 dB from
28 kHz (R. Valenzuela, A. Constantinides 1983): those of the elliptic filter, by series in its nome."""
import math
import sys

TAPS, PHASES = 32, 64
STEEP, WIDE = 20, 7
SINC_TAPS, SINC_PHASES = 32, 256
PEAK_TAPS = 12
ALL_PASSES, ALL_PASS_EDGE = 6, 20000 / 96000


def bessel_i0(x):
    total, term, k = 1.0, 1.0, 1
    while term > 1e-18 * total:
        term *= (x / (2 * k)) ** 2
        total += term
        k += 1
    return total


def kernel(t, half, beta, cutoff):
    if abs(t) >= half:
        return 0.0
    window = bessel_i0(beta * math.sqrt(1 - (t / half) ** 2)) / bessel_i0(beta)
    x = math.pi * t * cutoff
    return cutoff * (math.sin(x) / x if x else 1.0) * window


def integrate(values, h):
    """Running integral by Simpson's rule on pairs; values at half steps, 2n + 1 of them."""
    out, total = [0.0], 0.0
    for i in range(0, len(values) - 2, 2):
        total += h / 3 * (values[i] + 4 * values[i + 1] + values[i + 2])
        out.append(total)
    return out


def residuals(beta, cutoff):
    half, steps = TAPS / 2, TAPS * PHASES
    fine = 4
    n = steps * fine
    h = 1.0 / (PHASES * fine)
    values = [kernel(-half + i * h / 2, half, beta, cutoff) for i in range(2 * n + 1)]
    step = integrate(values, h / 2)
    step = [s / step[-1] for s in step]
    blep = [s - (1.0 if i > n // 2 else 0.5 if i == n // 2 else 0.0) for i, s in enumerate(step)]
    ramp, total = [0.0], 0.0
    for i in range(n):
        total += h / 2 * (step[i] + step[i + 1])
        ramp.append(total)
    blamp = [r - max(0.0, -half + i * h) for i, r in enumerate(ramp)]
    blamp = [b - blamp[-1] * i / n for i, b in enumerate(blamp)]
    return blep, blamp, fine


def rows(curve, fine, jump):
    """Row p holds the taps for an event p/64 of a sample before its frame: tap k is the residual at
    k - 16 + p/64 after the event. At the event itself the value belongs to the side of the row."""
    result = []
    for p in range(PHASES + 1):
        row = []
        for k in range(TAPS):
            index = (k * PHASES + p) * fine
            value = curve[index]
            if jump and index == TAPS * PHASES * fine // 2:
                value = curve[index] + (-0.5 if p == 0 else 0.5)
            row.append(value)
        result.append(row)
    return result


def half_band(pairs, beta):
    """Taps at distance 1, 3, 5 ... from the centre tap of 0.5; scaled so that they sum to 0.25."""
    reach = 2.0 * pairs
    taps = []
    for i in range(pairs):
        n = 2 * i + 1
        window = bessel_i0(beta * math.sqrt(1 - (n / reach) ** 2)) / bessel_i0(beta)
        taps.append(math.sin(math.pi * n / 2) / (math.pi * n) * window)
    return [t * 0.25 / sum(taps) for t in taps]


def half_band_iir():
    """Even ones belong to the branch without the delay."""
    k = math.tan(math.pi * ALL_PASS_EDGE) ** 2
    root = (1 - k * k) ** 0.25
    e = 0.5 * (1 - root) / (1 + root)
    nome = e + 2 * e ** 5 + 15 * e ** 9 + 150 * e ** 13
    coefficients = []
    for c in range(1, ALL_PASSES + 1):
        angle = c * math.pi / (2 * ALL_PASSES + 1)
        top = sum((-1) ** i * nome ** (i * (i + 1)) * math.sin((2 * i + 1) * angle)
                  for i in range(10))
        bottom = 0.5 + sum((-1) ** i * nome ** (i * i) * math.cos(2 * i * angle)
                           for i in range(1, 10))
        w = nome ** 0.5 * (top / bottom) ** 2
        x = math.sqrt((1 - w * k) * (1 - w / k)) / (1 + w)
        coefficients.append((1 - x) / (1 + x))
    return coefficients


def sinc_rows():
    """Row p, tap k: weight of frame k - 15 for a point p/256 behind frame 0; each row sums to 1."""
    result = []
    for p in range(SINC_PHASES + 1):
        row = [kernel(k - SINC_TAPS // 2 + 1 - p / SINC_PHASES, SINC_TAPS / 2, 10.06, 1.0)
               for k in range(SINC_TAPS)]
        result.append([v / sum(row) for v in row])
    return result


def peak_rows():
    result = []
    for quarter in (1, 2, 3):
        row = [kernel(k - PEAK_TAPS // 2 + 1 - quarter / 4, PEAK_TAPS / 2, 4.0, 1.0)
               for k in range(PEAK_TAPS)]
        result.append([v / sum(row) for v in row])
    return result


def write_table(out, name, table):
    out.write(f"const float {name}[{len(table)}][{len(table[0])}] = {{\n")
    for row in table:
        out.write("    {" + ", ".join(f"{v:.9e}f" for v in row) + "},\n")
    out.write("};\n")


def main():
    blep, blamp, fine = residuals(9.0, 0.94)
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        out.write("/* SPDX-License-Identifier: MIT\n * tables.h - made by tables.py; do not edit. */\n"
                  "#ifndef TAC_DSP_TABLES_H\n#define TAC_DSP_TABLES_H\n\n"
                  f"enum {{ TAC_BLEP_TAPS = {TAPS}, TAC_BLEP_PHASES = {PHASES} }};\n\n"
                  f"extern const float tac_blep[{PHASES + 1}][{TAPS}];\n"
                  f"extern const float tac_blamp[{PHASES + 1}][{TAPS}];\n\n"
                  f"enum {{ TAC_SINC_TAPS = {SINC_TAPS}, TAC_SINC_PHASES = {SINC_PHASES} }};\n\n"
                  f"extern const float tac_sinc[{SINC_PHASES + 1}][{SINC_TAPS}];\n\n"
                  f"enum {{ TAC_PEAK_TAPS = {PEAK_TAPS} }};\n\n"
                  "extern const float tac_peak[3][TAC_PEAK_TAPS];\n\n"
                  f"enum {{ TAC_HALF_STEEP = {STEEP}, TAC_HALF_WIDE = {WIDE} }};\n\n"
                  "extern const float tac_half_steep[TAC_HALF_STEEP];\n"
                  "extern const float tac_half_wide[TAC_HALF_WIDE];\n\n"
                  f"enum {{ TAC_HALF_IIR = {ALL_PASSES} }};\n\n"
                  "extern const float tac_half_iir[TAC_HALF_IIR];\n\n#endif\n")
    with open(sys.argv[2], "w", encoding="utf-8") as out:
        out.write("/* SPDX-License-Identifier: MIT\n * tables.c - made by tables.py; do not edit. */\n"
                  '#include "dsp/tables.h"\n\n')
        write_table(out, "tac_blep", rows(blep, fine, True))
        write_table(out, "tac_blamp", rows(blamp, fine, False))
        write_table(out, "tac_sinc", sinc_rows())
        write_table(out, "tac_peak", peak_rows())
        for name, taps in (("tac_half_steep", half_band(STEEP, 10.06)),
                           ("tac_half_wide", half_band(WIDE, 10.06)),
                           ("tac_half_iir", half_band_iir())):
            out.write(f"const float {name}[{len(taps)}] = {{"
                      + ", ".join(f"{v:.9e}f" for v in taps) + "};\n")


if __name__ == "__main__":
    main()
