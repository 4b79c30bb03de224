#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`tactus run` on an unmodified program, on both heaps, with and without a recording.

usage: run.py TACTUS VICTIM    Prints TAP.
"""
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile

TACTUS, VICTIM = sys.argv[1], sys.argv[2]
count, failures = 0, 0


def run(*arguments, **more):
    return subprocess.run([TACTUS, "run", *arguments], capture_output=True, text=True, timeout=120,
                          stdin=subprocess.DEVNULL, check=False, **more)


def ok(good, name, result=None):
    global count, failures
    count += 1
    if not good:
        failures += 1
        if result is not None:
            print(f"# exit {result.returncode}\n# " + (result.stdout + result.stderr).replace("\n", "\n# "))
    print(f"{'ok' if good else 'not ok'} {count} - {name}", flush=True)


def lines(result):
    return result.stderr.splitlines()


well = "victim is well\n"
r = run("--", VICTIM)
ok(r.returncode == 0 and r.stdout == well and "heap of victim" in r.stderr and r.stderr.count("heap of") == 1,
   "the heap serves it and reports at the end", r)
r = run("--quiet", "--", VICTIM)
ok(r.returncode == 0 and r.stdout == well and not r.stderr, "quiet says nothing", r)
r = run("--size", "64M", "--", VICTIM)
ok(r.returncode == 0 and r.stdout == well, "a fixed arena serves it", r)
with tempfile.TemporaryDirectory() as folder:
    for heap in ("system", "tactus"):
        recording = os.path.join(folder, heap + ".tac")
        r = run("--quiet", "--heap", heap, "--record", recording, "--", VICTIM)
        ok(r.returncode == 3 and r.stdout == well and "nothing was recorded" in r.stderr,
           f"no stream, no recording, one line, on the {heap} heap", r)
r = run("--quiet", "--", "sh", "-c", "exit 7")
ok(r.returncode == 7, "the exit code is the program's", r)
r = run("--quiet", "--", "sh", "-c", "kill -9 $$")
ok(r.returncode == 128 + signal.SIGKILL, "a signal's end is told as a shell tells it", r)
r = run("--", "/nonexistent/program")
ok(r.returncode == 3 and len(lines(r)) == 1 and "no such program" in r.stderr,
   "a program that is not there is one line", r)
r = run("--", "/etc/passwd")
ok(r.returncode == 3 and len(lines(r)) == 1, "a file that is no program is one line", r)
r = run("--heap", "other", "--", VICTIM)
ok(r.returncode == 2 and len(lines(r)) == 1, "an unknown heap is one line", r)
r = run("--quiet", "--record", "/nonexistent/folder/x.tac", "--", VICTIM)
ok(r.returncode == 3 and len(lines(r)) == 1 and "cannot be written" in r.stderr,
   "an unwritable recording is one line", r)
r = run("--quiet", "--size", "nonsense", "--", VICTIM)
ok(r.returncode == 2 and len(lines(r)) == 1 and "size" in r.stderr, "a wrong size is named", r)


def without_interpreter(path):
    """A copy of a program whose header asks for no loader, as that of a static one."""
    with open(VICTIM, "rb") as file:
        data = bytearray(file.read())
    wide = data[4] == 2
    at = struct.unpack_from("<Q" if wide else "<I", data, 32 if wide else 28)[0]
    size, number = struct.unpack_from("<HH", data, 54 if wide else 42)
    for i in range(number):
        if struct.unpack_from("<I", data, at + i * size)[0] == 3:  # PT_INTERP
            struct.pack_into("<I", data, at + i * size, 0)
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, 0o755)


with tempfile.TemporaryDirectory() as folder:
    static = os.path.join(folder, "static")
    without_interpreter(static)
    r = run("--", static)
    ok(r.returncode == 3 and len(lines(r)) == 1 and "statically linked" in r.stderr,
       "a static program is not started, and one line says why", r)
    if os.geteuid() == 0:
        other = os.path.join(folder, "other")
        shutil.copy(VICTIM, other)
        os.chown(other, 65534, 65534)
        os.chmod(other, 0o4755)
        r = run("--", other)
        ok(r.returncode == 3 and len(lines(r)) == 1 and "setuid" in r.stderr,
           "a setuid program is not started, and one line says why", r)
    r = run("--quiet", "--", "env", "-i", VICTIM)
    ok(r.returncode == 0 and r.stdout == well, "a program with an empty environment runs", r)
print(f"1..{count}")
sys.exit(1 if failures else 0)
