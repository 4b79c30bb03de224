# SPDX-License-Identifier: MIT
"""Each public header compiles alone, as C17 and as C++17, with every common warning an error; so do its
macros that make code, used once."""
import shutil
import subprocess

import harness

FLAGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"]

USES = {
    "cycle.h": "void f(int s);\nvoid f(int s) { TAC_CYCLE_BEGIN(s, 0, 64); TAC_CYCLE_END(s); }\n",
    "lock.h": "extern struct tac_lock l;\nstruct tac_lock l = TAC_LOCK_INITIALIZER;\n",
    "mem.h": "void f(void);\nvoid f(void) { TAC_HEAP_SCOPE(TAC_HEAP_FORBID); }\n",
    "pool.h": """struct thing { int n; };
TAC_POOL_TYPED(things, struct thing);
int f(struct tac_pool *p);
int f(struct tac_pool *p)
{
    struct tac_pool_config config = {"things", 0, 4, TAC_POOL_OWNER, 0, 0};
    struct thing *t = things_get(p);
    return things_new(config, &p) + things_put(p, t) + (things_at(p, 0) == t);
}
""",
    "trace.h": """void f(void);
void f(void)
{
    TAC_ZONE("zone");
    TAC_ZONE_NAMED(inner, TAC_CAT_APP, 2, "inner");
    TAC_ZONE_VALUE_OF(inner, 1);
    TAC_ZONE_VALUE(2);
    TAC_ZONE_TEXT("text");
    TAC_PLOT("plot", "Hz", 440.0);
    TAC_MESSAGE("message", 3);
    TAC_FLOW(TAC_FLOW_BEGIN, 4);
    TAC_THREAD("name");
}
""",
}


def compile_alone(tree, command, header):
    source = f'#include "tactus/{header}"\n#include "tactus/{header}"\nint tac_alone(void);\n'
    source += USES.get(header, "")
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
    ("macro_of_c_alone", {"include/meson.build": "'tactus/pool.h'", "include/tactus/pool.h":
                          "#pragma once\n#define TAC_POOL_TYPED(name, type) _Static_assert(1, name)\n"},
     "-std=c++17"),
    ("missing_guard", planted("struct x { int n; };\n"), "does not compile with"),
    ("unlisted", {"include/meson.build": "", "include/tactus/x.h": "#pragma once\n"},
     "is not listed in include/meson.build"),
]

if __name__ == "__main__":
    harness.main(check, PLANTED)
