#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check, render and play as a user runs them: the examples by their level, and bad input of all kinds.

usage: patches.py TACTUS EXAMPLES    Prints TAP.
"""
import array
import math
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time

from tap import end, ok

TACTUS, EXAMPLES = sys.argv[1], sys.argv[2]

# example: channels, lowest and highest RMS in dBFS of the loudest channel
LEVELS = {"first": (2, -30, -12), "bass": (2, -36, -12), "poly": (2, -36, -12), "drums": (2, -30, -8), "pad": (2, -30, -8),
          "strip8": (8, -40, -12), "demo": (4, -40, -12)}


def run(*arguments, timeout=60):
    return subprocess.run([TACTUS, *arguments], capture_output=True, text=True, timeout=timeout,
                          stdin=subprocess.DEVNULL, check=False)


def read_wav(path):
    """Channels of a float WAV."""
    with open(path, "rb") as file:
        data = file.read()
    form = data.index(b"fmt ")
    channels = struct.unpack("<H", data[form + 10:form + 12])[0]
    body = data[data.index(b"data") + 8:]
    samples = array.array("f")
    samples.frombytes(body[:len(body) // (4 * channels) * 4 * channels])
    return [samples[c::channels] for c in range(channels)]


def rms_db(channel):
    power = sum(x * x for x in channel) / max(len(channel), 1)
    return -200 if power <= 0 else 10 * math.log10(power)


def examples(folder):
    for name, (channels, low, high) in LEVELS.items():
        out = os.path.join(folder, name + ".wav")
        result = run("render", os.path.join(EXAMPLES, name + ".yaml"), "-o", out, "-s", "4", "-q")
        if result.returncode:
            ok(False, f"{name} renders", result.stderr)
            continue
        sound = read_wav(out)
        level = max(rms_db(c) for c in sound)
        peak = max(max(abs(x) for x in c) for c in sound)
        ok(len(sound) == channels and len(sound[0]) == 4 * 48000 and low < level < high
           and peak <= 1, f"{name} has its channels, length and level", (len(sound), level, peak))
    mix = os.path.join(folder, "first.wav")
    out = os.path.join(folder, "master.wav")
    result = run("render", os.path.join(EXAMPLES, "master.yaml"), "-i", mix, "-o", out)
    ok(result.returncode == 0 and len(read_wav(out)[0]) == 4 * 48000,
       "master ends where its input ends", result.stderr)
    peak = max(max(abs(x) for x in c) for c in read_wav(out))
    said = [line for line in result.stdout.splitlines() if line.startswith("meter: ")]
    ok(len(said) == 1 and "LUFS" in said[0]
       and f"peak {20 * math.log10(peak):.1f}" in said[0], "its meter is read in the end", result.stdout)


BAD = {
    "unknown_block": ("nodes: {a: {block: sinus}}", "no block 'sinus'"),
    "unknown_parameter": ("nodes: {a: {block: sine, colour: red}}", "no parameter 'colour'"),
    "wrong_unit": ("nodes: {a: {block: sine, frequency: 4 dB}}", "wrong unit"),
    "out_of_range": ("nodes: {a: {block: sine, frequency: 99 kHz}}", "out of range"),
    "loop": ("nodes: {a: {block: gain}, b: {block: gain}}\ncables:\n- a -> b -> a", "loop"),
    "missing_file": ("nodes: {a: {block: player, file: no.wav}}", "no.wav"),
    "not_a_sound": ("nodes: {a: {block: player, file: not_a_sound.yaml}}", "cannot be played"),
    "cut_off_sound": ("nodes: {a: {block: player, file: cut.flac}}", "cut off"),
    "cut_off": ("nodes: {a: {block: si", "not YAML"),
    "empty": ("", "empty"),
    "deep": ("[" * 100000, "nested"),
    "garbage": (os.urandom(10 << 20), "UTF-8"),
    "huge_number": ("tempo: " + "9" * 400, "out of range"),
}


def bad_input(folder):
    with open(os.path.join(EXAMPLES, "sounds", "strings.flac"), "rb") as whole:
        with open(os.path.join(folder, "cut.flac"), "wb") as cut:
            cut.write(whole.read(200000))
    for name, (text, says) in BAD.items():
        path = os.path.join(folder, name + ".yaml")
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        check = run("check", path)
        out = os.path.join(folder, "none.wav")
        render = run("render", path, "-o", out)
        good = (check.returncode == 1 and len(check.stderr.splitlines()) == 1
                and check.stderr.startswith(path) and render.returncode == 3
                and len(render.stderr.splitlines()) == 1
                and (says in check.stderr or name == "garbage") and not os.path.exists(out))
        ok(good, f"{name} is one line", check.stderr + render.stderr)


def failures_of_the_world(folder):
    first = os.path.join(EXAMPLES, "first.yaml")
    pipe = os.path.join(folder, "pipe")
    os.mkfifo(pipe)
    for name, arguments, code, says in (
            ("a_pipe", ["check", pipe], 3, "is a pipe"),
            ("a_pipe_to_render", ["render", pipe, "-o", os.path.join(folder, "p.wav")], 3, "is a pipe"),
            ("a_pipe_to_play", ["play", pipe], 3, "is a pipe"),
            ("a_device", ["check", "/dev/zero"], 3, "is a device"),
            ("no_such_patch", ["check", "no-such.yaml"], 3, "No such file"),
            ("a_folder", ["check", folder], 3, "directory"),
            ("unwritable", ["render", first, "-o", "/no/such/folder/a.wav"], 3, "cannot be written"),
            ("no_format", ["render", first, "-o", os.path.join(folder, "a.mp9")], 3, ".wav"),
            ("no_output", ["render", first], 2, "-o FILE"),
            ("bad_rate", ["render", first, "-o", "a.wav", "-r", "3"], 2, "--rate"),
            ("no_backend", ["play", first, "--backend", "gramophone"], 2, "gramophone"),
            ("wrong_width", ["render", os.path.join(EXAMPLES, "master.yaml"), "-o",
                             os.path.join(folder, "m.wav"), "-i",
                             os.path.join(folder, "strip8.wav")], 3, "channels")):
        result = run(*arguments)
        ok(result.returncode == code and len(result.stderr.splitlines()) == 1
           and says in result.stderr, name, result.stderr)


def interrupted(folder):
    out = os.path.join(folder, "long.wav")
    first = os.path.join(EXAMPLES, "first.yaml")
    child = subprocess.Popen([TACTUS, "render", first, "-o", out, "-s", "100000"],
                             stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    for _ in range(500):
        time.sleep(0.01)
        if os.path.exists(out) and os.path.getsize(out) > 100000:
            break
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=30)
    ok(child.returncode == 3 and "what was done so far" in errors
       and len(read_wav(out)[0]) > 10000, "an interrupted render keeps what it has", errors)


def play(folder):
    out = os.path.join(folder, "played.wav")
    result = run("play", os.path.join(EXAMPLES, "demo.yaml"), "-s", "0.5", "-R", out)
    ok(result.returncode == 0 and "s played" in result.stdout and len(read_wav(out)) == 4
       and len(read_wav(out)[0]) > 4800, "play plays and records", result.stderr + result.stdout)


def several(folder):
    names = ["first", "bass"]
    alone = [read_wav(os.path.join(folder, name + ".wav")) for name in names]
    patches = [os.path.join(EXAMPLES, name + ".yaml") for name in names]
    out = os.path.join(folder, "several.wav")
    result = run("render", *patches, "-o", out, "-s", "4", "-q")
    mix = read_wav(out) if not result.returncode else []
    worst = max((abs(m - a - b) for channel in range(len(mix))
                 for m, a, b in zip(mix[channel], alone[0][channel], alone[1][channel])), default=1)
    ok(len(mix) == 2 and worst < 1e-6, "several patches are rendered as their sum",
       f"{worst} {result.stderr}")
    mix.clear()
    result = run("play", *patches, "-s", "0.5", "-R", out)
    ok(result.returncode == 0 and "and others" in result.stdout and len(read_wav(out)) == 2
       and "s played" in result.stdout, "play mixes several patches", result.stderr + result.stdout)
    result = run("play", patches[0], os.path.join(folder, "no-such.yaml"))
    ok(result.returncode == 3 and len(result.stderr.splitlines()) == 1 and "no-such" in result.stderr,
       "one that is missing is one line", result.stderr)


def overload(folder):
    """More than any machine computes in time, so something is given up, and play says what."""
    patch = os.path.join(folder, "heavy.yaml")
    shapers = range(300)
    with open(patch, "w", encoding="utf-8") as file:
        file.write("nodes:\n  n: {block: noise, channels: 64, level: 1 %}\n  sum: {block: gain}\n")
        file.writelines(f"  hard{i}: {{block: shaper, channels: 64}}\n" for i in shapers)
        file.write("cables:\n  - sum -> output\n")
        file.writelines(f"  - n -> hard{i} -> sum\n" for i in shapers)
    result = run("play", patch, "-s", "1.5")
    lines = [line for line in result.stdout.splitlines() if line.startswith("overload: ")]
    ok(result.returncode == 0 and len(lines) == 1 and " muted; " in lines[0] and "cost most, " in lines[0],
       "play names what was given up in an overload", result.stderr + result.stdout)


def runaway(folder):
    """A loop that gains more than it loses: play goes on, and says which node."""
    patch = os.path.join(folder, "runaway.yaml")
    with open(patch, "w", encoding="utf-8") as file:
        file.write("nodes: {n: {block: noise, channels: 2}, sum: {block: gain, channels: 2}, back: {block: gain, "
                   "channels: 2, level: 6 dB}}\ncables: [n -> sum -> output, sum -> back, back ~> sum]\n")
    result = run("play", patch, "-s", "0.5")
    lines = [line for line in result.stdout.splitlines() if line.startswith("runaway: ")]
    ok(result.returncode == 0 and len(lines) == 1 and lines[0].endswith("came from back"),
       "play names the node of a loop that runs away", result.stderr + result.stdout)


def main():
    with tempfile.TemporaryDirectory() as folder:
        examples(folder)
        bad_input(folder)
        failures_of_the_world(folder)
        interrupted(folder)
        play(folder)
        several(folder)
        overload(folder)
        runaway(folder)
    return end()


if __name__ == "__main__":
    sys.exit(main())
