# SPDX-License-Identifier: MIT
"""Each shared library exports only its own names (tac_...) and the ones that it stands in for.

tests/lint/exports lists the latter: a library, then a pattern for whole names, one a line.
"""
import pathlib
import re
import shutil
import subprocess

import harness

LIST = pathlib.Path(__file__).resolve().parent / "exports"


def allowed():
    pairs = []
    for line in LIST.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            pairs.append(line.split())
    return pairs


def exported(path):
    run = subprocess.run(["nm", "-D", "--defined-only", "--format=posix", str(path)],
                         capture_output=True, text=True, check=True)
    return [line.split()[0].split("@")[0] for line in run.stdout.splitlines() if line.strip()]


def faults_of(library, names):
    stem = library.split(".so")[0]
    extra = [pattern for wanted, pattern in allowed() if wanted == stem]
    return [f"{library}:0: exports {name}" for name in names
            if not name.startswith("tac_") and not any(re.fullmatch(p, name) for p in extra)]


def check(tree):
    if not shutil.which("nm"):
        raise harness.Unavailable("there is no nm")
    planted = tree.root / "planted"
    if planted.exists():
        name, *names = planted.read_text(encoding="utf-8").split()
        return faults_of(name, names)
    found = sorted(p for p in pathlib.Path(tree.options.build, "src").rglob("lib*.so*")
                   if p.is_file() and not p.is_symlink() and not p.name.endswith(".symbols"))
    return [fault for path in found for fault in faults_of(path.name, exported(path))]


PLANTED = [
    ("foreign_name", {"planted": "libtactus-trace.so tac_zone_begin helper"}, "exports helper"),
    ("heap_in_the_wrong_library", {"planted": "libtactus-trace.so malloc"}, "exports malloc"),
]

if __name__ == "__main__":
    harness.main(check, PLANTED)
