#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each planted fault of memory is reported by the checked heap, with its call sites.

usage: debug_faults.py TACTUS PROGRAM    Prints TAP. PROGRAM is built from heap_faults.c.
"""
import re
import signal
import subprocess
import sys

TACTUS, PROGRAM = sys.argv[1:3]
count, failures = 0, 0

# Fault, does it end the program, words of the report in this order.
FAULTS = [
    ("overrun", True, "written to 0 bytes behind its end.*100 bytes.*allocate.*found at release"),
    ("overrun_unfreed", True, "written to 7 bytes behind its end.*100 bytes.*allocate"),
    ("underrun", True, "written to before its begin.*100 bytes.*allocate.*found at release"),
    ("double_free", True, "freed or resized again.*allocate.*freed at release.*found at double_free"),
    ("use_after_free", True, "used after it was freed, written at byte 5.*allocate.*freed at release"),
    ("use_after_free_seen_early", True, "used after it was freed.*allocate.*freed at release"),
    ("realloc_after_free", True, "freed or resized again.*freed at release.*found at realloc_after_free"),
    ("free_inside", True, "not the start of a block.*found at free_inside"),
    ("wrong_size", True, "a size that it does not have.*100 bytes.*found at wrong_size"),
    ("double_free_by_threads", True, "freed or resized again.*freed at .*found at release"),
    ("leak", False, "10000 bytes in 10 blocks are lost.*10000 bytes in 10 blocks, allocated at leak"),
    ("no_leak", False, None),
    ("clean", False, None),
]


def ok(good, name, detail=""):
    global count, failures
    count += 1
    if not good:
        failures += 1
        print("# " + detail.replace("\n", "\n# "))
    print(f"{'ok' if good else 'not ok'} {count} - {name}", flush=True)


for name, ends, words in FAULTS:
    run = subprocess.run([TACTUS, "run", "--debug", "--quiet", "--", PROGRAM, name], timeout=60,
                         capture_output=True, text=True, check=False)
    flat = run.stderr.replace("\n", " ")
    good = run.returncode == (128 + signal.SIGABRT if ends else 0)
    if words:
        good = good and re.search(words, flat)
    else:
        good = good and not run.stderr
    ok(bool(good), name, f"exit {run.returncode}\n{run.stderr}")
print(f"1..{count}")
sys.exit(1 if failures else 0)
