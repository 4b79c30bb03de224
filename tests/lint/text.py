# SPDX-License-Identifier: MIT
"""The text of the sources: licence line, opening comment, sizes, names, words that may not stay.

Soft limits are printed as warnings: 600 lines a file, 80 a function. Twice a limit is a fault.
"""
import collections
import re

import harness

FILE_LINES, FUNCTION_LINES, COLUMNS = 600, 80, 100
CODE = (".c", ".h", ".c.in", ".h.in", ".py")
# Marks of unfinished work, and traces of one author's machine.
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
MACHINE = re.compile(r"(?<![\w.])/(wo" r"rk|ho" r"me|ro" r"ot)/\w|\bissue\s+#?\d", re.I)
# Named by the words of a registry, which are chosen for the user.
ENTRIES = re.compile(r"/(cmd|blocks|rules)/[^/]*$")
SELF = "tests/lint/text.py"
TEXT = CODE + (".md", ".build", ".yaml", ".txt", ".sh", "Makefile")


def functions(lines):
    """Yields (first line, length) of each function: a brace in column 0 up to one in column 0."""
    start = None
    for number, line in lines:
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start:
            yield start, number - start + 1
            start = None


def size_fault(name, line, what, lines, limit):
    if lines > 2 * limit:
        return [f"{name}:{line}: {what} has {lines} lines; {limit} is the limit"]
    if lines > limit:
        print(f"# warning: {name}:{line}: {what} has {lines} lines, more than {limit}")
    return []


def check_code(tree, name):
    text = tree.text(name)
    faults = []
    head = text.splitlines()[:3]
    if not any("SPDX-License-Identifier: MIT" in line for line in head):
        faults.append(f"{name}:1: has no SPDX line")
    if name.endswith((".c", ".h")) and not re.search(r"^ \* \S|^/\* \S.*\*/", text[:400], re.M):
        faults.append(f"{name}:1: has no opening comment")
    faults += size_fault(name, 1, "the file", text.count("\n"), FILE_LINES)
    if name.endswith(".c"):
        for start, length in functions(tree.lines(name)):
            faults += size_fault(name, start, "the function", length, FUNCTION_LINES)
    return faults


def check_lines(tree, name):
    faults = []
    for number, line in tree.lines(name):
        if UNFINISHED.search(line) and not name.endswith("run-tests"):
            faults.append(f"{name}:{number}: unfinished work does not land")
        if MACHINE.search(line):
            faults.append(f"{name}:{number}: names one person's machine or tracker")
        if line != line.rstrip():
            faults.append(f"{name}:{number}: ends in white space")
        if name.endswith((".c", ".h")) and len(line) > COLUMNS:
            faults.append(f"{name}:{number}: is longer than {COLUMNS} columns")
    return faults


def check_names(tree):
    """A name tells the file: unique in src/; a public header may have an inner namesake."""
    seen = collections.defaultdict(list)
    for name in tree.files(".c", ".h"):
        if name.startswith(("src/", "tests/")) and not ENTRIES.search(name):
            seen[name.rsplit("/", 1)[1]].append(name)
    return [f"{names[0]}:1: has the name of {', '.join(names[1:])}"
            for names in seen.values() if len(names) > 1]


def check(tree):
    faults = check_names(tree)
    for name in tree.files(*CODE):
        faults += check_code(tree, name)
    for name in tree.files(*TEXT):
        if name != SELF:
            faults += check_lines(tree, name)
    return faults


GOOD = "/* SPDX-License-Identifier: MIT\n * x.c - does nothing. */\n"
PLANTED = [
    ("missing_licence", {"src/mem/x.c": "/* x */\n"}, "has no SPDX line"),
    ("missing_opening", {"src/mem/x.c": "// SPDX-License-Identifier: MIT\nint x;\n"},
     "has no opening comment"),
    ("huge_file", {"src/mem/x.c": GOOD + "int x;\n" * 1300}, "the file has"),
    ("huge_function", {"src/mem/x.c": GOOD + "{\n" + "    x++;\n" * 170 + "}\n"},
     "src/mem/x.c:3: the function has"),
    ("unfinished", {"src/mem/x.c": GOOD + "// TO" "DO later\n"}, "unfinished work"),
    ("machine", {"README.md": "see /ho" "me/me/x\n"}, "one person's machine"),
    ("long_line", {"src/mem/x.c": GOOD + "int " + "x" * 100 + ";\n"}, "longer than 100"),
    ("trailing_space", {"README.md": "word \n"}, "ends in white space"),
    ("same_name", {"src/mem/x.c": GOOD, "src/trace/x.c": GOOD}, "has the name of src/trace/x.c"),
]

if __name__ == "__main__":
    harness.main(check, PLANTED)
