# SPDX-License-Identifier: MIT
"""What every lint shares: TAP output, and proof that the lint can fail.

A lint is one file with
    check(tree) -> list of faults, each "path:line: what is wrong"
    PLANTED = [(test name, {path: text}, expected part of a fault), ...]
and ends with harness.main(check, PLANTED). The first test runs check on the real tree; the others
plant the files in an empty tree and demand that check finds the fault. A check may raise
Unavailable with the reason when a tool that it needs is absent; that is a skip.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile


class Unavailable(Exception):
    pass


class Tree:
    """A source tree; files() are those that git knows, or all when it is not a repository."""

    def __init__(self, root, options):
        self.root = pathlib.Path(root)
        self.options = options

    def files(self, *suffixes):
        git = subprocess.run(["git", "-C", str(self.root), "ls-files", "-co", "--exclude-standard"],
                             capture_output=True, text=True, check=False)
        if git.returncode == 0 and git.stdout:
            names = git.stdout.splitlines()
        else:
            names = [str(p.relative_to(self.root)) for p in self.root.rglob("*") if p.is_file()]
            names = [n for n in names if not n.split("/")[0].startswith(("build", ".git"))]
        return sorted(n for n in names
                      if (not suffixes or n.endswith(suffixes)) and (self.root / n).is_file())

    def text(self, name):
        return (self.root / name).read_text(encoding="utf-8", errors="replace")

    def lines(self, name):
        return enumerate(self.text(name).splitlines(), 1)


def plant(files, options, check):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = pathlib.Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return check(Tree(folder, options))


def report(number, name, faults):
    for fault in faults:
        print("# " + fault.replace("\n", "\n# "))
    print(f"{'not ok' if faults else 'ok'} {number} - {name}")
    return bool(faults)


def main(check, planted):
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", default=".")
    parser.add_argument("--build", default="build")
    parser.add_argument("--cc", default="cc")
    parser.add_argument("--cxx", default="c++")
    options = parser.parse_args()
    what = os.path.basename(sys.argv[0]).removesuffix(".py")
    print(f"1..{1 + len(planted)}")
    bad = 0
    try:
        bad += report(1, f"{what}_tree_is_clean", check(Tree(options.root, options)))
        for number, (name, files, expected) in enumerate(planted, 2):
            found = plant(files, options, check)
            missed = [] if any(expected in fault for fault in found) else [
                f"planted fault not found; expected '{expected}', got {found}"]
            bad += report(number, f"{what}_{name}_is_found", missed)
    except Unavailable as why:
        for number in range(1, 2 + len(planted)):
            print(f"ok {number} - {what}_{number} # SKIP {why}")
    sys.exit(1 if bad else 0)
