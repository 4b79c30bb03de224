#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counts the instructions that test_bound marks, where no processor's trap flag can: qemu-user runs one
instruction at a time and logs each, and the program's system calls between them.

usage: bound_logged.py TEST_BOUND          (the emulator is MESON_EXE_WRAPPER)

The program closes files -1000 and -1001 around a call, and then -1002 - kind to say what it was, each less
100 times the number of its thread (tests/mem/step.h). The empty call is told first; it is what the marks
cost, a call and a return. Instructions are logged by processor. Which one a thread has is told by what was
logged last when it marks something; where threads come between each other, most of its marks decide. Where
these deceive, or a race was lost, counts are too high: the program gets three tries.
"""
import os
import re
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

MARKS, THREADS, BEGIN, END, KINDS = 1000, 100, 0, 1, 2
CALL_AND_RETURN, RUNS = 2, 3
MARK = re.compile(rb"\d+ close\(-(\d{4,})\)")


def read(log, calls):
    """Appends (kind, thread, instructions of each processor) for each marked call, and returns the votes
    of each thread on its processor."""
    ran, votes, begin, last, processor = Counter(), {}, Counter(), Counter(), b""
    for line in log:
        if line.startswith(b"Trace "):
            processor = line[6:8]
            ran[processor] += 1
            continue
        match = MARK.match(line)
        if not match:
            continue
        thread, mark = divmod(int(match[1]) - MARKS, THREADS)
        votes.setdefault(thread, Counter())[processor] += 1
        if mark == BEGIN:
            begin = ran.copy()
        elif mark == END:
            last = ran - begin
        else:
            calls.append((mark - KINDS, thread, last))
    return votes


def judge(calls, votes):
    """Returns {kind: (calls, the most instructions)}."""
    empty, found = 0, {}
    for i, (kind, thread, ran) in enumerate(calls):
        n = ran[votes[thread].most_common(1)[0][0]]
        if i == 1:
            empty = n - CALL_AND_RETURN
        elif i > 1:
            times, most = found.get(kind, (0, 0))
            found[kind] = times + 1, max(most, n - empty)
    return found


def step_option(emulator):
    """What one instruction at a time is called there: qemu renamed it in 8.1."""
    text = subprocess.run([emulator, "-h"], text=True, check=False, capture_output=True).stdout
    return "-one-insn-per-tb" if "-one-insn-per-tb" in text else "-singlestep"


def run(command):
    """Returns the finished program and its counts."""
    out, into = os.pipe()
    calls = []
    options = [step_option(command[0]), "-d", "exec,nochain,strace", "-D", f"/dev/fd/{into}"]
    environment = dict(os.environ, TACTUS_STEP_LOG="1", LD_BIND_NOW="1")
    with ThreadPoolExecutor() as pool, os.fdopen(out, "rb") as log:
        votes = pool.submit(read, log, calls)
        done = subprocess.run(command[:1] + options + command[1:], pass_fds=[into], text=True,
                              check=False, env=environment, capture_output=True)
        os.close(into)
        return done, judge(calls, votes.result())


def main():
    emulator = os.environ.get("MESON_EXE_WRAPPER", "").split()
    if len(emulator) != 1 or "qemu" not in emulator[0]:
        print("1..0 # SKIP no emulator that logs instructions")
        return 0
    for left in range(RUNS - 1, -1, -1):
        done, found = run(emulator + sys.argv[1:])
        limits = re.findall(r"^# limit (\d+) (\d+) (.*)$", done.stdout, re.M)
        good = [0 < found.get(int(kind), (0, 0))[1] <= int(limit) for kind, limit, _ in limits]
        if all(good) or not left:
            break
    fine = done.returncode == 0 and limits
    print("ok 1 - program" if fine else "not ok 1 - program\n" + done.stdout + done.stderr)
    for i, (kind, limit, name) in enumerate(limits):
        times, n = found.get(int(kind), (0, 0))
        print(f"{'ok' if good[i] else 'not ok'} {i + 2} - {name}")
        print(f"# {name}: {times} calls, at most {n} instructions, {limit} allowed")
    print(f"1..{1 + len(limits)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
