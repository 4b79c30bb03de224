#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every command, the ones to come too: its manual, and its answer to wrong usage.

usage: cli_usage.py TACTUS    Prints TAP. What is asked of each command: --help prints a man page and
exits 0; an unknown option, a missing value and too many arguments give exit 2 and one line on
standard error that begins with the command's name.
"""
import json
import os
import subprocess
import sys
import tempfile

from tap import end, ok

TACTUS = sys.argv[1]


def run(*arguments):
    return subprocess.run([TACTUS, *arguments], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, check=False)


def one_line(result, code, start):
    lines = result.stderr.splitlines()
    return (result.returncode == code and len(lines) == 1 and lines[0].startswith(start)
            and not result.stdout)


def overview():
    result = run("--help")
    names = [line.split()[0] for line in result.stdout.splitlines()
             if line.startswith("  ") and not line.startswith("  tactus")]
    ok(result.returncode == 0 and names, "overview lists the commands", result.stdout)
    result = run()
    ok(result.returncode == 2 and "usage:" in result.stderr, "no command shows the usage")
    result = run("no-such-command")
    ok(one_line(result, 2, "tactus: unknown command"), "unknown command is one line", result.stderr)
    result = run("--version")
    ok(result.returncode == 0 and result.stdout.startswith("tactus "), "version", result.stdout)
    return names


def check_command(name):
    page = run(name, "--help")
    ok(page.returncode == 0 and all(word in page.stdout for word in
                                    ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS")),
       f"{name} --help is a manual page", page.stdout + page.stderr)
    longest = max(len(line) for line in page.stdout.splitlines())
    ok(longest <= 80, f"{name} --help fits a terminal", f"{longest} columns")
    result = run(name, "--no-such-option")
    ok(one_line(result, 2, f"tactus {name}: "), f"{name} refuses an unknown option", result.stderr)
    valued = [line.split()[-2].lstrip("-") for line in page.stdout.splitlines()
              if line.startswith("    ") and "--" in line and len(line.split()) in (2, 3)
              and line.split()[-2].startswith("--")]
    if valued:
        result = run(name, "--" + valued[0])
        ok(one_line(result, 2, f"tactus {name}: "), f"{name} --{valued[0]} without a value",
           result.stderr)


def refuse_harm():
    """What is no plain file is never removed, and a heap that cannot be is never started."""
    with tempfile.TemporaryDirectory() as folder:
        pipe, sock = os.path.join(folder, "pipe"), os.path.join(folder, "precious")
        os.mkfifo(pipe)
        for command in (["run", "--record", pipe, "--", "true"], ["run", "--record", folder, "--", "true"]):
            result = run(*command)
            ok(one_line(result, 3, "tactus run: ") and os.path.exists(command[2]),
               "run --record refuses a pipe or a folder and leaves it", result.stderr)
        result = run("info", pipe)
        ok(one_line(result, 3, "tactus info: "), "a pipe is no recording, and not waited for", result.stderr)
        with open(sock, "w", encoding="ascii") as file:
            file.write("mine")
        run("capture", "-o", os.path.join(folder, "r.tac"), "--seconds", "1", f"--listen=unix:{sock}")
        ok(os.path.exists(sock), "capture --listen leaves a file that is no socket")
    for size in ("abc", "0", "1000T", "99999999999999999999G"):
        result = run("run", "--size", size, "--", "true")
        ok(one_line(result, 2, "tactus run: --size"), f"run --size {size}", result.stderr)
    full = os.open("/dev/full", os.O_WRONLY)  # makes no file where there is no such device
    for words in (["help"], ["--version"], ["run", "--help"], ["blocks", "--html"]):
        result = subprocess.run([TACTUS, *words], stdout=full, stderr=subprocess.PIPE, text=True,
                                timeout=60, check=False)
        ok(result.returncode == 3 and len(result.stderr.splitlines()) == 1,
           f"{' '.join(words)} tells that its output was lost", result.stderr)
    os.close(full)


def doctor_passes_nothing_over():
    """Options that mean nothing together, and outputs that would be written over each other."""
    with tempfile.TemporaryDirectory() as folder:
        same = os.path.join(folder, "same")
        for words in (["--setup", "--html", same], ["--setup", "recording"], ["--prove", "-o", same, "--", "true"],
                      ["--prove", "--html", same, "--", "true"], ["--prove", "--heap=tactus", "--", "true"],
                      ["--pid", "1", "--prove"], ["--heap", "nonsense", "recording"], ["--seconds", "1", "recording"],
                      ["--rounds", "2", "recording"], ["-o", same, "recording"], ["--rounds", "2", "--", "true"],
                      ["--prove", "recording"], ["--samples", "recording"]):
            result = run("doctor", *words)
            ok(one_line(result, 2, "tactus doctor: "), f"doctor {' '.join(words)}", result.stderr)
        with open(same, "w", encoding="ascii") as file:
            file.write("mine")
        new = os.path.join(folder, "new")
        for words in (["-o", same, "--html", same, "--", "true"], ["-o", new, "--html", folder + "/./new", "--", "true"],
                      ["--html", same, "--", same], ["-o", same, "--pid", "1", "--html", same]):
            result = run("doctor", *words)
            ok(one_line(result, 3, "tactus doctor: ") and "written over" in result.stderr, f"doctor {' '.join(words)}",
               result.stderr)
        with open(same, encoding="ascii") as file:
            ok(file.read() == "mine" and not os.path.exists(new), "what would be written over is as it was")
    result = run("doctor", "--setup")
    lines = result.stdout.splitlines()
    ok(result.returncode in (0, 1) and "scheduling class" in result.stdout and "kernel preemption" in result.stdout and
       sum(line.startswith("mend") for line in lines) == sum(line.startswith("      do: ") for line in lines),
       "doctor --setup: what is to be mended has its command", result.stdout)
    findings = json.loads(run("doctor", "--setup", "--json").stdout)["findings"]
    ok([f["fact"] for f in findings] == [line[6:] for line in lines if not line.startswith("      do: ")],
       "doctor --setup --json says the same", findings)
    ok(all(bool(f["do"]) == (f["state"] == "mend") for f in findings), "and a command for each that is to be mended", findings)
    result = run("doctor", "--setup", "-q")
    ok(result.returncode in (0, 1) and not result.stdout + result.stderr, "doctor --setup -q prints nothing")


refuse_harm()
doctor_passes_nothing_over()
for command in overview():
    check_command(command)
sys.exit(end())
