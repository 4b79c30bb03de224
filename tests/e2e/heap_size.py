#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tactus size: the advice follows from what the program is known to use.

usage: heap_size.py TACTUS VICTIM    Prints TAP. The victim is tests/mem/heap_victim.c, "sizes".
"""
import json
import subprocess
import sys

from tap import end, ok

TACTUS, VICTIM = sys.argv[1:3]
MIB = 1 << 20


def size(*arguments):
    return subprocess.run([TACTUS, "size", *arguments], capture_output=True, text=True, timeout=60,
                          check=False)


def one_line(result, code, words):
    return (result.returncode == code and len(result.stderr.splitlines()) == 1
            and words in result.stderr and not result.stdout)


result = size("--json", "--", VICTIM, "sizes")
page = json.loads(result.stdout or "{}")
ok(page["format"] == "tactus-size-1" and page["ended"]
   and 20 * MIB <= page["taken_peak_bytes"] < 22 * MIB
   and 25 * MIB <= page["arena_bytes"] < 29 * MIB and page["largest_bytes"] == MIB,
   "the arena for a known peak", result.stdout + result.stderr)
voices = [s for s in page["sites"] if s["object_bytes"] == 333]
ok(len(voices) == 1 and voices[0]["live_peak"] == 10 and voices[0]["allocations"] == 1000
   and voices[0]["advised"] == 13 and ("take_voices" in voices[0]["place"]
                                       or "heap_victim" in voices[0]["place"]),
   "objects that come and go", page["sites"])
pools = {p["name"]: p for p in page["pools"]}
ok(pools["large"]["used_peak"] == 8 and pools["large"]["advised"] == 11
   and pools["small"]["failures"] == 3, "pools, also one that ended before", page["pools"])
result = size("--verify", "--margin", "10", "--", VICTIM, "sizes")
ok(result.returncode == 0 and "verified" in result.stderr and "size=" in result.stdout,
   "the advice is verified", result.stdout + result.stderr)
result = size("--json", VICTIM, "sizes", "abort")
page = json.loads(result.stdout or "{}")
ok(not page["ended"] and page["taken_peak_bytes"] >= 20 * MIB and "134" in result.stderr,
   "a crash leaves its record", result.stdout + result.stderr)
result = size("--verify", "--margin", "0", "--", VICTIM, "aligned")
ok(result.returncode == 0 and "verified" in result.stderr and "its end" not in result.stdout,
   "room for aligned blocks, in a program that ends by _exit", result.stdout + result.stderr)
page = json.loads(size("--json", "--", VICTIM, "become").stdout or "{}")
ok(page["ended"] and page["taken_peak_bytes"] < 22 * MIB,
   "a program that another became is counted alone", page)
result = subprocess.run([TACTUS, "run", "--", VICTIM, "aligned"], capture_output=True, text=True,
                        timeout=60, check=False)
ok(result.returncode == 0 and result.stderr.count("tactus: heap of heap_victim") == 1,
   "statistics of a program that ends by _exit", result.stderr)
ok(one_line(size("--", "/no/such/program"), 3, "/no/such/program"), "no such program")
ok(one_line(size("--margin", "x", "true"), 2, "--margin"), "a wrong margin")
result = subprocess.run([TACTUS, "run", "--heap", "system", "--size", "1G", "--", "true"],
                        capture_output=True, text=True, timeout=60, check=False)
ok(one_line(result, 2, "--heap tactus"), "a size for the system's heap")
sys.exit(end())
