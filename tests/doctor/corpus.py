#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Injected faults with known truth against the doctor's verdicts, scored per late cycle.

usage: corpus.py INJECTOR TACTUS [--quick | --all] [--tier system|user] [--held-out] [--keep DIR] [SCENARIO...]

The injector writes a recording and, from its own clocks, what it did to which cycle. A late cycle is
labelled with the fault that made most of its excess; with the label of the cycle that it is chained
to when it began late behind one; with `machine` when the injector did nothing that explains it; and
is left out of precision and recall when two causes are too close to call, or when the most went into
what a strike took beyond twice what nine tenths of its kind took in the run: the machine drew it
out, or not, and the injector's clock does not tell. The table at the end is
truth against verdict; then precision and recall for each verdict, the share of late time that is
explained, certain verdicts that are wrong, and false causes (blaming the program or its heap for
what the machine did).

--tier system records the whole machine and needs root; --tier user runs without privilege (as
nobody, when root asks). Without --tier: what this user can. --held-out draws faults, places, amounts,
periods and priorities that the rules were not made with. --all: both tiers, with and without
--held-out. --quick is two faults without privilege.
"""
import collections
import json
import os
import subprocess
import sys
import tempfile

# fault -> (verdicts that are right with system-wide evidence, without)
RIGHT = {
    "compute": ("own_work", "own_work"),
    "zone": ("own_work", "own_work"),
    "denormal": ("denormals", "denormals"),
    "signal": ("signal", "own_work"),
    "flood": ("gap", "gap"),
    "storm": ("heap_work", "heap_work"),
    "heap": ("heap_lock heap_work", "heap_lock heap_work"),
    "touch": ("fault_minor", "fault_minor"),
    "huge": ("fault_huge", "fault_huge fault_minor"),
    "copy": ("fault_cow", "fault_minor"),
    "file": ("fault_major", "fault_major"),
    "mapping": ("mmap_lock", "blocked"),
    "fork": ("fork_stall", "blocked late_wake fault_minor"),
    "reclaim": ("reclaim", "fault_minor blocked"),
    "mutex": ("lock_hold", "lock_hold"),
    "busy-mutex": ("lock_hold", "lock_hold"),
    "inversion": ("lock_inversion", "lock_hold"),
    "sleep": ("blocking_call", "blocking_call"),
    "silent-sleep": ("blocked blocking_call", "blocked blocking_call"),
    "sync": ("blocking_call", "blocking_call"),
    "pipe": ("blocking_call", "blocking_call"),
    "hog": ("preempted", "preempted late_wake"),
    "early-hog": ("preempted", "late_wake preempted"),
    "normal": ("wrong_setup", "preempted late_wake wrong_setup"),
    "fair": ("throttled", "preempted late_wake"),
    "budget": ("throttled", "late_wake preempted"),
    "stop": ("stopped", "blocked late_wake"),
    "freeze": ("stopped", "blocked late_wake"),
    "server": ("upstream", "late_wake"),
    "packets": ("softirq kernel_busy", "own_work late_wake"),
    "peer": ("preempted", "preempted late_wake"),
    "bursts": ("preempted", "preempted late_wake"),
    "stack": ("fault_minor", "fault_minor"),
    "grow": ("heap_work", "heap_work"),
    "full-pipe": ("blocking_call", "blocking_call"),
    "event": ("blocked blocking_call", "blocked blocking_call"),
    "cond": ("blocking_call", "blocking_call"),
    "flag": ("own_work", "own_work"),
    "quota": ("throttled wrong_setup", "preempted late_wake"),
    "code": ("fault_major fault_minor", "fault_major fault_minor"),  # as the page cache has it
    "none": ("", ""),
}
HELD_OUT = {"peer", "bursts", "stack", "grow", "full-pipe", "event", "cond", "flag", "code"}
NEEDS_ROOT = {"budget", "freeze", "packets", "reclaim", "quota"}
WHOLE_RUN = {"budget", "quota"}  # when it strikes is the kernel's choice: all late cycles are its
MACHINE = {"hypervisor", "preempted", "late_wake", "unexplained", "interrupts", "softirq",
           "kernel_busy", "throttled", "gap", "idle_wake", "recorder", "carried", "upstream",
           "wrong_setup"}
MARGIN_NS = 60_000


def scenarios(held_out, tier):
    usable = [f for f in RIGHT if f not in HELD_OUT | {"quota"} and (tier == "system" or f not in NEEDS_ROOT)]
    if not held_out:
        special = {"huge": ["--every", "24"], "freeze": ["--cycles", "1200"],
                   "packets": ["--period", "1000", "--amount", "200", "--cycles", "2400"],
                   "budget": ["--cycles", "1600", "--work", "20"], "fair": ["--cycles", "2400"],
                   "copy": ["--every", "32"], "normal": ["--period", "4000", "--work", "60", "--cycles", "900"], "mapping": ["--amount", "200"]}
        rows = [(f, [f], special.get(f, [])) for f in usable]
        rows += [(f"{a}+{b}", [a, b], ["--both", "--amount", "250"])
                 for a, b in (("compute", "sleep"), ("touch", "storm"), ("denormal", "zone"))]
        rows += [("near:" + f, [f], ["--amount", "60"]) for f in ("compute", "storm", "sleep")]
        return rows
    cycle = ["compute", "zone", "denormal", "storm", "touch", "sleep", "silent-sleep", "sync"]
    rows = [
        ("drawn-1", cycle, ["--seed", "7", "--period", "1333", "--every", "24", "--work", "25"]),
        ("drawn-2", cycle + ["file"], ["--seed", "11", "--period", "5333", "--every", "12",
                                       "--cycles", "700", "--priority", "15"]),
        ("drawn-3", ["touch", "huge", "compute"], ["--seed", "3", "--period", "2667", "--every", "30"]),
        ("drawn-4", ["denormal", "storm"], ["--seed", "5", "--work", "55", "--amount", "90"]),
        ("locks", ["mutex"], ["--seed", "13", "--period", "1333", "--every", "24", "--amount", "220"]),
        ("locks-2", ["inversion"], ["--seed", "17", "--period", "4000", "--cycles", "900"]),
        ("hog-drawn", ["hog"], ["--seed", "19", "--period", "1000", "--every", "20", "--work", "40"]),
        ("hog-early", ["early-hog"], ["--seed", "23", "--period", "3000", "--cycles", "900"]),
        ("heap-drawn", ["heap"], ["--seed", "29", "--period", "4000", "--cycles", "900"]),
        ("stop-long", ["stop"], ["--period", "5000", "--cycles", "600"]),
        ("normal-short", ["normal"], ["--period", "1000", "--work", "30"]),
        ("server-drawn", ["server"], ["--seed", "31", "--period", "1333", "--every", "20"]),
        ("pipe-drawn", ["pipe"], ["--seed", "37", "--period", "3000", "--cycles", "900"]),
        ("heavy", ["compute"], ["--seed", "41", "--work", "75", "--amount", "40"]),
        ("quiet", ["none"], ["--period", "1000", "--work", "50", "--cycles", "3000"]),
    ]
    rows += [(f, [f], ["--seed", str(61 + i), "--period", str(1500 + 250 * i), "--every", "20"])
             for i, f in enumerate(sorted(HELD_OUT))]
    if tier == "system":
        rows += [("map-drawn", ["mapping"], ["--seed", "43", "--period", "3000", "--cycles", "900"]),
                 ("fork-drawn", ["fork"], ["--seed", "47", "--period", "5000", "--cycles", "600"]),
                 ("quota", ["quota"], ["--period", "4000", "--work", "25", "--cycles", "700"]),
                 ("signal-drawn", ["signal", "compute"], ["--seed", "53", "--every", "24"])]
    return rows


def read_truth(path):
    rows = []
    with open(path, encoding="ascii") as file:
        for line in file:
            words = line.split()
            pieces = [w.split(":") for w in words[4:] if w != "-"]
            rows.append({"number": int(words[0]), "begin": int(words[1]), "deadline": int(words[2]),
                         "end": int(words[3]),
                         "pieces": [(f, int(wall), int(own)) for f, wall, own in pieces]})
    return rows


def longest(truth):
    """fault -> how much of a strike is surely its own."""
    lasted = collections.defaultdict(list)
    for row in truth:
        for fault, wall, own in row["pieces"]:
            lasted[fault].append(min(own, wall))
    return {f: 2 * sorted(ns)[len(ns) * 9 // 10] for f, ns in lasted.items() if f != "machine"}


def label(row, usual_ns, release, whole, most_ns):
    """The fault that made most of the excess of one cycle, `machine`, or None when it is too close."""
    excess = row["end"] - release - usual_ns
    if whole:
        return whole
    parts = collections.Counter()
    for fault, wall, own in row["pieces"]:
        own = min(own, wall)
        parts[fault] += min(own, most_ns.get(fault, own))
        parts[None] += max(0, own - most_ns.get(fault, own))
    if parts and parts["machine"]:  # a helper that came late: its fault went on for as long
        strongest = max((f for f in parts if f not in ("machine", None)), key=lambda f: parts[f], default="machine")
        parts[strongest] -= min(parts[strongest], parts["machine"])
    parts["machine"] = max(parts["machine"], excess - sum(parts.values()) + parts["machine"])
    (first, most), *rest = parts.most_common(2)
    second = rest[0][1] if rest else 0
    return first if most >= 0.6 * max(1, most + second) else None


def labels(truth, period_ns, whole):
    """deadline -> label of each late cycle. What a cycle inherits from the one before counts against
    what it adds itself, unless both are of the same cause."""
    on_time = sorted(r["end"] - r["begin"] for r in truth if not r["pieces"])
    usual = on_time[len(on_time) // 2] if on_time else 0
    found, before_end, before, most_ns = {}, 0, None, longest(truth)
    for row in truth:
        release = row["deadline"] - period_ns
        late = row["end"] > row["deadline"]
        mine = label(row, usual, max(release, before_end), whole, most_ns)
        carried = before_end - release
        if carried > MARGIN_NS:
            own = max(0, row["end"] - before_end - usual)
            mine = before if carried > 1.5 * own else mine if own > 1.5 * carried or mine == before else None
        if late:
            found[row["deadline"]] = mine
        before, before_end = mine, max(before_end, row["end"])
    return found


# A plain user who may have what an audio group has: real-time priority and locked memory.
AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
             "--inh-caps=+sys_nice,+ipc_lock", "--ambient-caps=+sys_nice,+ipc_lock"]


def run(injector, tactus, name, faults, options, tier, folder):
    base = os.path.join(folder, name.replace(":", "-").replace("+", "-") + "-" + tier)
    recording, truth = base + ".tac", base + ".truth"
    words = [injector, *options, ",".join(faults), recording, truth]
    if tier == "system":
        words.insert(1, "--kernel")
    if tier == "user" and os.geteuid() == 0:
        words = AS_NOBODY + words
    subprocess.run(words, check=True, timeout=240)
    result = subprocess.run([tactus, "doctor", "--json", recording], capture_output=True, timeout=120)
    if result.returncode > 1:
        raise RuntimeError(result.stderr.decode())
    period = int(options[options.index("--period") + 1]) if "--period" in options else 2000
    rows = read_truth(truth)
    whole = next((f for f in faults if f in WHOLE_RUN), None)
    return json.loads(result.stdout)["runs"][0], labels(rows, period * 1000, whole), rows


class Score:
    def __init__(self, tier):
        self.column = 0 if tier == "system" else 1
        self.table = collections.defaultdict(collections.Counter)  # truth fault -> verdicts
        self.n = collections.Counter()

    def right(self, fault):
        return RIGHT[fault][self.column].split()

    def take(self, report, truth):
        s = collections.Counter()
        for miss in report["misses"]:
            if miss["deadline_ns"] not in truth:
                continue
            fault, top = truth[miss["deadline_ns"]], miss["verdicts"][0]
            s["late"] += 1
            s["late_ns"] += miss["late_ns"]
            s["explained_ns"] += sum(v["ns"] for v in miss["verdicts"] if v["rule"] != "unexplained")
            s["sums"] += sum(v["ns"] for v in miss["verdicts"]) == miss["late_ns"]
            if fault is None:
                s["unclear"] += 1
                continue
            self.table[fault][top["rule"]] += 1
            good = top["rule"] in (MACHINE if fault == "machine" else self.right(fault))
            s["judged"] += 1
            s["right"] += good
            s["certain"] += top["confidence"] >= 0.95
            s["certain_wrong"] += top["confidence"] >= 0.95 and not good
            s["machine"] += fault == "machine"
            s["false"] += not good and top["rule"] not in MACHINE
        self.n += s
        return s

    def per_verdict(self):
        """verdict -> (precision, recall): a fault's first right verdict is its own."""
        for verdict in sorted({self.right(f)[0] for f in self.table if f not in ("machine", "none")}):
            mine = {f for f in self.table if f not in ("machine", "none") and
                    self.right(f)[0] == verdict}
            hit = sum(n for f in mine for v, n in self.table[f].items() if v in self.right(f))
            all_mine = sum(sum(self.table[f].values()) for f in mine)
            said = sum(c[verdict] for f, c in self.table.items() if f != "machine")
            said_right = sum(c[verdict] for f, c in self.table.items()
                             if f not in ("machine", "none") and verdict in self.right(f))
            yield verdict, said_right / said if said else 1, hit / all_mine if all_mine else 1, all_mine

    def show(self, title):
        n = self.n
        print(f"\n# {title}: {n['late']} late cycles, {n['unclear']} too close to call")
        for fault in sorted(self.table):
            row = ", ".join(f"{v} {k}" for v, k in self.table[fault].most_common())
            print(f"#   {fault:13} -> {row}")
        print(f"#   {'verdict':15} precision recall  cycles")
        for verdict, precision, recall, count in self.per_verdict():
            print(f"#   {verdict:15} {100 * precision:8.1f} {100 * recall:6.1f} {count:7}")
        if n["judged"]:
            print(f"#   right {100 * n['right'] / n['judged']:.1f} %; explained "
                  f"{100 * n['explained_ns'] / max(1, n['late_ns']):.1f} % of the late time; certain "
                  f"and wrong {n['certain_wrong']} of {n['certain']}; false causes {n['false']} of "
                  f"{n['judged']} ({100 * n['false'] / n['judged']:.2f} %)")


