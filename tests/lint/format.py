# SPDX-License-Identifier: MIT
"""Every C file is as clang-format with the tree's .clang-format would write it."""
import pathlib
import shutil
import subprocess

import harness

STYLE = pathlib.Path(__file__).resolve().parents[2] / ".clang-format"


def check(tree):
    if not shutil.which("clang-format"):
        raise harness.Unavailable("there is no clang-format (tools/bootstrap optional)")
    names = tree.files(".c", ".h")
    if not names:
        return []
    run = subprocess.run(["clang-format", f"--style=file:{STYLE}", "--dry-run", "-Werror",
                          "--ferror-limit=1"] + names,
                         cwd=tree.root, capture_output=True, text=True, check=False)
    return [line.split(": error:")[0] + ": is not formatted; run clang-format -i"
            for line in run.stderr.splitlines() if ": error:" in line]


PLANTED = [
    ("unformatted", {"src/mem/x.c": "int   f( void ){return 0;}\n"}, "src/mem/x.c:1"),
]

if __name__ == "__main__":
    harness.main(check, PLANTED)
