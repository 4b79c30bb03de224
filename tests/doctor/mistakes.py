#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`tactus doctor -- PROGRAM` on programs with one mistake each: its cause is named, and who or where.

usage: mistakes.py TACTUS MISTAKES PLUGIN [--quick]
"""
import json
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.geteuid() == 0
# mistake, causes that name it, what one of its sentences must say, the function that is to blame (or None)
CASES = [
    ("meter", "blocking_call", r"\d+ calls took \d+ us, the longest f\w+|slept in f\w+", "read_file"),
    ("tree", "fault_minor fault_huge", r"page faults.* in walk_tree|huge page", None),
    ("player", "blocking_call", r"pthread_cond_wait.*thread decoder.* wakes it", None),
    ("tables", "lock_hold lock_inversion", r"held by thread updater .*update_tables", "tables_cycle"),
    ("control", "preempted", r"thread control .*real-time" if ROOT else "", None),
    ("host", "blocked blocking_call", r"lock.*thread scanner .*ended it|dlsym" if ROOT else "", None),
    ("collector", "blocking_call signal", r"sigsuspend|signal", "stand_still"),
    ("tracker", "blocked", r"message queue.*thread tracker .*ended it" if ROOT else "", None),
]
QUICK = {"meter", "player", "tables"}


def judge(tactus, words, folder):
    result = subprocess.run([tactus, "doctor", "--json", "-o", os.path.join(folder, "run.tac"), "--", *words],
                            capture_output=True, timeout=60)
    if result.returncode > 1:
        raise RuntimeError(result.stderr.decode())
    return json.loads(result.stdout)["runs"][0]


def blamed(run, verdict):
    if verdict["place"] is None:
        return None
    place = run["places"][verdict["place"]]
    return None if place["blame"] is None else place["frames"][place["blame"]]["function"]


def is_named(run, causes, sentence, function):
    """Most late cycles that the machine did not make late have the cause; one says all that is known."""
    tops = [m["verdicts"][0] for m in run["misses"]]
    ours = [v for v in tops if v["rule"] in causes.split()]
    others = [v for v in tops if v not in ours and v["rule"] not in ("hypervisor", "late_wake", "kernel_busy", "upstream")]
    return (len(ours) >= 3 and len(ours) > len(others) and any(re.search(sentence, v["text"]) for v in ours) and
            (function is None or any((blamed(run, v) or "").startswith(function) for v in ours)))


def main():
    tactus, program, plugin = sys.argv[1:4]
    cases = [c for c in CASES if "--quick" not in sys.argv or c[0] in QUICK]
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        for i, (mistake, causes, sentence, function) in enumerate(cases, 1):
            for _ in range(3):  # a busy machine may be late for its own reasons
                run = judge(tactus, [program, mistake, plugin], folder)
                good = is_named(run, causes, sentence, function)
                if good:
                    break
            bad += not good
            print(f"{'ok' if good else 'not ok'} {i} - {mistake} is {causes}")
            if not good:
                for miss in run["misses"][:12]:
                    top = miss["verdicts"][0]
                    print("#", miss["late_ns"], top["rule"], blamed(run, top), top["text"])
    print(f"1..{len(cases)}")
    return 1 if bad else 0


sys.exit(main())
