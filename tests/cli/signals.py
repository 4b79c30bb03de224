#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Signals reach a program that runs under tactus once: when sent to tactus alone, to the whole group
as Ctrl-C does, to both as timeout(1) does, and two of them in a row.

usage: signals.py TACTUS    Prints TAP.
"""
import os
import signal
import subprocess
import sys
import time

COUNTER = """
import signal, sys, time
got = []
def handler(number, frame):
    got.append(number)
    time.sleep(0.3)
for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
    signal.signal(s, handler)
print("ready", flush=True)
end = time.monotonic() + 10
while not got and time.monotonic() < end:
    time.sleep(0.05)
time.sleep(0.5)
print(len(got), flush=True)
"""


def to_tactus(pid, number):
    os.kill(pid, number)


def to_group(pid, number):
    os.killpg(pid, number)


def as_timeout(pid, number):
    os.kill(pid, number)
    os.killpg(pid, number)


def two_to_group(pid, number):
    os.killpg(pid, number)
    time.sleep(0.03)
    os.killpg(pid, signal.SIGHUP)


def sent_at_once(send, pid, number):
    """False when the sender was held up between its two signals: then they are two."""
    begin = time.monotonic()
    send(pid, number)
    return time.monotonic() - begin < 0.1


def count(tactus, send, number):
    """What the program printed first and last, its exit status, and whether the case was made."""
    child = subprocess.Popen([tactus, "run", "--heap=system", "--", sys.executable, "-c", COUNTER],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             start_new_session=True)
    try:
        first = child.stdout.readline()
        time.sleep(0.1)
        made = sent_at_once(send, child.pid, number)
        rest = child.communicate(timeout=30)[0]
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
    return first.strip(), rest.strip(), child.returncode, made


def main():
    cases = [(send, number) for send in (to_tactus, to_group, as_timeout)
             for number in (signal.SIGINT, signal.SIGTERM)] + [(to_group, signal.SIGQUIT), (two_to_group, signal.SIGINT)]
    print(f"1..{len(cases)}")
    bad = 0
    for i, (send, number) in enumerate(cases, 1):
        made = False
        while not made:
            first, rest, status, made = count(sys.argv[1], send, number)
        wanted = "2" if send == two_to_group else "1"
        good = first == "ready" and rest == wanted and status == 0
        bad += not good
        if not good:
            print(f"# {first!r} {rest!r} {status}")
        times = "once" if wanted == "1" else "and another, each once"
        print(f"{'ok' if good else 'not ok'} {i} - {signal.Signals(number).name} {send.__name__} "
              f"arrives {times}", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
