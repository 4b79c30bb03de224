#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each exported format, read back by somebody else: FXT by a strict reader here, CTF by a strict reader
here and by babeltrace2, Perfetto by protoc with the field numbers of trace.proto. What
make_everything put into the recording must be there, in number, and so must what was lost. Of the
hundred overloads of `overruns`, each view and each format must tell the same losses. A long recording
(make_long) takes no more memory than a shorter one, and its verdicts are the same in parts.
usage: exports.py TACTUS MAKE_EVERYTHING OVERLOAD MAKE_LONG memory|-"""
import collections
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time

TACTUS, MAKE, OVERLOAD, LONG, MEMORY = sys.argv[1:6]
HERE = os.path.dirname(os.path.abspath(__file__))
CYCLES = 100
OVERLOADS = 100
count = failed = 0


def check(name, problems, skip=None):
    global count, failed
    count += 1
    for p in problems[:8]:
        print("#", p)
    failed += bool(problems)
    print(f"{'not ok' if problems else 'ok'} {count} - {name}" + (f" # SKIP {skip}" if skip else ""))


def expect(what, got, want):
    return [] if got == want else [f"{what}: {got} is not {want}"]


# ---- FXT: every word must belong to a record, every reference must be defined ----

class Fxt:
    def __init__(self, data):
        assert len(data) % 8 == 0, "not a row of words"
        self.words = struct.unpack(f"<{len(data) // 8}Q", data)
        self.strings, self.threads = {0: ""}, {}
        self.seen = collections.Counter()
        self.names = collections.Counter()
        self.depth = collections.Counter()
        self.last = {}
        self.flows, self.stacks, self.full, self.lost = [], [], 0, 0
        assert self.words[0] == 0x0016547846040010, "magic"
        at = 0
        while at < len(self.words):
            head = self.words[at]
            size = head >> 4 & 0xfff
            assert size and at + size <= len(self.words), f"length {size} at word {at}"
            kind = head & 15
            body = list(self.words[at:at + size])
            {0: self.metadata, 1: self.init, 2: self.string, 3: self.thread, 4: self.event,
             7: self.object, 8: self.scheduling}[kind](body)
            at += size

    def metadata(self, w):
        kind = w[0] >> 16 & 15
        assert kind in (1, 2, 3, 4)
        self.full += kind == 3 and w[0] >> 52 & 15 == 0

    def init(self, w):
        assert w[1] == 1000000000

    def string(self, w):
        index, length = w[0] >> 16 & 0x7fff, w[0] >> 32 & 0x7fff
        assert index and index not in self.strings and len(w) == 1 + (length + 7) // 8
        raw = struct.pack(f"<{len(w) - 1}Q", *w[1:])
        assert not any(raw[length:]), "padding"
        self.strings[index] = raw[:length].decode()

    def thread(self, w):
        index = w[0] >> 16 & 255
        assert index and len(w) == 3
        self.threads[index] = (w[1], w[2])

    def text(self, ref, w, at):
        if not ref & 0x8000:
            return self.strings[ref], at
        n = ref & 0x7fff
        raw = struct.pack(f"<{(n + 7) // 8}Q", *w[at:at + (n + 7) // 8])
        return raw[:n].decode(), at + (n + 7) // 8

    def arguments(self, number, w, at):
        found = {}
        for _ in range(number):
            head, size = w[at], w[at] >> 4 & 0xfff
            name = self.strings[head >> 16 & 0xffff]
            kind = head & 15
            if kind == 6:
                found[name], end = self.text(head >> 32 & 0xffff, w, at + 1)
                assert end == at + size, "length of a text"
            else:
                assert (kind, size) in ((1, 1), (4, 2), (5, 2), (8, 2)), (kind, size)
                found[name] = w[at + 1] if size == 2 else head >> 32
            at += size
        return found, at

    def event(self, w):
        head, at = w[0], 2
        kind, number, thread = head >> 16 & 15, head >> 20 & 15, head >> 24 & 255
        who = self.threads[thread] if thread else tuple(w[2:4])
        at += 0 if thread else 2
        category, at = self.text(head >> 32 & 0xffff, w, at)
        name, at = self.text(head >> 48 & 0xffff, w, at)
        found, at = self.arguments(number, w, at)
        at += {0: 0, 1: 1, 2: 0, 3: 0, 4: 1, 5: 1, 7: 1, 8: 1, 9: 1, 10: 1}[kind]
        assert at == len(w), f"{len(w) - at} words too many in an event of type {kind}"
        self.seen[kind] += 1
        self.names[name] += 1
        self.depth[who] += {2: 1, 3: -1}.get(kind, 0)
        assert self.depth[who] >= 0, "an end without a begin"
        if kind in (2, 3):
            assert w[1] >= self.last.get(who, 0), "zones out of order"
            self.last[who] = w[1]
        if kind == 4:
            assert w[-1] >= w[1], "a span that ends before it begins"
        if name == "events lost":
            self.lost += found["events"]
        if "functions" in found:
            self.stacks.append((name, found["functions"]))

    def object(self, w):
        _, at = self.text(w[0] >> 24 & 0xffff, w, 2)
        _, at = self.arguments(w[0] >> 40 & 15, w, at)
        assert at == len(w)

    def scheduling(self, w):
        kind = w[0] >> 60
        found, at = self.arguments(w[0] >> 16 & 15, w, 4 if kind == 1 else 3)
        assert at == len(w) and kind in (1, 2)
        assert kind == 2 or set(found) == {"incoming_weight", "outgoing_weight"}
        self.seen[f"sched{kind}"] += 1


def test_fxt(path):
    try:
        f = Fxt(open(path, "rb").read())
    except (AssertionError, KeyError, struct.error) as error:
        return [f"no proper FXT: {error!r}"]
    return (expect("zone begins", f.seen[2], 3 * CYCLES) + expect("zone ends", f.seen[3], 3 * CYCLES)
            + expect("counters", f.seen[1], CYCLES) + expect("flows", (f.seen[8], f.seen[10]), (CYCLES, CYCLES))
            + expect("cycles", (f.seen[5], f.seen[7]), (CYCLES, CYCLES))
            + expect("switches", f.seen["sched1"], 2 * CYCLES) + expect("wake-ups", f.seen["sched2"], CYCLES)
            + expect("memory", f.names["alloc"], CYCLES) + expect("locks", f.names["wait for a lock"], CYCLES)
            + expect("messages", (f.names["hello"], f.names["made at run time"]), (CYCLES, CYCLES))
            + expect("stacks", f.stacks, [("kernel stack", "schedule < 0x10"),
                                          ("stack", "synth+0x1010 < synth+0x1020")])
            + expect("full buffers", f.full, 3) + expect("lost", f.lost, 7)
            + expect("open zones", +f.depth, collections.Counter()))


# ---- CTF: packets whose fields are as the metadata says ----

INTEGERS = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q", "x64": "Q", "time": "Q", "i32": "i", "i64": "q",
            "f64": "d"}


def ctf_layout(folder):
    text = open(os.path.join(folder, "metadata")).read()
    assert text.startswith("/* CTF 1.8 */")
    layout = {}
    for name, number, stream, fields in re.findall(
            r'event \{ name = "(\w+)"; id = (\d+); stream_id = (\d+); fields := struct \{ (.*?) \}; \};', text):
        layout[int(stream), int(number)] = (name, re.findall(r"(\w+) (\w+)(?:\[(\w+)\])?;", fields))
    return layout


def ctf_fields(data, at, fields):
    found = {}
    for kind, name, length in fields:
        if kind == "string":
            end = data.index(b"\0", at)
            found[name] = data[at:end].decode()
            at = end + 1
            continue
        n = found[length] if length else 1
        values = struct.unpack_from(f"<{n}{INTEGERS[kind]}", data, at)
        at += struct.calcsize(f"<{n}{INTEGERS[kind]}")
        found[name] = list(values) if length else values[0]
    return found, at


def read_ctf(folder):
    layout, seen, discarded = ctf_layout(folder), collections.Counter(), {}
    for name in sorted(os.listdir(folder)):
        if name == "metadata":
            continue
        data, at, last, before = open(os.path.join(folder, name), "rb").read(), 0, 0, 0
        while at < len(data):
            magic, stream, begin, end, content, size, lost, _, _ = struct.unpack_from("<IIQQQQQII", data, at)
            assert magic == 0xc1fc1fc1 and content == size and content % 8 == 0, f"{name}: packet at {at}"
            assert last <= begin <= end and lost >= before, f"{name}: order of packets"
            stop, at, last, before = at + size // 8, at + 56, begin, lost
            while at < stop:
                number, ns = struct.unpack_from("<HQ", data, at)
                assert last <= ns <= end, f"{name}: order of events"
                event, fields = layout[stream, number]
                _, at = ctf_fields(data, at + 10, fields)
                seen[event] += 1
                last = ns
            assert at == stop, f"{name}: an event over the end of a packet"
        discarded[name] = before
    return seen, discarded


def test_ctf(folder):
    try:
        seen, discarded = read_ctf(folder)
    except (AssertionError, KeyError, struct.error, ValueError) as error:
        return [f"no proper CTF: {error!r}"]
    want = {"zone_begin": 3 * CYCLES, "zone_end": 3 * CYCLES, "zone_value": CYCLES, "plot": CYCLES,
            "flow": 2 * CYCLES, "cycle_begin": CYCLES, "cycle_end": CYCLES, "memory": CYCLES,
            "lock_wait": CYCLES, "message": CYCLES, "text": CYCLES, "stack": 1,
            "sched_switch": 2 * CYCLES, "sched_waking": CYCLES, "irq_handler_entry": 1,
            "stack_of_cpu": 2, "thread_name": 2}
    return (sum((expect(k, seen[k], v) for k, v in want.items()), [])
            + expect("discarded", sorted(v for v in discarded.values() if v), [7, 70]))


def test_babeltrace(folder):
    run = subprocess.run(["babeltrace2", folder], capture_output=True, text=True)
    lines = run.stdout.splitlines()
    problems = expect("exit", run.returncode, 0)
    problems += expect("events", len(lines), 19 * CYCLES + 6)
    problems += expect("stacks", sum('functions = "schedule < 0x10"' in line for line in lines), 1)
    problems += expect("switches", sum("sched_switch" in line for line in lines), 2 * CYCLES)
    lost = [int(n) for n in re.findall(r"discarded (\d+) events?", run.stderr)]
    return problems + expect("discarded, as it warns", sorted(lost), [3, 4, 70])


def test_protoc(path):
    run = subprocess.run(["protoc", f"--proto_path={HERE}", "--decode=tactus.test.Trace", "trace.proto"],
                         stdin=open(path, "rb"), capture_output=True, text=True)
    text = run.stdout
    if run.returncode:
        return [run.stderr.strip()]
    unknown = sorted(set(re.findall(r"^\s*(\d+)[:{ ]", text, re.M)))
    # zones, cycles, memory operations, waits; two gaps, and the verdict on the late cycle
    want = {"type: SLICE_BEGIN": 6 * CYCLES + 3, "type: COUNTER": CYCLES,
            "sched_switch {": 2 * CYCLES, "sched_waking {": CYCLES, "flow_ids: ": 2 * CYCLES,
            "callstack_iid: 1": 1, "lost_events: true": 1, 'function_name: "schedule"': 1,
            'function_name: "synth+0x': 2, 'name: "kernel stack"': 1, "previous_packet_dropped: true": 2,
            'release: "6.1.0"': 1, "unit: 3": 1, 'name: "missed"': 1, 'name: "its own computation"': 1,
            'name: "events lost"': 3}
    return expect("unknown fields", unknown, []) + sum(
        (expect(k, text.count(k), v) for k, v in want.items()), [])


# ---- a hundred overloads: emitted = stored + dropped, everywhere ----

def run_tactus(*words):
    run = subprocess.run([TACTUS, *words], capture_output=True, text=True)
    return run.stdout + "".join(f"exit {run.returncode}: {run.stderr}" if run.returncode not in (0, 1) else [])


def losses_in_info(text):
    """The dropped events by thread, as info tells them, and what does not add up."""
    rows = re.findall(r"^emits-(\d+) +\d+ +(\d+) +\d+ +(\d+) +0 +0$", text, re.M)
    return [int(row[2]) for row in rows], [row for row in rows if int(row[0]) != int(row[1]) + int(row[2])]


def lost_in_perfetto(path):
    run = subprocess.run(["protoc", f"--proto_path={HERE}", "--decode=tactus.test.Trace", "trace.proto"],
                         stdin=open(path, "rb"), capture_output=True, text=True)
    return sum(int(n) for n in re.findall(
        r'uint_value: (\d+)\s+name: "events"\s+\}\s+type: SLICE_BEGIN\s+track_uuid: \d+\s+name: "events lost"',
        run.stdout))


def test_overloads(folder):
    recording = os.path.join(folder, "overload.tac")
    path = {name: os.path.join(folder, "overload." + name) for name in ("fxt", "ctf", "pftrace", "csv", "html")}
    subprocess.run([OVERLOAD, recording], check=True)
    dropped, wrong = losses_in_info(run_tactus("info", recording))
    lost = sum(dropped)
    problems = (expect("threads that do not add up", wrong, []) + expect("threads", len(dropped), OVERLOADS)
                + expect("threads that lost nothing", dropped.count(0), 0))
    for name in ("fxt", "ctf", "pftrace", "csv"):
        problems += expect(name, run_tactus("export", recording, "-o", path[name]), "")
    sentence = f"{lost} events were lost"
    problems += expect("zones", sentence in run_tactus("zones", recording), True)
    text = run_tactus("doctor", recording, "--html", path["html"])
    problems += expect("doctor", sentence in " ".join(text.split()), True)
    problems += expect("HTML", sentence in open(path["html"]).read(), True)
    problems += expect("CSV", f'"(events lost)","",0,0,{lost},' in open(path["csv"]).read(), True)
    problems += expect("FXT", Fxt(open(path["fxt"], "rb").read()).lost, lost)
    _, discarded = read_ctf(path["ctf"])
    problems += expect("CTF", sorted(n for n in discarded.values() if n), sorted(dropped))
    if shutil.which("babeltrace2"):
        run = subprocess.run(["babeltrace2", path["ctf"]], capture_output=True, text=True)
        problems += expect("babeltrace2", sum(map(int, re.findall(r"discarded (\d+) events?", run.stderr))), lost)
    if shutil.which("protoc"):
        problems += expect("Perfetto", lost_in_perfetto(path["pftrace"]), lost)
    return problems


def test_damaged(recording, folder):
    """A recording with a flipped bit is exported as far as it goes, and the exit status says so."""
    path = os.path.join(folder, "damaged.tac")
    data = bytearray(open(recording, "rb").read())
    data[len(data) // 2] ^= 1
    open(path, "wb").write(data)
    problems = []
    for words in (["-o", path + ".fxt"], ["-o", path + ".csv", "--no-verdicts"]):
        run = subprocess.run([TACTUS, "export", path, *words], capture_output=True, text=True)
        problems += expect("exit", run.returncode, 1) + expect("words", "damaged" in run.stderr, True)
        problems += expect("there", os.path.getsize(words[1]) > 100, True)
    return problems


def peak_kib(words):
    """Highest resident memory of a program that ends well, as seen last before its end."""
    child, peak = subprocess.Popen(words, stdout=subprocess.DEVNULL), 0
    while child.poll() is None:
        with open(f"/proc/{child.pid}/status", encoding="utf-8") as status:
            found = re.search(r"VmHWM:\s+(\d+)", status.read())
        peak = int(found.group(1)) if found else peak
        time.sleep(0.003)
    assert child.returncode == 0, words
    return peak


def test_long(folder):
    """More events: the same memory in each format, and all of the late cycles."""
    path, problems = os.path.join(folder, "long.tac"), []
    peaks, missed = [], []
    lengths = (800000, 1600000) if MEMORY == "memory" else (50000, 100000)
    for events in lengths:
        subprocess.run([LONG, path, str(events)], check=True)
        out = {suffix: path + suffix for suffix in (".pftrace", ".fxt", ".csv", ".ctf")}
        peaks.append({suffix: peak_kib([TACTUS, "export", path, "-o", to]) for suffix, to in out.items()})
        data = open(out[".pftrace"], "rb").read()
        missed.append((data.count(b"missed"), data.count(b"late by")))
        shutil.rmtree(out[".ctf"])
    want = [(events // 22 + 500) // 1000 for events in lengths]
    problems += expect("late cycles, verdicts", missed, [(n, n) for n in want])
    for suffix in peaks[0] if MEMORY == "memory" else []:
        if peaks[1][suffix] > 1.2 * peaks[0][suffix] + 2048:
            problems.append(f"{suffix}: {peaks[0][suffix]} KiB, then {peaks[1][suffix]} KiB")
    return problems


def main():
    with tempfile.TemporaryDirectory() as folder:
        recording = os.path.join(folder, "all.tac")
        out = {name: os.path.join(folder, "all." + name) for name in ("fxt", "ctf", "pftrace")}
        subprocess.run([MAKE, recording], check=True)
        problems = []
        for path in out.values():
            run = subprocess.run([TACTUS, "export", recording, "-o", path], capture_output=True, text=True)
            problems += expect(path, (run.returncode, run.stderr), (0, ""))
        check("all_formats_are_written", problems)
        check("fxt_has_everything", test_fxt(out["fxt"]))
        check("ctf_has_everything", test_ctf(out["ctf"]))
        for name, program, test, path in (("babeltrace2_agrees", "babeltrace2", test_babeltrace, out["ctf"]),
                                          ("protoc_knows_every_field", "protoc", test_protoc, out["pftrace"])):
            if shutil.which(program):
                check(name, test(path))
            else:
                check(name, [], f"{program} is not installed")
        check("overloads_are_in_every_view", test_overloads(folder))
        check("a_damaged_recording_is_told", test_damaged(recording, folder))
        check("length_costs_no_memory", test_long(folder))
        run = subprocess.run([TACTUS, "export", recording, "-o", out["ctf"]], capture_output=True, text=True)
        check("a_folder_that_is_there_is_left_alone",
              expect("exit", run.returncode, 3) + expect("words", "exists" in run.stderr, True))
    print(f"1..{count}")
    return 1 if failed else 0


sys.exit(main())
