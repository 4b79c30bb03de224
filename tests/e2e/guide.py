#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/guide/first-patch.md, followed word by word: its patches are written, checked and rendered, and
every command that it names is known.

usage: guide.py TACTUS GUIDE    Prints TAP.

The first yaml block of the guide is the patch; each further one is added where it belongs: lines
"- a -> b" to its cables, "voices:" at the end, all else to its nodes."""
import array
import os
import re
import subprocess
import sys
import tempfile

from tap import end, ok

TACTUS, GUIDE = os.path.abspath(sys.argv[1]), sys.argv[2]


def run(folder, *arguments):
    return subprocess.run([TACTUS, *arguments], cwd=folder, capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, check=False)


def add(patch, piece):
    if piece.lstrip().startswith("- "):
        return patch.rstrip("\n") + "\n" + piece
    if piece.startswith("voices:"):
        return patch.replace("\ncables:", "\n" + piece + "\ncables:")
    return patch.replace("nodes:\n", "nodes:\n" + piece, 1)


def loudness(path):
    with open(path, "rb") as file:
        data = file.read()
    body = data[data.index(b"data") + 8:]
    samples = array.array("f", body[:len(body) // 4 * 4])
    return max(map(abs, samples)), sum(x * x for x in samples) / len(samples)


def try_patch(folder, patch, name):
    with open(os.path.join(folder, "first.yaml"), "w", encoding="utf-8") as out:
        out.write(patch)
    checked = run(folder, "check", "first.yaml")
    ok(checked.returncode == 0, f"{name}: the patch is good", checked.stderr + patch)
    rendered = run(folder, "render", "first.yaml", "-o", "first.wav")
    ok(rendered.returncode == 0, f"{name}: it renders", rendered.stderr)
    if rendered.returncode == 0:
        peak, power = loudness(os.path.join(folder, "first.wav"))
        ok(power > 1e-6 and peak <= 1, f"{name}: it is heard and does not clip", (peak, power))


def main():
    with open(GUIDE, encoding="utf-8") as file:
        text = file.read()
    pieces = re.findall(r"```yaml\n(.*?)```", text, re.S)
    # what stands in the running text
    nodes = re.findall(r"`(\w+: \{block: [^`]*\})`", text)
    cables = re.findall(r"`(- [\w.]+ -> [\w.]+)`", text)
    ok(len(pieces) >= 4 and nodes and cables, "the guide has its patches", (pieces, nodes, cables))
    with tempfile.TemporaryDirectory() as folder:
        patch = pieces[0]
        try_patch(folder, patch, "the first patch")
        for piece in pieces[1:3]:
            patch = add(patch, piece)
        try_patch(folder, patch, "with a moving cutoff")
        patch = add(patch, pieces[3])
        for node in nodes:
            patch = add(patch, f"  {node}\n")
        for cable in cables:
            patch = add(patch, f"  {cable}\n")
        try_patch(folder, patch, "with notes")
        shown = run(folder, "blocks", "svf")
        ok(shown.returncode == 0 and "cutoff" in shown.stdout, "tactus blocks svf shows its parameters")
        options = run(folder, "play", "--help").stdout
        named = set(re.findall(r"`[^`]*tactus play[^`]*?(--[a-z]+)", text))
        ok(named and all(option in options for option in named), "play has the options", named)
    return end()


if __name__ == "__main__":
    sys.exit(main())
