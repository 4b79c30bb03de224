# SPDX-License-Identifier: MIT
"""An instrument under load for a long time: no late cycle but those that the machine below made.

usage: soak.py TACTUS EXAMPLES WITNESS [SECONDS]   (make test-soak; SECONDS: 1800, or TACTUS_SOAK_S)

A patch that takes about 70 % of a core at 48 kHz and 64 frames is played by the clock, streams a
sound file, and is edited once a second; files are written and read beside it, and the other cores
compute and allocate without a pause (all pinned). The size of the patch is found under that load:
cores that share caches or are halves of one make it cost half as much again. The doctor watches, and
a witness on each core: a thread of higher priority than the sound that sleeps to a grid (core_gaps.c).
A late cycle is

  the hypervisor's  by the doctor's verdict on evidence; or the witness of the sound's core was kept
                    waiting at that time for at least as long as the cycle was late, and the witness of
                    another core at the same time, too: all of the machine stood still;
  the kernel's      by the doctor's verdict (a section that is not pre-empted, interrupts); or the
                    witness of the sound's core alone was kept waiting: a thread of ours cannot do that,
                    but by taking all that the kernel lets real-time threads have (95 % of a second);
  ours              else. Carried-over lateness belongs to the cycle that it comes from.

Cycles of ours fail the test, and on a kernel that can be pre-empted everywhere the kernel's, too.
"""
import json
import math
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import audio_servers
from audio_servers import Skip, need, run

BLOCK, RATE, GOAL = 64, 48000, 70.0
CORE = min(os.sched_getaffinity(0))
KERNEL = ("kernel_busy", "interrupts", "softirq", "shootdown")
EXAMPLES = sys.argv.pop(2)
WITNESS = sys.argv.pop(2)
SECONDS = float(sys.argv.pop(2) if len(sys.argv) > 2 else os.environ.get("TACTUS_SOAK_S", 1800))


def patch(chains, edit=0):
    """Chains of sixteen channels each behind one streamed sound and one echo. The edit moves
    parameters, and adds and removes one node."""
    nodes = ["  strings: {block: player, file: strings.flac, loop: yes, level: 30 %}",
             "  echo: {block: delay, channels: 16, time: 300 ms, feedback: 40 %}"]
    cables = ["  - strings.out -> echo.in"]
    for i in range(chains):
        cutoff = 500 + 100 * ((edit + i) % 40)
        nodes += [f"  tone{i}: {{block: ladder, channels: 16, cutoff: {cutoff} Hz}}",
                  f"  grit{i}: {{block: shaper, channels: 16}}",
                  f"  body{i}: {{block: svf, channels: 16, cutoff: 2 kHz}}"]
        cables.append(f"  - echo -> tone{i} -> grit{i} -> body{i} -> output")
    if edit % 2:
        nodes.append("  extra: {block: sine, frequency: 440 Hz, level: 1 %}")
        cables.append("  - extra.out -> output[1]")
    return "\n".join(["name: soak", "output: 16", "nodes:", *nodes, "cables:", *cables, ""])


def play(tactus, path, seconds, *more):
    return [tactus, "play", str(path), "--seconds", str(seconds), "--block", str(BLOCK), "--rate",
            str(RATE), "--cpu", str(CORE), *more]


def load_of(tactus, path):
    output = run(play(tactus, path, 2), seconds=30).stdout
    return float(output.split("load ")[1].split(" %")[0])


def chains_for(tactus, path):
    """How many chains take the goal of a core. Caches make the cost of one grow with their number,
    so the estimate is made twice."""
    chains = 8
    for _ in range(3):
        path.write_text(patch(chains), encoding="utf-8")
        load = load_of(tactus, path)
        print(f"# {chains} chains of 16 channels: load {load} %", flush=True)
        if abs(load - GOAL) < 5:
            break
        chains = max(1, round(chains * GOAL / load))
    return chains


def disturb(folder):
    """Load on every core but the sound's: computing, allocating, and traffic of files, for ever."""
    elsewhere = sorted(os.sched_getaffinity(0) - {CORE})
    files = pathlib.Path(folder, "traffic")
    files.mkdir()
    writer = (f"while :; do dd if=/dev/zero of={files}/a bs=1M count=64 conv=fsync; "
              f"cat {files}/a >{files}/b; rm {files}/a {files}/b; done")
    worker = "import os\nwhile True:\n    x = [bytes(4096) for _ in range(20000)]\n    del x\n"
    commands = [["sh", "-c", writer]] + [[sys.executable, "-c", worker]] * len(elsewhere)
    return [subprocess.Popen(c, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL, start_new_session=True,
                             preexec_fn=lambda: os.sched_setaffinity(0, elsewhere))
            for c in commands]


def start_witness():
    """A child that watches all cores; its gaps come when it is told to end."""
    cores = sorted(os.sched_getaffinity(0))
    return subprocess.Popen([WITNESS, *map(str, cores)], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, text=True)


def gaps_of(witness):
    """Returns {core: [(due, woke), ...]}, in the order of time."""
    witness.terminate()
    output = witness.communicate(timeout=60)[0]
    assert witness.returncode == 0, f"the witness ended with {witness.returncode}"
    gaps = {core: [] for core in os.sched_getaffinity(0)}
    for line in output.splitlines():
        core, due, woke = map(int, line.split())
        gaps[core].append((due, woke))
    return gaps


def edit_each_second(child, path, chains):
    edits = 0
    while child.poll() is None:
        time.sleep(1)
        edits += 1
        fresh = path.with_suffix(".new")
        fresh.write_text(patch(chains, edits), encoding="utf-8")
        fresh.rename(path)
    return edits


