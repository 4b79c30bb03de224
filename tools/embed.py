#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# embed.py OUTPUT HEADER INPUT... - writes each input as a C array named tac_<file name with underscores>,
# as HEADER declares it.
import os
import re
import sys


def numbers(data):
    values = ["%d" % byte for byte in data] + ["0"]
    rows = [", ".join(values[i:i + 20]) for i in range(0, len(values), 20)]
    return ",\n    ".join(rows)


def signed(data):
    return [byte - 256 if byte > 127 else byte for byte in data]


def main():
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        out.write("/* written by embed.py; do not edit */\n#include \"%s\"\n\n" % sys.argv[2])
        for path in sys.argv[3:]:
            name = "tac_" + re.sub(r"\W", "_", os.path.basename(path))
            with open(path, "rb") as file:
                out.write("const char %s[] = {\n    %s};\n\n" % (name, numbers(signed(file.read()))))


main()
