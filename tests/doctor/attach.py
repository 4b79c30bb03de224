#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`tactus doctor --pid` on a running program that listens, the verdicts in an export, and a program
that is ended by force.

usage: attach.py TACTUS PROVE_TARGET [--no-preload]
"""
import json
import os
import signal
import subprocess
import sys
import tempfile
import time


def record(tactus, target, recording):
    env = dict(os.environ, TACTUS_RECORD="listen:")
    with subprocess.Popen([target, "compute", "3000"], env=env) as program:
        try:
            for _ in range(20): # until it listens
                result = subprocess.run([tactus, "doctor", "--json", "--pid", str(program.pid), "-s", "1.2",
                                         "-o", recording], capture_output=True, timeout=60)
                if result.returncode <= 1:
                    return json.loads(result.stdout)["runs"][0]
                time.sleep(.1)
        finally:
            program.kill()
    raise RuntimeError(result.stderr.decode())


def listen_again():
    """What a shell starts in the background ignores it, and all below that."""
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)


def send(child, number):
    os.killpg(child.pid, number)
    time.sleep(.3)


def end_by_force(tactus, target, recording):
    """What is told of a program that ignores Ctrl-C and gets Ctrl-\\; None: Ctrl-C had ended it."""
    words = ["sh", "-c", 'ulimit -c 0; trap "" INT; exec "$0" "$@"', target, "compute", "30000"]
    with subprocess.Popen([tactus, "doctor", "--json", "-o", recording, "--", *words],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
                          preexec_fn=listen_again) as child:
        try:
            while child.poll() is None and not os.path.exists(recording):
                time.sleep(.05)
            time.sleep(1)
            send(child, signal.SIGINT)
            ended = child.poll() is not None
            send(child, signal.SIGQUIT)
            told = json.loads(child.communicate(timeout=60)[0])
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
    return None if ended else told["runs"][0]


def main():
    tactus, target = sys.argv[1:3]
    cases = []
    with tempfile.TemporaryDirectory() as folder:
        recording, export = os.path.join(folder, "run.tac"), os.path.join(folder, "run.pftrace")
        run = record(tactus, target, recording)
        own = sum(m["verdicts"][0]["rule"] == "own_work" for m in run["misses"])
        cases.append(("a running program is judged", run["judged"] > 100 and own >= 5))
        if not cases[0][1]:
            print("#", run["judged"], "judged:", [m["verdicts"][0]["rule"] for m in run["misses"]])
        subprocess.run([tactus, "export", recording, "-o", export], check=True, timeout=60)
        with open(export, "rb") as file:
            said = file.read().count(b"late by ")
        cases.append(("each miss has a span in the export", 0 < said <= len(run["misses"])))
        subprocess.run([tactus, "export", "--no-verdicts", recording, "-o", export], check=True, timeout=60)
        with open(export, "rb") as file:
            cases.append(("they can be left out", b"late by " not in file.read()))
        missing = subprocess.run([tactus, "doctor", "--pid", "4194303", "-o", recording],
                                 capture_output=True)
        errors = missing.stderr.splitlines()
        cases.append(("no such process is told in one line",
                      missing.returncode == 3 and len(errors) == 1 and errors[0].endswith(b"there is no process 4194303")))
        name = "what Ctrl-\\ ends is judged"
        if "--no-preload" in sys.argv:
            cases.append((name + " # SKIP a sanitizer must be loaded first", True))
        else:
            told = end_by_force(tactus, target, os.path.join(folder, "force.tac"))
            cases.append((name, told is not None and told["judged"] > 10))
    for i, (name, good) in enumerate(cases, 1):
        print(f"{'ok' if good else 'not ok'} {i} - {name}")
    print(f"1..{len(cases)}")
    return 0 if all(good for _, good in cases) else 1


sys.exit(main())
