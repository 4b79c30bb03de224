#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`tactus doctor --prove` on small programs with one defect each: what cures and what does not.

usage: prove.py TACTUS PROVE_TARGET SCHEMA

The programs miss the same cycles in every run by what they do, so the conclusions hold on a busy
machine; a case whose machine stalled too often is tried once more.
"""
import glob
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

from json_schema import check_schema

CASES = [  # defect, setting, cause, results that are right
    ("touch", "mlockall", "fault_minor", {"cured"}),
    ("heap", "heap", "fault_minor heap_work", {"cured"}),
    ("compute", "heap", "own_work", {"not_cured"}),
    ("denormal", "ftz", "denormals", {"cured", "others_grew"}),
    ("clean", "thp", None, {"nothing_to_prove"}),
    ("huge", "thp", "fault_huge fault_minor", {"cured", "others_grew"}),  # 4 KiB pages may be dear, too
    ("rival", "priority", "wrong_setup preempted late_wake", {"cured"}),
    ("arena", "MALLOC_ARENA_MAX", "heap_lock heap_work", {"cured"}),
]


def prove(tactus, target, defect, setting):
    words = [tactus, "doctor", "--json", "--prove=" + setting, "--rounds", "2", "--", target, defect,
             "120", "1500" if defect == "touch" else "3000"]
    environment = dict(os.environ)
    environment.pop("MALLOC_PERTURB_", None)  # it would have malloc touch all of a block
    if setting == "MALLOC_ARENA_MAX":
        environment["MALLOC_ARENA_MAX"] = "1"  # what the setting undoes
    result = subprocess.run(words, capture_output=True, timeout=60, env=environment)
    if b"limit of locked memory" in result.stderr:
        return None, result.returncode
    if result.returncode not in (0, 1):
        raise RuntimeError(result.stderr.decode())
    return json.loads(result.stdout), result.returncode


def is_ended(tactus, target, number):
    """A signal ends the proof and not one run alone, without a verdict."""
    with tempfile.TemporaryDirectory() as folder:
        with subprocess.Popen([tactus, "doctor", "--prove=thp", "--rounds", "9", "--", target, "clean", "100000"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
                              env=dict(os.environ, TMPDIR=folder)) as child:
            recordings = os.path.join(folder, "*", "recording")
            while child.poll() is None and not glob.glob(recordings):
                time.sleep(.05)
            os.killpg(child.pid, number)
            out, err = child.communicate(timeout=60)
        return (child.returncode == 128 + number and not out and "nothing is said" in err
                and not os.listdir(folder))


def why_not(setting):
    """What this machine does not have."""
    if setting == "priority" and os.geteuid() != 0:
        return "real-time priority needs privilege"
    try:
        with open("/sys/kernel/mm/transparent_hugepage/enabled", encoding="ascii") as file:
            return "the kernel makes no huge pages" if setting == "thp" and "[never]" in file.read() else None
    except OSError:
        return "the kernel knows no huge pages" if setting == "thp" else None


def why_skip(proof):
    """Without real-time priority other programs may be the main cause."""
    if proof is None:
        return "this user may not lock that much memory, or have that priority"
    if proof["cause"] == "kernel_busy":
        return "other programs keep the machine in the kernel"
    if proof["cause"] in ("preempted", "late_wake", "wrong_setup") and os.geteuid() != 0:
        return "no real-time priority, and the machine is busy"
    return None


def check(proof, status, cause, right, schema):
    good = not check_schema(proof, schema) and proof["result"] in right and status == (proof["result"] not in ("cured", "nothing_to_prove"))
    if cause is not None:
        named = [c for c in proof["causes"] if c["rule"] == proof["cause"]]
        good = good and proof["cause"] in cause.split() and len(named) == 1
        if good and "not_cured" not in right:
            good = named[0]["fell_tenfold"] and named[0]["apart"]
    return good


def main():
    tactus, target = sys.argv[1:3]
    with open(sys.argv[3], encoding="utf-8") as file:
        schema = json.load(file)
    bad = 0
    for i, (defect, setting, cause, right) in enumerate(CASES, 1):
        if why_not(setting):
            print(f"ok {i} - {setting} on {defect} # SKIP {why_not(setting)}")
            continue
        for _ in range(3):
            proof, status = prove(tactus, target, defect, setting)
            skip = why_skip(proof)
            good = skip is not None or check(proof, status, cause, right, schema)
            if good and (skip is None or proof is None):
                break
        bad += not good
        print(f"{'ok' if good else 'not ok'} {i} - {setting} on {defect}" + (f" # SKIP {skip}" if skip else ""))
        if not good:
            print("#", json.dumps(proof), check_schema(proof, schema))
    result = subprocess.run([tactus, "doctor", "--prove=nonsense", "--", "true"], capture_output=True)
    good = result.returncode == 2 and b"mlockall" in result.stderr and result.stderr.count(b"\n") == 1
    bad += not good
    print(f"{'ok' if good else 'not ok'} {len(CASES) + 1} - an unknown setting is refused with the list")
    good = is_ended(tactus, target, signal.SIGINT)
    bad += not good
    print(f"{'ok' if good else 'not ok'} {len(CASES) + 2} - Ctrl-C ends all of it")
    print(f"1..{len(CASES) + 2}")
    return 1 if bad else 0


sys.exit(main())
