#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What is installed is enough: the command with its examples, and each library for a program that
knows nothing but its pkg-config file.

usage: installed.py BUILD CC [TEST...]    Prints TAP.
"""
import os
import pathlib
import shlex
import subprocess
import sys

import audio_servers
from audio_servers import need, run

CC = shlex.split(sys.argv.pop(2))
PROGRAMS = {"tactus": "#include <tactus/engine.h>\nint main(void)\n{\n    struct tac_engine *e;\n"
                      "    if (tac_engine_new(0, &e) < 0)\n        return 1;\n"
                      "    tac_engine_free(e);\n    return 0;\n}\n",
            "tactus-trace": "#include <tactus/trace.h>\nint main(void)\n{\n"
                            "    return tac_thread_register(\"main\", 0) < 0;\n}\n",
            "tactus-mem": "#include <stdlib.h>\n#include <tactus/mem.h>\nint main(void)\n{\n"
                          "    void *p = malloc(100);\n    free(p);\n    return !p;\n}\n"}


def install(build, folder):
    """Returns the folder that stands for the prefix."""
    result = run(["meson", "install", "-C", build, "--no-rebuild", "--destdir", folder])
    assert result.returncode == 0, result.stdout + result.stderr
    found = list(pathlib.Path(folder).glob("**/bin/tactus"))
    assert len(found) == 1, found
    return found[0].parent.parent


def libraries(prefix):
    return next(prefix.glob("lib*/**/pkgconfig")).parent


def the_command_finds_its_parts(build, folder):
    """In a folder whose name the loader would take for three."""
    prefix = install(build, os.path.join(folder, "a b:c"))
    examples = sorted(str(p) for p in (prefix / "share/tactus/examples").glob("*.yaml"))
    assert len(examples) > 5, examples
    command = str(prefix / "bin/tactus")
    for words in (["--version"], ["check", *examples], ["run", "--", "true"],
                  ["run", "--heap=tactus", "--", "true"]):
        result = run([command, *words], dict(os.environ, LD_LIBRARY_PATH=""))
        assert result.returncode == 0, f"{words}: {result.stdout}{result.stderr}"
        assert "preload" not in result.stderr, result.stderr


def a_program_needs_the_pkg_config_file_alone(build, folder):
    need("pkg-config")
    prefix = install(build, folder)
    there = libraries(prefix)
    environment = dict(os.environ, PKG_CONFIG_PATH=str(there / "pkgconfig"),
                       PKG_CONFIG_SYSROOT_DIR=folder, LD_LIBRARY_PATH=str(there))
    for name, text in PROGRAMS.items():
        source, program = pathlib.Path(folder, name + ".c"), str(pathlib.Path(folder, name))
        source.write_text(text, encoding="utf-8")
        flags = run(["pkg-config", "--cflags", "--libs", name], environment)
        assert flags.returncode == 0, flags.stderr
        made = run([*CC, str(source), "-o", program, *shlex.split(flags.stdout)], environment)
        assert made.returncode == 0, f"{name}: {made.stderr}"
        ended = subprocess.run([program], env=environment, check=False, timeout=60)
        assert ended.returncode == 0, f"{name} ended with {ended.returncode}"


if __name__ == "__main__":
    sys.exit(audio_servers.main((the_command_finds_its_parts, a_program_needs_the_pkg_config_file_alone)))