def judge(s, quick):
    """Whether the scenario passes: sums always; on a busy machine the rest by majority."""
    if s["sums"] != s["late"]:
        return False
    if quick:
        return s["right"] > 0
    return s["judged"] == 0 or s["right"] >= 0.9 * s["judged"]


def run_scenarios(words, rows, tier, held_out, quick, keep, first):
    """One table. Returns how many scenarios there were and how many failed."""
    score, bad = Score(tier), 0
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        os.chmod(folder, 0o777)
        for i, (name, faults, options) in enumerate(rows, first):
            report, truth, _ = run(words[0], words[1], name, faults, options, tier, keep or folder)
            s = score.take(report, truth)
            good = judge(s, quick)
            bad += not good
            print(f"{'ok' if good else 'not ok'} {i} - {name}, {tier} # {s['late']} late, "
                  f"{s['judged']} judged, {s['right']} right", flush=True)
    score.show(f"{'held out' if held_out else 'corpus'}, {tier}")
    return len(rows), bad


def option(words, name):
    return words[words.index(name) + 1] if name in words else None


def chosen(words):
    """The scenarios asked for by name."""
    with_value = {"--tier", "--keep"}
    return [w for before, w in zip([""] + words, words)
            if not w.startswith("--") and before not in with_value]


def main():
    words = sys.argv[1:]
    quick, everything = "--quick" in words, "--all" in words
    root = os.geteuid() == 0
    tiers = [option(words, "--tier")] if "--tier" in words else ["user"] if quick or not root else \
        ["system", "user"] if everything else ["system"]
    sets = [(tier, held_out) for tier in tiers
            for held_out in ([False, True] if everything else ["--held-out" in words])]
    wanted, count, bad = chosen(words[2:]), 0, 0
    unknown = set(wanted).difference(*({r[0] for r in scenarios(held_out, tier)} for tier, held_out in sets))
    if unknown:
        print("corpus.py: no such scenario here:", *sorted(unknown), file=sys.stderr)
        return 2
    for tier, held_out in sets:
        rows = [r for r in scenarios(held_out, tier) if r[0] in wanted or not wanted]
        if quick:
            rows = [(f, [f], ["--cycles", "200"]) for f in ("compute", "silent-sleep")]
        n, wrong = run_scenarios(words, rows, tier, held_out, quick, option(words, "--keep"), count + 1)
        count, bad = count + n, bad + wrong
    print(f"1..{count}")
    return 1 if bad else 0


sys.exit(main())
