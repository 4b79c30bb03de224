#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Injected faults with known truth against the doctor's verdicts.

usage: corpus.py INJECTOR TACTUS [--quick] [--cycles N] [FAULT...]

The injector writes a recording and, from its own clock, what it did to which cycle. A late cycle that
was struck (or that came late behind one) must have a verdict from the fault's list. A late cycle that
was not struck was made late by the machine: a verdict that blames the program there is a false
accusation. --quick runs faults that work without privilege and asserts only what holds on a busy
machine: every struck late cycle is judged, and the shares sum up.
"""
import collections
import json
import os
import subprocess
import sys
import tempfile

# Verdicts that are right for a fault, by what was done. Blocked and preempted are what can be known
# about outside causes without system-wide kernel events.
RIGHT = {
    "none": set(),
    "compute": {"own_work"},
    "denormal": {"denormals"},
    "storm": {"heap_work"},
    "heap": {"heap_lock", "heap_work"},
    "touch": {"fault_minor"},
    "huge": {"fault_huge"},
    "mutex": {"lock_hold", "lock_inversion"},
    "sleep": {"blocking_call"},
    "silent-sleep": {"blocked"},
    "sync": {"blocking_call"},
    "hog": {"preempted", "late_wake"},
    "stop": {"stopped", "blocked", "late_wake"},
}
MACHINE = {"hypervisor", "preempted", "late_wake", "unexplained", "interrupts", "kernel_busy",
           "throttled", "gap", "carried"}
EVERY = 16


def read_truth(path):
    rows = {}
    with open(path, encoding="ascii") as file:
        for line in file:
            number, begin, deadline, end, fault, _ = line.split()
            rows[int(deadline)] = (int(number), int(begin), int(end), fault)
    return rows


def roots(truth):
    """Number of each late cycle -> the struck cycle that it stems from, or None."""
    found, chain, before = {}, None, 0
    for deadline in sorted(truth):
        number, begin, end, fault = truth[deadline]
        if fault != "-":
            chain = number
        elif begin > before + 100_000:
            chain = None
        if end > deadline:
            found[number] = chain
        before = max(before, end)
    return found


def run(injector, tactus, fault, cycles, folder):
    recording, truth = (os.path.join(folder, fault + e) for e in (".tac", ".truth"))
    subprocess.run([injector, fault, recording, truth, str(cycles)], check=True, timeout=120)
    result = subprocess.run([tactus, "doctor", "--json", recording], capture_output=True, timeout=60)
    if result.returncode > 1:
        raise RuntimeError(result.stderr.decode())
    return json.loads(result.stdout)["runs"][0], read_truth(truth)


def score(fault, report, truth):
    stem = roots(truth)
    s = collections.Counter()
    names = collections.Counter()
    for miss in report["misses"]:
        row = truth.get(miss["deadline_ns"])
        if row is None:
            continue
        verdict = miss["verdicts"][0]["rule"]
        struck = stem.get(row[0]) is not None or fault in ("hog", "stop")
        explained = sum(v["ns"] for v in miss["verdicts"] if v["rule"] != "unexplained")
        s["late_ns"] += miss["late_ns"]
        s["explained_ns"] += explained
        s["sums"] += sum(v["ns"] for v in miss["verdicts"]) == miss["late_ns"]
        if struck:
            s["struck"] += 1
            s["right"] += verdict in RIGHT[fault]
            s["machine"] += verdict in MACHINE and verdict not in RIGHT[fault]
            names[verdict] += 1
        else:
            s["other"] += 1
            s["false"] += verdict not in MACHINE
            names["(not struck) " + verdict] += 1
    s["listed"] = len(report["misses"])
    s["hit"] = sum(1 for row in truth.values() if row[3] != "-")
    return s, names


def show(fault, s, names):
    share = 100 * s["right"] / s["struck"] if s["struck"] else 0
    explained = 100 * s["explained_ns"] / s["late_ns"] if s["late_ns"] else 100
    print(f"# {fault:13} struck {s['hit']:4}  late {s['struck']:4}  right {s['right']:4} "
          f"({share:5.1f} %)  other late {s['other']:3}, falsely blamed {s['false']:2}  "
          f"explained {explained:5.1f} %  {dict(names)}")


def main():
    words = sys.argv[1:]
    quick = "--quick" in words
    cycles = int(words[words.index("--cycles") + 1]) if "--cycles" in words else 1600
    chosen = [w for w in words[2:] if w in RIGHT]
    faults = chosen or (["compute", "silent-sleep"] if quick else list(RIGHT))
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        for i, fault in enumerate(faults, 1):
            report, truth = run(words[0], words[1], fault, 200 if quick else cycles, folder)
            s, names = score(fault, report, truth)
            show(fault, s, names)
            good = s["sums"] == s["struck"] + s["other"]
            if fault != "none" and s["struck"]:
                good = good and s["right"] > 0 if quick else good and s["right"] >= 0.9 * (
                    s["struck"] - s["machine"])
            bad += not good
            print(("ok" if good else "not ok"), i, "-", fault)
    print(f"1..{len(faults)}")
    return 1 if bad else 0


sys.exit(main())
