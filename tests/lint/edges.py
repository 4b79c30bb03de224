# SPDX-License-Identifier: MIT
"""Which part may include which: the table of ARCHITECTURE.md, enforced.

Includes are written from src/ ("mem/arena.h"), so every line shows its edge. A value "part/name"
allows one header of that part only. dsp is pure: of the system's headers it may use those that
bring no heap, file, thread, clock or log.
"""
import re

import harness

MAY = {
    "base": [],
    "mem": ["base"],
    "trace": ["base"],
    "dsp": ["base"],
    "graph": ["base", "dsp"],
    "capture": ["base", "trace/format.h", "trace/pack.h", "trace/squeeze.h"],
    "doctor": ["base", "capture", "tactus/trace.h"],
    "view": ["base", "capture", "doctor", "tactus/trace.h"],
    "watch": ["base", "mem", "trace"],
    "backend": ["base"],
    "engine": ["base", "mem", "trace", "dsp", "graph", "backend/backend.h"],
    "cli": ["base", "mem", "trace", "dsp", "graph", "capture", "doctor", "view", "watch",
            "backend", "engine"],
}
# The part that a public header belongs to.
PUBLIC = {"error.h": "base", "version.h": "base", "mem.h": "mem", "pool.h": "mem",
          "trace.h": "trace", "cycle.h": "trace", "lock.h": "trace", "block.h": "dsp", "engine.h": "engine",
          "mixer.h": "engine"}
PURE = re.compile(r"^(math|stdint|stddef|stdbool|string|float|limits|assert|stdatomic|stdalign"
                  r"|tgmath|\w*intrin|arm_neon)\.h$")
# dsp/variants.c asks the CPU and the environment which variants to list; no block does.
IMPURE = {"src/dsp/variants.c": {"stdlib.h"}, "src/dsp/registry.c": {"stdlib.h"}}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]')


def edge_fault(part, target):
    owner, _, header = target.partition("/")
    if not header:
        return f'write the include from src/: "{part}/{target}"'
    if owner == "tactus":
        if header not in PUBLIC:
            return f"tests/lint/edges.py does not know which part tactus/{header} belongs to"
        owner = PUBLIC[header]
    elif owner not in MAY:
        return f"there is no part {owner}"
    if owner == part or owner in MAY[part] or target in MAY[part]:
        return None
    return f"{part} may not include {owner}"


def check(tree):
    faults = []
    for name in tree.files(".c", ".h", ".c.in", ".h.in"):
        part = name.split("/")[1] if name.startswith("src/") and name.count("/") > 1 else None
        if part is None:
            continue
        if part not in MAY:
            faults.append(f"{name}:1: {part} has no line in the table of tests/lint/edges.py")
            continue
        for number, line in tree.lines(name):
            match = INCLUDE.match(line)
            if not match:
                continue
            kind, target = match.groups()
            fault = None
            if kind == '"' and not target.endswith("_list.h"):  # lists are made by Meson
                fault = edge_fault(part, target)
            elif kind == "<" and part == "dsp" and not PURE.match(target):
                if target not in IMPURE.get(name, ()):
                    fault = f"dsp is pure and may not include <{target}>"
            if fault:
                faults.append(f"{name}:{number}: {fault}")
    return faults


PLANTED = [
    ("forbidden_edge", {"src/dsp/bad.h": '#include "engine/plan.h"\n'},
     "src/dsp/bad.h:1: dsp may not include engine"),
    ("forbidden_public_edge", {"src/mem/bad.c": '\n#include "tactus/trace.h"\n'},
     "src/mem/bad.c:2: mem may not include trace"),
    ("other_header_than_allowed", {"src/engine/bad.c": '#include "backend/alsa_card.h"\n'},
     "engine may not include backend"),
    ("impure_dsp", {"src/dsp/blocks/bad.c": "#include <stdio.h>\n"},
     "dsp is pure and may not include <stdio.h>"),
    ("short_include", {"src/mem/bad.c": '#include "arena.h"\n'}, "write the include from src/"),
    ("unknown_part", {"src/misc/bad.c": "int x;\n"}, "misc has no line in the table"),
]

if __name__ == "__main__":
    harness.main(check, PLANTED)
