# SPDX-License-Identifier: MIT
"""Each public header compiles alone, as C17 and as C++17, with every common warning an error."""
import shutil
import subprocess

import harness

FLAGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"]


def compile_alone(tree, command, header):
    source = f'#include "tactus/{header}"\n#include "tactus/{header}"\nint tac_alone(void);\n'
    run = subprocess.run(command + FLAGS + ["-I", str(tree.root / "include"), "-"], input=source,
                         capture_output=True, text=True, check=False)
    first = next((line for line in run.stderr.splitlines() if "error" in line), run.stderr[:200])
    return [] if run.returncode == 0 else [
        f"include/tactus/{header}:1: does not compile with {' '.join(command)}: {first}"]


def check(tree):
    commands = [tree.options.cc.split() + ["-std=c17", "-x", "c"],
                tree.options.cxx.split() + ["-std=c++17", "-x", "c++"]]
    for command in commands:
        if not shutil.which(command[0]):
            raise harness.Unavailable(f"there is no {command[0]}")
    faults = []
    listed = tree.text("include/meson.build")
    for name in tree.files(".h"):
        if not name.startswith("include/tactus/"):
            continue
        header = name.rsplit("/", 1)[1]
        if f"'tactus/{header}'" not in listed:
            faults.append(f"{name}:1: is not listed in include/meson.build")
        for command in commands:
            faults += compile_alone(tree, command, header)
    return faults


def planted(text):
    return {"include/meson.build": "'tactus/x.h'", "include/tactus/x.h": text}


PLANTED = [
    ("missing_include", planted("#pragma once\nint f(size_t n);\n"), "does not compile with"),
    ("keyword_of_cxx", planted("#pragma once\nint f(int class);\n"), "-std=c++17"),
    ("gnu_extension", planted("#pragma once\nstruct x { int n; int a[0]; };\n"), "-std=c17"),
    ("missing_guard", planted("struct x { int n; };\n"), "does not compile with"),
    ("unlisted", {"include/meson.build": "", "include/tactus/x.h": "#pragma once\n"},
     "is not listed in include/meson.build"),
]

if __name__ == "__main__":
    harness.main(check, PLANTED)
