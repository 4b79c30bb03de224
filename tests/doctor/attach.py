#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`tactus doctor --pid` on a running program that listens, and the verdicts in an export.

usage: attach.py TACTUS PROVE_TARGET
"""
import json
import os
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


def main():
    tactus, target = sys.argv[1:3]
    cases = []
    with tempfile.TemporaryDirectory() as folder:
        recording, export = os.path.join(folder, "run.tac"), os.path.join(folder, "run.pftrace")
        run = record(tactus, target, recording)
        own = sum(m["verdicts"][0]["rule"] == "own_work" for m in run["misses"])
        cases.append(("a running program is judged", run["judged"] > 100 and own >= 5))
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
                      missing.returncode == 3 and len(errors) == 1 and b"4194303" in errors[0]))
    for i, (name, good) in enumerate(cases, 1):
        print(f"{'ok' if good else 'not ok'} {i} - {name}")
    print(f"1..{len(cases)}")
    return 0 if all(good for _, good in cases) else 1


sys.exit(main())
