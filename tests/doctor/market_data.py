#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The example of a deadline that is not audio: each mistake of the message handler is named, and of
the computation the function, where perf events are permitted.

usage: market_data.py TACTUS MARKET_DATA
"""
import json
import os
import subprocess
import sys
import tempfile

# On a busy machine the thread that holds the lock is pre-empted meanwhile: then that is the cause.
CASES = [("sort", ["own_work"], "compare_prices"), ("lock", ["lock_hold", "lock_inversion"], "report_risk"),
         ("log", ["blocking_call"], "fdatasync"), ("heap", ["heap_work"], None)]


def judge(tactus, program, mistake, folder):
    words = [tactus, "doctor", "--samples", "--json", "-o", os.path.join(folder, "run.tac"), "--", program, mistake,
             "500"]
    result = subprocess.run(words, capture_output=True, timeout=60)
    if result.returncode > 1:
        raise RuntimeError(result.stderr.decode())
    return json.loads(result.stdout)["runs"][0]


def may_sample(tactus, folder):
    info = subprocess.run([tactus, "info", os.path.join(folder, "run.tac")], capture_output=True, timeout=60)
    return b"evidence.samples each" in info.stdout


def is_named(run, causes, word):
    misses = [m for m in run["misses"] if m["verdicts"][0]["rule"] in causes]
    wide = [m for m in run["misses"] if m["verdicts"][0]["rule"] not in ("hypervisor", "late_wake")]
    said = word is None or any(word in v["text"] for m in misses for v in m["verdicts"])
    return len(misses) >= 5 and len(misses) * 2 > len(wide) and said


def main():
    tactus, program = sys.argv[1:3]
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        for i, (mistake, causes, word) in enumerate(CASES, 1):
            for _ in range(3):
                run = judge(tactus, program, mistake, folder)
                if mistake == "sort" and not may_sample(tactus, folder):
                    word = None
                good = is_named(run, causes, word)
                if good:
                    break
            bad += not good
            print(f"{'ok' if good else 'not ok'} {i} - {mistake} is {causes[0]}")
            if not good:
                print("#", json.dumps(run["causes"])[:600])
    print(f"1..{len(CASES)}")
    return 1 if bad else 0


sys.exit(main())
