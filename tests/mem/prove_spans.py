#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The index arithmetic of the span layer, proved: for every argument it may be called with, each
function of prove_spans.c is defined and gives what its comment says.

usage: prove_spans.py ROOT COMPILER    Prints TAP. Skipped where clang or Z3's Python module is missing.

The functions are the headers' own, compiled by clang, translated by ir_terms.py and compared by Z3
with a specification that says the same bit by bit. So that nobody need believe the translation, it is
compared with what COMPILER makes of the same functions; and headers with a planted fault must be refuted.
"""
import ctypes
import os
import random
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
try:
    import z3

    from ir_terms import Function
except ImportError:
    z3 = None

ROOT, COMPILER = sys.argv[1:3]
FLAGS = ["-std=gnu17", "-w", "-D_GNU_SOURCE"]
SOURCE = f"{ROOT}/tests/mem/prove_spans.c"
UNITS_MAX = 1 << 22  # TAC_SPANS_UNITS_MAX
TOGETHER = 8  # formulas: one by one is slower, and all at once is much slower
count, failures = 0, 0


def ok(good, name, detail=""):
    global count, failures
    count += 1
    if not good:
        failures += 1
        print("# " + detail)
    print(f"{'ok' if good else 'not ok'} {count} - {name}", flush=True)


def bits_where(n, is_set):
    """The word of n bits in which bit i is set where is_set(i) holds."""
    return z3.Concat([z3.If(is_set(i), z3.BitVecVal(1, 1), z3.BitVecVal(0, 1))
                      for i in reversed(range(n))])


def runs_of(x):
    """[n]: bit i is set when bits i .. i + n - 1 of x are, for n = 0 .. 64."""
    runs = [z3.BitVecVal(-1, 64), x]
    for n in range(2, 65):
        runs.append(runs[-1] & z3.LShR(x, n - 1))
    return runs


# ---- The claims: each yields formulas that hold for all values of their variables ----


def mask(f):
    start, n = z3.BitVecs("start n", 32)
    result, defined = f("prove_mask").call(start, n)
    may = z3.And(z3.ULE(1, n), z3.ULE(n, 64), z3.ULE(start, 64 - n))
    is_set = lambda i: z3.And(z3.ULE(start, i), z3.ULT(i, start + n))
    yield z3.Implies(may, z3.And(defined, result == bits_where(64, is_set)))


def starts(f):
    x = z3.BitVec("x", 64)
    for n, runs in enumerate(runs_of(x)):
        if n:
            result, defined = f("prove_starts").call(x, z3.BitVecVal(n, 32))
            yield z3.And(defined, result == runs)


def longest(f):
    x = z3.BitVec("x", 64)
    result, defined = f("prove_longest").call(x)
    yield z3.And(defined, z3.ULE(result, 64))
    for n, runs in enumerate(runs_of(x)):
        if n:
            yield z3.UGE(result, n) == (runs != 0)


def multiples(f):
    first = z3.BitVec("first", 32)
    for step in (1 << i for i in range(7)):
        result, defined = f("prove_multiples").call(z3.BitVecVal(step, 32), first)
        is_set = lambda i, step=step: i % step == first
        yield z3.Implies(z3.ULT(first, step), z3.And(defined, result == bits_where(64, is_set)))


def lengths(f):
    n = z3.BitVec("n", 64)
    result, defined = f("prove_round").call(n)
    long = z3.UGE(n, 1 << 12)
    yield z3.Implies(z3.ULE(n, UNITS_MAX), z3.And(
        defined, z3.UGE(result, n), z3.ULT(result - n, z3.If(long, z3.BitVecVal(64, 64), 1)),
        z3.Implies(long, result & 63 == 0)))
    start, end = z3.BitVecs("from end", 64)
    result, defined = f("prove_grown").call(start, end)
    to_edge = z3.And(z3.LShR(start, 6) != z3.LShR(end, 6), start & 63 != 0)
    yield z3.Implies(z3.And(z3.ULT(start, end), z3.ULE(end, UNITS_MAX)), z3.And(
        defined, z3.UGE(result, end), z3.ULT(result - end, 64),
        z3.If(to_edge, result & 63 == 0, result == end)))


def nodes(f):
    """Level d of a tree has a place for each 32^(d + 1) numbers; levels do not overlap, and the
    bottom, which is as long as there are numbers, comes last."""
    i = z3.BitVec("i", 32)
    for depth, numbers in ((1, 32), (2, 1024), (3, 1 << 16)):
        first = [z3.simplify(f("prove_first").call(z3.BitVecVal(depth, 32), z3.BitVecVal(d, 32))[0])
                 for d in range(depth)]
        for d in range(depth):
            result, defined = f("prove_node").call(
                z3.BitVec("nodes", 64), z3.BitVecVal(depth, 32), z3.BitVecVal(d, 32), i)
            place = first[d] + z3.LShR(i, 5 * (d + 1))
            yield z3.Implies(z3.ULT(i, numbers), z3.And(
                defined, result == z3.ZeroExt(32, place) * 512,
                z3.ULT(place, first[d - 1]) if d else z3.BoolVal(True)))


CLAIMS = [("tac_bitrun_mask sets bits start .. start + n - 1 and no others", mask),
          ("tac_bitrun_starts finds each place of a run, for each length from 1 to 64", starts),
          ("tac_bitrun_longest is at least n where there is a run of n, and only there", longest),
          ("tac_span_multiples sets each step-th bit from the first on", multiples),
          ("tac_spans_round and tac_spans_grown go to the next edge where they should", lengths),
          ("tac_hint_offset: each node has its place in its level's part of the table", nodes)]

# Header, what stands there, what is planted instead, the claim that it breaks.
PLANTED = [("bitrun.h", "(~0ull >> (64 - n)) << start", "((1ull << n) - 1) << start", mask),
           ("bitrun.h", "return x & x >> (n - 16)", "return x & x >> (n - 15)", starts),
           ("bitrun.h", "of24, 24) : tac", "of16, 24) : tac", longest),
           ("bitrun.h", "return 32 + tac_bit_highest", "return 31 + tac_bit_highest", longest),
           ("spans_word.h", "0x0001000100010001", "0x0001000100010000", multiples),
           ("spans.h", "(size_t)1 << 12 ? 64 : 1", "(size_t)1 << 12 ? 32 : 1", lengths),
           ("hints.h", "i >> (5 * d - 4)", "i >> (5 * d - 3)", nodes)]


def compiled(include):
    """How to get a function of prove_spans.c, compiled with these folders first."""
    text = subprocess.run(
        ["clang", *FLAGS, "-O1", "-fno-vectorize", "-fno-slp-vectorize", "-S", "-emit-llvm", "-o", "-",
         "-I", include, "-I", f"{ROOT}/src", "-I", f"{ROOT}/include", SOURCE],
        check=True, capture_output=True, text=True).stdout
    return lambda name: Function(text, name)


def refuted(claim, functions):
    """Values for which the claim is wrong, or None when it is proved."""
    formulas = list(claim(functions))
    for first in reversed(range(0, len(formulas), TOGETHER)):
        solver = z3.SolverFor("QF_BV")
        solver.set("timeout", 60000)
        solver.add(z3.Not(z3.And(formulas[first:first + TOGETHER])))
        answer = solver.check()
        if answer != z3.unsat:
            return str(solver.model()) if answer == z3.sat else "no answer in time"
    return None


def word(random_bits):
    """Long runs are rare in random words."""
    x = random_bits(64)
    for _ in range(random_bits(2)):
        x |= x << random_bits(4)
    return x & (1 << 64) - 1


def translation_differs(functions, folder):
    """The first call whose term has another value than the compiled function's."""
    library = f"{folder}/spans.so"
    subprocess.run([*COMPILER.split(), *FLAGS, "-O3", "-shared", "-fPIC", "-I", f"{ROOT}/src", "-I",
                    f"{ROOT}/include", SOURCE, "-o", library], check=True)
    program = ctypes.CDLL(library)
    program.prove_starts.restype = ctypes.c_uint64
    random_bits = random.Random(1).getrandbits
    x, n = z3.BitVec("x", 64), z3.BitVec("n", 32)
    starts_term = functions("prove_starts").call(x, n)[0]
    longest_term = functions("prove_longest").call(x)[0]
    for _ in range(300):
        value, length = word(random_bits), random_bits(6) + 1
        here = [(x, z3.BitVecVal(value, 64)), (n, z3.BitVecVal(length, 32))]
        for term, result in (
                (starts_term, program.prove_starts(ctypes.c_uint64(value), ctypes.c_uint(length))),
                (longest_term, program.prove_longest(ctypes.c_uint64(value)))):
            if z3.simplify(z3.substitute(term, *here)).as_long() != result:
                return f"x {value:#x}, n {length}: {result}"
    return None


def header_with(name, before, after, folder):
    with open(f"{ROOT}/src/mem/{name}", encoding="utf-8") as source:
        text = source.read()
    if text.count(before) != 1:
        return False
    os.makedirs(f"{folder}/mem")
    with open(f"{folder}/mem/{name}", "w", encoding="utf-8") as out:
        out.write(text.replace(before, after))
    return True


def main():
    with tempfile.TemporaryDirectory() as folder:
        functions = compiled(folder)
        for name, claim in CLAIMS:
            why = refuted(claim, functions)
            ok(why is None, name, f"{why}")
        why = translation_differs(functions, folder)
        ok(why is None, "the terms have the values of the compiled functions", f"{why}")
    for name, before, after, claim in PLANTED:
        with tempfile.TemporaryDirectory() as folder:
            why = header_with(name, before, after, folder) and refuted(claim, compiled(folder))
            ok(bool(why), f"refuted: {after} in {name}", "not refuted, or the line is not there")
    print(f"1..{count}")


if z3 is None or not shutil.which("clang"):
    print(f"1..0 # SKIP {'clang' if z3 else 'the Python module of Z3 (python3-z3)'} is not installed")
    sys.exit(0)
main()
sys.exit(1 if failures else 0)
