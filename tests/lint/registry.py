# SPDX-License-Identifier: MIT
"""One more block, backend, rule or command costs one file and one word: no file without its word.

The word lists stand in <folder>/meson.build as NAME = [ 'word', ... ]. A list may also grow by
NAME += ['word'] where an option decides. Meson refuses a word without a file by itself, but only
when the option is on, so both directions are checked here. A source that the list says in full
('backend_cycle.c') serves the entries and is none itself.
"""
import re

import harness

FOLDERS = {
    "src/dsp/blocks": "blocks",
    "src/backend": "backends",
    "src/doctor/rules": "rules",
    "src/cli/cmd": "cmds",
    "src/capture/export": "exports",
}


def words(text, name):
    text = re.sub(r"#.*", "", text)
    lists = re.findall(rf"^\s*{name}\s*\+?=\s*\[(.*?)\]", text, re.M | re.S)
    return re.findall(r"'([a-z0-9_]+)'", " ".join(lists))


def check(tree):
    faults = []
    files = tree.files()
    for folder, name in FOLDERS.items():
        build = folder + "/meson.build"
        sources = [f[len(folder) + 1:-2] for f in files
                   if f.startswith(folder + "/") and f.endswith(".c") and f.count("/") == folder.count("/") + 1]
        if build not in files:
            if sources:
                faults.append(f"{build}:1: is missing")
            continue
        listed = words(tree.text(build), name)
        for word in sorted(set(listed)):
            if listed.count(word) > 1:
                faults.append(f"{build}:1: '{word}' is listed twice")
            if word not in sources:
                faults.append(f"{build}:1: '{word}' is listed and {folder}/{word}.c does not exist")
        for source in sources:
            if source not in listed and f"'{source}.c'" not in tree.text(build):
                faults.append(f"{folder}/{source}.c:1: is not listed in {build}")
    return faults


PLANTED = [
    ("file_without_word", {"src/dsp/blocks/meson.build": "blocks = ['sine']\n",
                           "src/dsp/blocks/sine.c": "", "src/dsp/blocks/saw.c": ""},
     "src/dsp/blocks/saw.c:1: is not listed"),
    ("word_without_file", {"src/cli/cmd/meson.build": "cmds = [\n  'play', # 'note'\n]\n"},
     "'play' is listed and src/cli/cmd/play.c does not exist"),
    ("word_twice", {"src/doctor/rules/meson.build": "rules = ['lock', 'lock']\n",
                    "src/doctor/rules/lock.c": ""}, "'lock' is listed twice"),
    ("folder_without_list", {"src/backend/timer.c": ""}, "src/backend/meson.build:1: is missing"),
]

if __name__ == "__main__":
    harness.main(check, PLANTED)
