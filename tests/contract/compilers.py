#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Two compilers, one sound: the blocks, compiled by another compiler, give the same bits.

usage: compilers.py BITS ROOT BUILD COMPILER

BITS is tests/contract/bits.c as this build made it. The script compiles the same sources with the
other of gcc and clang, without optimizing much (bits that depend on that would be a fault, too), and
compares line by line: one lane of the plain instruction set, and many lanes of AVX2. Skipped (77) where
no other compiler is installed."""
import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile

COMMON = ["-std=gnu17", "-O1", "-w", "-D_GNU_SOURCE", "-ffp-contract=off", "-fno-math-errno",
          "-fno-trapping-math"]
FLAGS = {"": [], "avx2": ["-mavx2", "-mfma"]}


def other_compiler(compiler):
    words = ["gcc"] if "clang" in compiler else ["clang", "clang-19", "clang-16", "clang-14"]
    return next((word for word in words if shutil.which(word)), None)


def compile_all(compiler, root, build, variants, folder):
    blocks = sorted(name[:-2] for name in os.listdir(f"{root}/src/dsp/blocks") if name.endswith(".c"))
    with open(f"{folder}/dsp/block_list.h", "w", encoding="ascii") as out:
        out.write("#define TAC_BLOCK_LIST(X, V) " + " ".join(f"X({b}, V)" for b in blocks) + "\n")
        out.write("#define TAC_VARIANT_LIST(V) "
                  + " ".join(f'V({name}, "{isa}", {lanes})' for name, lanes, isa in variants) + "\n")
    include = ["-I", folder, "-I", f"{root}/include", "-I", f"{root}/src", "-I", f"{build}/src",
               "-I", f"{root}/tests", "-I", f"{root}/tests/contract"]
    flags = {name: [f"-DTAC_LANES={lanes}", f"-DTAC_VARIANT={name}", *FLAGS[isa]]
             for name, lanes, isa in variants}
    # what all blocks include (src/dsp/pch), once for each variant: where gcc and clang look for it
    ending = "gch" if "gcc" in compiler else "pch"
    heads = [("-xc-header", f"{root}/src/dsp/vec.h", f"{folder}/{name}.h.{ending}", flags[name])
             for name in flags]
    jobs = [("-c", f"{root}/src/dsp/blocks/{b}.c", f"{folder}/{b}-{name}.o",
             [*flags[name], "-include", f"{folder}/{name}.h"]) for b in blocks for name in flags]
    jobs += [("-c", source, f"{folder}/{os.path.basename(source)}.o", [])
             for source in (f"{root}/src/dsp/registry.c", f"{root}/tests/contract/bits.c",
                            f"{build}/src/dsp/tables.c")]

    def run(job):
        what, source, target, words = job
        subprocess.run([compiler, *COMMON, *words, *include, what, source, "-o", target], check=True)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(run, heads))
        list(pool.map(run, jobs))
    program = f"{folder}/bits"
    subprocess.run([compiler, *(job[2] for job in jobs), "-lm", "-o", program], check=True)
    return program


def lines(program):
    out = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    return {tuple(line.split()[:2]): line.split()[2] for line in out.splitlines()}


def main():
    bits, root, build, compiler = sys.argv[1:5]
    other = other_compiler(compiler)
    if not other:
        print("no other compiler is installed")
        return 77
    variants = [("base1", 1, "")]
    variants += [("avx2_8", 8, "avx2")] if os.uname().machine == "x86_64" else [("base4", 4, "")]
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(f"{folder}/dsp")
        theirs = lines(compile_all(other, root, build, variants, folder))
    ours = lines(bits)
    shared = sorted(set(ours) & set(theirs))
    differ = [key for key in shared if ours[key] != theirs[key]]
    for variant, block in differ:
        print(f"{block} in {variant}: other bits with {other}")
    print(f"{len(shared)} blocks and variants, {len(differ)} differ")
    return 1 if differ or not shared else 0


if __name__ == "__main__":
    sys.exit(main())
