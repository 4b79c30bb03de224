#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The reference that `tactus blocks --html` writes: whole, with every block, and plots that show what
the blocks are known to do.

usage: block_page.py TACTUS    Prints TAP."""
import json
import subprocess
import sys
import xml.etree.ElementTree as tree

from tap import end, ok

TACTUS = sys.argv[1]
NS = "{http://www.w3.org/1999/xhtml}"
LEFT, RIGHT, TOP, BOTTOM = 46, 420, 26, 224  # of the frame of a plot


def run(*arguments):
    return subprocess.run([TACTUS, "blocks", *arguments], capture_output=True, text=True, timeout=120,
                          stdin=subprocess.DEVNULL, check=True).stdout


def plots(section):
    """title -> curves, each a list of points as shares of the frame, from its lower left."""
    found = {}
    for svg in section.iter(NS + "svg"):
        curves = {}  # each in one piece or several
        for line in svg.iter(NS + "polyline"):
            points = [tuple(map(float, p.split(","))) for p in line.get("points").split()]
            curves.setdefault(line.get("class"), []).extend(
                ((x - LEFT) / (RIGHT - LEFT), (BOTTOM - y) / (BOTTOM - TOP)) for x, y in points)
        found[svg.find(NS + "title").text] = list(curves.values())
    return found


def at(curve, share):
    return min(curve, key=lambda p: abs(p[0] - share))[1]


def main():
    catalogue = {b["name"] for b in json.loads(run("--json"))}
    page = tree.fromstring(run("--html").replace("<!DOCTYPE html>", ""))
    sections = {s.get("id"): s for s in page.iter(NS + "section")}
    ok(set(sections) == catalogue, "every block has its section", set(sections) ^ catalogue)
    shown = {name: plots(section) for name, section in sections.items()}
    curves = [c for p in shown.values() for lines in p.values() for c in lines]
    ok(len(curves) > 40 and all(len(c) > 100 for c in curves), "the plots have curves", len(curves))
    ok(all(-0.01 <= v <= 1.01 for c in curves for p in c for v in p), "they stay in their frames")

    # 20 Hz to 20 kHz, -60 to 20 dB: at 1 kHz (0.566 of the way) a notch is at the bottom half and a
    # band-pass at 0 dB, which is 0.75 of the height
    low, band, high, notch, *_ = shown["svf"]["Outputs, cutoff 1 kHz, resonance 25 %"]
    ok(abs(at(band, 0.566) - 0.75) < 0.01, "the band-pass of svf peaks at 0 dB", at(band, 0.566))
    ok(at(notch, 0.566) < 0.45, "its notch is deep", at(notch, 0.566))
    ok(abs(at(low, 0) - 0.75) < 0.01 and abs(at(high, 1) - 0.75) < 0.01, "low and high pass")
    left, right = shown["pan"]["Sides"]
    ok(abs(at(left, 0.5) - 0.7071 / 1.1) < 0.01 and at(right, 0) < 0.01, "pan has constant power")
    one, two, _ = shown["reverb"]["What is left of an impulse, treble 100 %"]
    ok(abs(at(one, 0.25) - 0.25) < 0.06 and abs(at(two, 0.5) - 0.25) < 0.06,
       "the reverb has fallen by 60 dB in its time", (at(one, 0.25), at(two, 0.5)))
    alone = tree.fromstring(run("eq", "--html").replace("<!DOCTYPE html>", ""))
    ok([s.get("id") for s in alone.iter(NS + "section")] == ["eq"], "a block can have a page alone")
    return end()


if __name__ == "__main__":
    sys.exit(main())
