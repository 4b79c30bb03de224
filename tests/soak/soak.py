# SPDX-License-Identifier: MIT
"""An instrument under load for a long time: no late cycle but those that the hypervisor made.

usage: soak.py TACTUS EXAMPLES [SECONDS]    (make test-soak; SECONDS: 1800, or TACTUS_SOAK_S)

A patch that takes about 70 % of a core at 48 kHz and 64 frames is played by the clock, streams a
sound file, and is edited once a second; files are written and read beside it, and the other cores
compute and allocate without a pause (all pinned). The doctor watches: each late cycle must be its verdict
"hypervisor" on evidence, else the test fails and shows the doctor's report.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import audio_servers
from audio_servers import Skip, need, run

BLOCK, RATE, GOAL = 64, 48000, 70.0
CORE = min(os.sched_getaffinity(0))
EXAMPLES = sys.argv.pop(2)
SECONDS = float(sys.argv.pop(2) if len(sys.argv) > 2 else os.environ.get("TACTUS_SOAK_S", 1800))


def patch(chains, edit=0):
    """Chains of sixteen channels each behind one streamed sound and one echo. The edit moves
    parameters, and adds and removes one node."""
    nodes = ["  strings: {block: player, file: strings.flac, loop: yes, level: 30 %}",
             "  echo: {block: delay, channels: 16, time: 300 ms, feedback: 40 %}"]
    cables = ["  - strings.out -> echo.in"]
    for i in range(chains):
        cutoff = 500 + 100 * ((edit + i) % 40)
        nodes += [f"  tone{i}: {{block: ladder, channels: 16, cutoff: {cutoff} Hz}}",
                  f"  grit{i}: {{block: shaper, channels: 16}}",
                  f"  body{i}: {{block: svf, channels: 16, cutoff: 2 kHz}}"]
        cables.append(f"  - echo -> tone{i} -> grit{i} -> body{i} -> output")
    if edit % 2:
        nodes.append("  extra: {block: sine, frequency: 440 Hz, level: 1 %}")
        cables.append("  - extra.out -> output[1]")
    return "\n".join(["name: soak", "output: 16", "nodes:", *nodes, "cables:", *cables, ""])


def play(tactus, path, seconds, *more):
    return [tactus, "play", str(path), "--seconds", str(seconds), "--block", str(BLOCK), "--rate",
            str(RATE), "--cpu", str(CORE), *more]


def load_of(tactus, path):
    output = run(play(tactus, path, 2), seconds=30).stdout
    return float(output.split("load ")[1].split(" %")[0])


def chains_for(tactus, path):
    """How many chains take the goal of a core. Caches make the cost of one grow with their number,
    so the estimate is made twice."""
    chains = 8
    for _ in range(3):
        path.write_text(patch(chains), encoding="utf-8")
        load = load_of(tactus, path)
        print(f"# {chains} chains of 16 channels: load {load} %", flush=True)
        if abs(load - GOAL) < 5:
            break
        chains = max(1, round(chains * GOAL / load))
    return chains


def disturb(folder):
    """Load on every core but the sound's: computing, allocating, and traffic of files, for ever."""
    elsewhere = sorted(os.sched_getaffinity(0) - {CORE})
    files = pathlib.Path(folder, "traffic")
    files.mkdir()
    writer = (f"while :; do dd if=/dev/zero of={files}/a bs=1M count=64 conv=fsync; "
              f"cat {files}/a >{files}/b; rm {files}/a {files}/b; done")
    worker = "import os\nwhile True:\n    x = [bytes(4096) for _ in range(20000)]\n    del x\n"
    commands = [["sh", "-c", writer]] + [[sys.executable, "-c", worker]] * len(elsewhere)
    return [subprocess.Popen(c, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL, start_new_session=True,
                             preexec_fn=lambda: os.sched_setaffinity(0, elsewhere))
            for c in commands]


def edit_each_second(child, path, chains):
    edits = 0
    while child.poll() is None:
        time.sleep(1)
        edits += 1
        fresh = path.with_suffix(".new")
        fresh.write_text(patch(chains, edits), encoding="utf-8")
        fresh.rename(path)
    return edits


def no_cycle_is_late(tactus, folder):
    if os.geteuid() != 0:
        raise Skip("only root sees the evidence for a hypervisor")
    if (os.cpu_count() or 1) < 2:
        raise Skip("it needs two cores")
    need("dd")
    folder, tactus = pathlib.Path(folder), str(pathlib.Path(tactus).resolve())
    shutil.copy(pathlib.Path(EXAMPLES, "sounds", "strings.flac"), folder)
    path = folder / "soak.yaml"
    chains = chains_for(tactus, path)
    others = disturb(folder)
    report = folder / "report.json"
    try:
        with open(report, "wb") as out:
            child = subprocess.Popen(
                ["prlimit", "--rttime=2000000", tactus, "doctor", "--json", "-o",
                 str(folder / "soak.tac"), "--", *play(tactus, path, SECONDS, "--watch")],
                cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, text=True)
            edits = edit_each_second(child, path, chains)
            errors = child.stderr.read()
    finally:
        for other in others:
            os.killpg(other.pid, signal.SIGKILL)
            other.wait()
    judge(report, edits, errors)


def judge(report, edits, errors):
    lines = [l for l in report.read_text(encoding="utf-8").splitlines() if l.startswith("{")]
    assert lines, f"no report: {report.read_text(encoding='utf-8')[-400:]} {errors}"
    result = json.loads(lines[-1])["runs"][0]
    causes = {c["rule"]: c["misses"] for c in result["causes"] if c["misses"]}
    print(f"# {result['cycles']} cycles, {edits} edits, {result['missed']} late, worst by "
          f"{result['worst_ns'] / 1e6:.2f} ms; main causes: {causes}")
    for cause in result["causes"]:
        print(f"#   {cause['title']}: {cause['lost_ns'] / 1e6:.2f} ms, confidence "
              f"{cause['confidence']}")
    wanted = SECONDS * RATE / BLOCK
    assert result["cycles"] > 0.98 * wanted, f"{result['cycles']} cycles instead of {wanted:.0f}"
    assert edits > 0.8 * SECONDS, f"{edits} edits"
    others = {cause: n for cause, n in causes.items() if cause != "hypervisor"}
    assert not others, f"late cycles that are not the hypervisor's: {others}"


if __name__ == "__main__":
    sys.exit(audio_servers.main((no_cycle_is_late,)))