def no_cycle_is_late(tactus, folder):
    if os.geteuid() != 0:
        raise Skip("only root sees the evidence for a hypervisor")
    if (os.cpu_count() or 1) < 2:
        raise Skip("it needs two cores")
    need("dd")
    folder, tactus = pathlib.Path(folder), str(pathlib.Path(tactus).resolve())
    shutil.copy(pathlib.Path(EXAMPLES, "sounds", "strings.flac"), folder)
    path = folder / "soak.yaml"
    report = folder / "report.json"
    others = disturb(folder)
    witness = start_witness()
    child = None
    try:
        chains = chains_for(tactus, path)
        with open(report, "wb") as out:
            child = subprocess.Popen(
                ["prlimit", "--rttime=2000000", tactus, "doctor", "--json", "-o",
                 str(folder / "soak.tac"), "--", *play(tactus, path, SECONDS, "--watch")],
                cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, text=True)
            edits = edit_each_second(child, path, chains)
            errors = child.stderr.read()
    finally:
        if child and child.poll() is None:
            child.terminate()
            child.wait()
        for other in others:
            os.killpg(other.pid, signal.SIGKILL)
            other.wait()
        gaps = gaps_of(witness)
    judge(report, gaps, edits, errors)


def overlap(a, b):
    return min(a[1], b[1]) - max(a[0], b[0])


def reserved_ns():
    """What the kernel keeps of each second for normal threads when real-time ones take all."""
    period, runtime = (int(pathlib.Path(f"/proc/sys/kernel/sched_rt_{name}_us").read_text(encoding="ascii"))
                       for name in ("period", "runtime"))
    return (period - runtime) * 1000 if runtime >= 0 else math.inf


def seen_by_witness(miss, period_ns, gaps):
    """Whose a late cycle is by the witnesses alone, or None."""
    window = (miss["deadline_ns"] - period_ns, miss["end_ns"])
    here = [gap for gap in gaps[CORE] if overlap(gap, window) > 0 and gap[1] - gap[0] >= miss["late_ns"]]
    if not here:
        return None
    longest = max(here, key=lambda gap: gap[1] - gap[0])
    elsewhere = any(2 * overlap(gap, longest) >= longest[1] - longest[0]
                    for core, others in gaps.items() if core != CORE for gap in others)
    if elsewhere:
        return "hypervisor"
    return "kernel" if longest[1] - longest[0] < 0.8 * reserved_ns() else None


def owner(miss, period_ns, gaps):
    main = miss["verdicts"][0]["rule"] if miss["verdicts"] else ""
    if main == "hypervisor":
        return "hypervisor"
    seen = seen_by_witness(miss, period_ns, gaps)
    return seen or ("kernel" if main in KERNEL else "ours")


def owners(result, gaps):
    """Returns {owner: [misses]}; what is carried over belongs to the owner of its root."""
    period_ns = max(s["period_ns"] for s in result["sources"])
    by_cycle, found = {}, {"hypervisor": [], "kernel": [], "ours": []}
    for miss in result["misses"]:
        mine = miss["carried_ns"] * 2 > miss["late_ns"] and by_cycle.get(miss["root"])
        by_cycle[miss["cycle"]] = mine or owner(miss, period_ns, gaps)
        found[by_cycle[miss["cycle"]]].append(miss)
    return found


def kernel_can_be_preempted():
    """True when nothing but interrupts keeps a real-time thread of this kernel waiting."""
    words = os.uname().version.split()
    if "PREEMPT_RT" in words or "PREEMPT" in words:
        return True
    try:
        chosen = pathlib.Path("/sys/kernel/debug/sched/preempt").read_text(encoding="ascii")
    except OSError:
        return False
    return "(full)" in chosen


def show(name, misses):
    worst = max((miss["late_ns"] for miss in misses), default=0)
    print(f"# {name}: {len(misses)} late cycles, worst by {worst / 1e6:.2f} ms")
    for miss in misses[:5]:
        for verdict in miss["verdicts"][:2]:
            print(f"#   cycle {miss['cycle']}, {miss['late_ns'] / 1e6:.2f} ms: {verdict['rule']}, "
                  f"{verdict['text']}")


def judge(report, gaps, edits, errors):
    lines = [l for l in report.read_text(encoding="utf-8").splitlines() if l.startswith("{")]
    assert lines, f"no report: {report.read_text(encoding='utf-8')[-400:]} {errors}"
    result = json.loads(lines[-1])["runs"][0]
    print(f"# {result['cycles']} cycles, {edits} edits, {result['missed']} late, worst by "
          f"{result['worst_ns'] / 1e6:.2f} ms")
    for core, all_of_core in sorted(gaps.items()):
        longest = max((woke - due for due, woke in all_of_core), default=0)
        print(f"# witness of core {core}: {len(all_of_core)} gaps of more than 0.1 ms, longest "
              f"{longest / 1e6:.2f} ms")
    found = owners(result, gaps)
    for name, misses in found.items():
        show(name, misses)
    wanted = SECONDS * RATE / BLOCK
    assert result["cycles"] > 0.98 * wanted, f"{result['cycles']} cycles instead of {wanted:.0f}"
    assert edits > 0.8 * SECONDS, f"{edits} edits"
    assert result["missed"] == len(result["misses"]), "too many late cycles to list"
    assert not found["ours"], f"{len(found['ours'])} late cycles are ours"
    assert not (found["kernel"] and kernel_can_be_preempted()), "the kernel kept the core"


def leave(signum, _):
    """Told to end: what was started ends with it."""
    sys.exit(128 + signum)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, leave)
    sys.exit(audio_servers.main((no_cycle_is_late,)))
