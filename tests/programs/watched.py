# SPDX-License-Identifier: MIT
"""Runs a program that was not built for Tactus under `tactus doctor` and reads the report.

The scripts beside this file print TAP and take the path of tactus, then names of single tests.
"""
import json
import math
import array
import pathlib
import struct
import subprocess
import sys
import wave

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))

import audio_servers  # noqa: E402  pylint: disable=wrong-import-position
from audio_servers import RATE, Skip  # noqa: E402  pylint: disable=wrong-import-position

SERIOUS, WARNING, NOTE = 2, 1, 0
FONT = pathlib.Path("/usr/share/sounds/sf2/TimGM6mb.sf2")


class Report:
    """What the doctor says about one run."""

    def __init__(self, document, text):
        self.run, self.text = document["runs"][0], text
        self.hazards = {h["what"]: h for h in self.run["hazards"]}
        self.sources = {s["name"]: s for s in self.run["sources"]}

    def cycles(self, start):
        return max((s["cycles"] for name, s in self.sources.items() if name.startswith(start)), default=0)

    def share(self, what, start):
        """In how many of the cycles the call was made."""
        return self.hazards[what]["cycles"] / max(1, self.cycles(start)) if what in self.hazards else 0

    def accusations(self):
        """Hazards above a note, and verdicts that blame the program or the memory functions that it calls."""
        blamed = [c for c in self.run["causes"] if c["blame"] in ("program", "heap") and c["misses"]]
        return [h["what"] for h in self.hazards.values() if h["grade"] > NOTE] + [c["rule"] for c in blamed]


def doctor(tactus, folder, environment, command, seconds=4, options=()):
    """Runs the command for so many seconds, then interrupts it; returns the Report. Its standard input
    stays open."""
    path = pathlib.Path(folder, "program.tac")
    child = subprocess.Popen(["timeout", "-k", "20", "-s", "INT", str(seconds), tactus, "doctor", "--quiet",
                              "-o", str(path), *options, "--", *command], env=environment, cwd=folder,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True)
    try:
        out = wait_with_open_input(child, seconds + 30)
    finally:
        child.kill()
        child.wait()
    assert path.exists(), f"{command[0]} left no recording, {child.returncode}:\n{out[-2000:]}"
    judged = audio_servers.run([tactus, "doctor", "--json", str(path)], environment, seconds=60)
    assert judged.returncode in (0, 1), f"{judged.returncode}: {judged.stderr}"
    text = audio_servers.run([tactus, "doctor", str(path)], environment, seconds=60).stdout
    print("# " + " ".join(map(str, command)) + "\n# " + text.replace("\n", "\n# "), flush=True)
    return Report(json.loads(judged.stdout), text)


def wait_with_open_input(child, seconds):
    lines = []
    try:
        child.wait(timeout=0.1)
    except subprocess.TimeoutExpired:
        pass
    stdin, child.stdin = child.stdin, None  # communicate() would close it
    try:
        lines.append(child.communicate(timeout=seconds)[0])
    finally:
        stdin.close()
    return "".join(lines)


def write_song(path, notes=40):
    """A MIDI file of notes a quarter second long."""
    events = b"".join(bytes([0, 0x90, 60 + i % 12, 100, 48, 0x80, 60 + i % 12, 0]) for i in range(notes))
    track = events + bytes([0, 0xff, 0x2f, 0])
    pathlib.Path(path).write_bytes(b"MThd" + struct.pack(">IHHH", 6, 0, 1, 96) + b"MTrk" +
                                   struct.pack(">I", len(track)) + track)
    return str(path)


def write_sound(path, seconds=8):
    """A 16-bit stereo WAV file of a sine."""
    with wave.open(str(path), "wb") as out:
        out.setparams((2, 2, RATE, 0, "NONE", ""))
        out.writeframes(array.array("h", [int(8000 * math.sin(i // 2 * 0.05))
                                          for i in range(2 * seconds * RATE)]).tobytes())
    return str(path)


def write_csound(path):
    """A Csound piece that starts a note every tenth of a second."""
    pathlib.Path(path).write_text("""<CsoundSynthesizer>
<CsInstruments>
sr = 48000
ksmps = 64
nchnls = 2
0dbfs = 1
instr 1
a1 oscili 0.2, p4
outs a1, a1
endin
</CsInstruments>
<CsScore>
{ 100 K
i 1 [$K * 0.1] 0.2 [220 + $K * 10]
}
e
</CsScore>
</CsoundSynthesizer>
""", encoding="utf-8")
    return str(path)


def need_file(path):
    if not pathlib.Path(path).exists():
        raise Skip(f"there is no {path} (tools/bootstrap programs)")
    return str(path)
