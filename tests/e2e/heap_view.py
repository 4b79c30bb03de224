#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tactus heap: what a running program's heap looks like from outside.

usage: heap_view.py TACTUS VICTIM    Prints TAP. The victim (tests/mem/heap_victim.c) has a known
heap; it is looked at while it is stopped by a signal, which shows that it takes no part.
"""
import json
import os
import re
import signal
import subprocess
import sys
import time

from tap import end, ok

TACTUS, VICTIM = sys.argv[1:3]


class Victim:
    def __init__(self, *arguments, **environment):
        self.process = subprocess.Popen([VICTIM, *arguments], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, **environment})
        self.process.stdout.readline()
        self.pid = str(self.process.pid)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.close()
        self.process.wait(timeout=20)
        self.process.stdout.close()


def heap(*arguments, **more):
    return subprocess.run([TACTUS, "heap", *arguments], capture_output=True, text=True, timeout=60,
                          check=False, **more)


def refusal(result, code, words):
    lines = result.stderr.splitlines()
    return (result.returncode == code and len(lines) == 1 and words in lines[0]
            and not result.stdout)


def steady():
    with Victim("steady", TACTUS_HEAP="size=64M,lock=no,low=1M") as victim:
        victim.process.send_signal(signal.SIGSTOP)
        result = heap(victim.pid, "--json")
        if "may not be looked at" in result.stderr:
            ok(True, "a stopped program's heap is read", skip="processes may not be looked at here")
            return
        page = json.loads(result.stdout)
        pool = page["pools"][0] if page["pools"] else {}
        holders = [t for t in page["threads"] if t["name"] == "holder" and t["running"]]
        ok(page["format"] == "tactus-heap-1" and page["arena_bytes"] == 64 << 20
           and page["large_bytes"] >= 5 << 20 and page["low_bytes"] == 1 << 20,
           "a stopped program's heap is read", result.stdout[:2000])
        ok(pool.get("name") == 'voi"ces' and pool["used"] == 3 and pool["count"] == 64, "its pools",
           page["pools"])
        ok(len(holders) == 1 and 4000000 <= holders[0]["live_bytes"] < 5000000
           and os.path.exists(f"/proc/{victim.pid}/task/{holders[0]['tid']}"),
           "its threads by name and number", page["threads"])
        of_4000 = [c for c in page["classes"] if c["block_bytes"] == 4096]
        # a thread's first block of this size may be a unit that was kept for it, which is of no class
        ok(of_4000 and 999 <= of_4000[0]["live_blocks"] <= 1016, "its classes", page["classes"])
        cells = page["map"]["cells"]
        ok(sum(c[1] for c in cells) == page["large_bytes"]
           and sum(c[0] + c[1] for c in cells) <= page["taken_bytes"]
           and sum(c[0] for c in cells) == sum(c["held_bytes"] for c in page["classes"]),
           "its map adds up")
        ok(page["violations"] == 2, "calls in forbidden scopes", page["violations"])
        metrics(victim)
        result = heap(victim.pid, "--once")
        ok(result.returncode == 0 and "heap_victim" in result.stdout and "map" in result.stdout
           and "holder" in result.stdout, "the page for the terminal", result.stdout)


def metrics(victim):
    result = heap(victim.pid, "--prometheus")
    line = re.compile(r'[a-z_]+\{pid="\d+",heap="\d+",program="[^"]*"'
                      r'(,index="\d+",pool="(\\.|[^"\\])*")?\} -?[0-9.e+-]+$')
    bad = [l for l in result.stdout.splitlines() if not l.startswith("# ") and not line.match(l)]
    kinds = re.findall(r"^# TYPE (\S+)", result.stdout, re.M)
    ok(result.returncode == 0 and not bad and len(kinds) == len(set(kinds)) > 15,
       "metrics have the form of Prometheus", bad or kinds)


def sites():
    with Victim("busy") as victim:
        result = heap(victim.pid, "--sites", "--json", "--interval", "0.5")
        page = json.loads(result.stdout or "{}")
        top = page.get("sites", [])
        ok(top and top[0]["samples"] > 10 and ("busy_function" in top[0]["place"]
                                               or "heap_victim" in top[0]["place"]),
           "call sites are sampled on demand", result.stdout[-1500:] + result.stderr)
        after = json.loads(heap(victim.pid, "--sites", "--json", "--interval", "0.1").stdout)
        ok(after["sites"] and after["samples_lost"] < 10000, "and again")


def refusals():
    ok(refusal(heap("nonsense"), 2, "not the number of a process"), "no number")
    ok(refusal(heap("-5"), 2, "unknown option"), "a negative number")
    ok(refusal(heap("4194304000"), 2, "not the number"), "too large a number")
    ok(refusal(heap("4194300"), 3, "no such process"), "no such process")
    with subprocess.Popen(["sleep", "60"]) as other:
        ok(refusal(heap(str(other.pid)), 3, "does not run on the Tactus heap"), "not our heap")
        other.kill()
    if os.geteuid() == 0:
        with Victim("steady") as victim:
            result = heap(victim.pid, user=65534, group=65534, extra_groups=[])
            ok(refusal(result, 3, "may not be looked at"), "no permission", result.stderr)
    else:
        result = heap("1")
        ok(refusal(result, 3, "may not be looked at"), "no permission", result.stderr)


def hostile(kind):
    bad = []
    for seed in range(20):
        with Victim(kind, str(seed), TACTUS_HEAP="size=8M,lock=no,threads=64") as victim:
            time.sleep(0.03)
            result = heap(victim.pid, "--once" if seed % 4 < 2 else "--json")
            if result.returncode not in (0, 3) or len(result.stderr.splitlines()) > 1:
                bad.append((seed, result.returncode, result.stderr))
    ok(not bad, f"a {kind} heap does no harm", bad)


steady()
sites()
refusals()
hostile("hostile")
hostile("garbled")
sys.exit(end())
