#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the watch library costs a program: one program, started in turn without it and with it.

usage: bench_watch.py LOOP LIBRARY

  alone      the program as it is
  preloaded  the library in front of it, nothing recorded (what `tactus demo` and --prove compare)
  recorded   a session on; heap operations outside cycles are recorded, too, and cycles and
             the thread's accounts (two system calls in one cycle of eight) end in the recording

The least of five starts of each, and the difference to the first.
"""
import os
import subprocess
import sys
import tempfile

ROUNDS = 5


def start(loop, library, words, arguments):
    environment = dict(os.environ)
    if words is not None:
        environment.update(LD_PRELOAD=library, TACTUS_WATCH=words)
    out = subprocess.run([loop, *arguments], env=environment, capture_output=True, text=True, check=True,
                         timeout=60).stdout
    return [float(x) for x in out.split()]


def main():
    loop, library = sys.argv[1:3]
    best = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(ROUNDS):
            path = os.path.join(folder, "recording")
            for name, words, arguments in (("alone", None, []), ("preloaded", "heap=system", []),
                                           ("recorded", f"heap=system,record={path}", ["record"])):
                figures = start(loop, library, words, arguments)
                best[name] = [min(a, b) for a, b in zip(figures, best.get(name, figures))]
                if os.path.exists(path):
                    os.unlink(path)
    alone = best["alone"][0]
    for name, (heap, cycle) in best.items():
        line = f"{name:10} malloc + free {heap:6.1f} ns"
        if name != "alone":
            line += f" (+{heap - alone:.1f}, that is +{(heap - alone) / 2:.1f} a call)"
        if cycle:
            line += f"; a cycle +{cycle:.0f} ns"
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
