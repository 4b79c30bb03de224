# SPDX-License-Identifier: MIT
"""Unmodified programs under `tactus run --record` and `tactus doctor`: their cycles are found.

usage: watch_programs.py TACTUS

JACK clients of the jackd2 package and aplay on ALSA's jack PCM, all on a headless jackd. The clean
ones among them must stay clean: no call and no heap operation in a cycle.
"""
import json
import pathlib
import re
import struct
import sys
import wave

import audio_servers
from audio_servers import RATE, Skip, jack, need, run


def record(tactus, folder, environment, command, heap="system"):
    """Runs a program for 3 s under record; returns its cycles by source, and the counts. A busy machine
    may take so long until it has a stream: then once more, with more time. jack_metro closes its
    client in its signal handler and hangs at times, on its own too: then it is killed, and the
    recording counts as far as it goes."""
    path = pathlib.Path(folder, "program.tac")
    path.unlink(missing_ok=True)
    for seconds in (3, 15):
        result = run([tactus, "run", "-q", f"--heap={heap}", "--record", str(path), "--", "timeout", "-k",
                      "3", "-s", "INT", str(seconds)] + command, environment, seconds=40)
        if path.exists():
            break
    assert path.exists(), f"{result.returncode}: {result.stderr}"
    info = run([tactus, "info", str(path)], environment)
    assert info.returncode == 0, info.stderr
    print("# " + info.stdout.replace("\n", "\n# "))
    cycles, counts, in_cycles = {}, {}, False
    for line in info.stdout.splitlines():
        words = line.split()
        if line.startswith("cycles of"):
            in_cycles = True
        elif line.startswith("zones "):
            in_cycles = False
            counts = {name.strip(): int(n) for name, n in re.findall(r"([a-z ]+) (\d+)", line)}
        elif in_cycles and len(words) >= 4:
            cycles[words[0]] = int(words[-3])
    return path, cycles, counts


def jack_metro_is_found_and_clean(tactus, folder):
    need("jack_metro")
    with jack(folder) as environment:
        _, cycles, counts = record(tactus, folder, environment, ["jack_metro", "-b", "120"])
    assert cycles.get("jack:metro", 0) > 100, cycles
    assert counts["zones"] == 0, counts


def jack_simple_client_is_found_on_either_heap(tactus, folder):
    need("jack_simple_client")
    with jack(folder) as environment:
        for heap in ("system", "tactus"):
            _, cycles, counts = record(tactus, folder, environment, ["jack_simple_client"], heap)
            assert cycles.get("jack:jack_simple_client", 0) > 100, cycles
            assert counts["zones"] == 0, counts


def aplay_has_cycles_between_its_writes(tactus, folder):
    need("aplay")
    raw = pathlib.Path(folder, "silence.raw")
    raw.write_bytes(bytes(4 * RATE * 2))
    with jack(folder) as environment:
        with open(environment["ALSA_CONFIG_PATH"], "a", encoding="utf-8") as conf:
            conf.write('pcm.jkp { type plug slave { pcm "jk" } }\n')
        path, cycles, _ = record(tactus, folder, environment,
                                 ["aplay", "-D", "jkp", "-f", "S16_LE", "-c", "2", "-r", str(RATE),
                                  str(raw)])
        # the device's own JACK client came with a plug-in of local scope
        assert any(name.startswith("jack:") and n > 100 for name, n in cycles.items()), cycles
        assert cycles.get("alsa:jkp", 0) >= 5, cycles
        result = run([tactus, "doctor", "--json", str(path)], environment)
        report = json.loads(result.stdout)
        assert result.returncode in (0, 1) and report, result.stderr


def calls_in_cycles(tactus, environment, path):
    """The list of calls and heap operations that the doctor names, as text."""
    text = run([tactus, "doctor", str(path)], environment).stdout
    return text.partition("Calls inside cycles")[2].partition("Evidence")[0]


def ecasound_allocates_in_each_callback(tactus, folder):
    need("ecasound", install="optional")
    wav = pathlib.Path(folder, "silence.wav")
    with wave.open(str(wav), "wb") as out:
        out.setparams((1, 2, RATE, 0, "NONE", ""))
        out.writeframes(bytes(2 * 5 * RATE))
    with jack(folder) as environment:
        path, cycles, _ = record(tactus, folder, environment,
                                 ["ecasound", "-q", "-f:f32,2,48000", "-i", str(wav), "-o",
                                  "jack,system"])
        calls = calls_in_cycles(tactus, environment, path)
    assert cycles.get("jack:ecasound", 0) > 100, cycles
    assert "malloc" in calls and "free" in calls, calls


def fluidsynth_reads_its_file_in_the_callback(tactus, folder):
    need("fluidsynth", install="optional")
    font = pathlib.Path("/usr/share/sounds/sf2/TimGM6mb.sf2")
    if not font.exists():
        raise Skip("there is no TimGM6mb.sf2 (tools/bootstrap optional)")
    notes = b"".join(bytes([0, 0x90, 60, 100, 96, 0x80, 60, 0]) for _ in range(8))
    track = notes + bytes([0, 0xff, 0x2f, 0])
    song = pathlib.Path(folder, "song.mid")
    song.write_bytes(b"MThd" + struct.pack(">IHHH", 6, 0, 1, 96) + b"MTrk" +
                     struct.pack(">I", len(track)) + track)
    with jack(folder) as environment:
        path, cycles, _ = record(tactus, folder, environment,
                                 ["fluidsynth", "-i", "-a", "jack", str(font), str(song)])
        calls = calls_in_cycles(tactus, environment, path)
    assert cycles.get("jack:fluidsynth", 0) > 50, cycles
    assert "fopen" in calls, calls


def the_status_of_the_program_is_kept(tactus, folder):
    for command, status in ((["true"], 0), (["sh", "-c", "exit 7"], 7),
                            (["sh", "-c", "kill -9 $$"], 137)):
        result = run([tactus, "run", "-q", "--"] + command, None)
        assert result.returncode == status, f"{command}: {result.returncode}"
    result = run([tactus, "run", "--", "ls", folder], None)
    assert "heap of ls" in result.stderr, result.stderr
    script = pathlib.Path(folder, "script")
    script.write_text("no program", encoding="utf-8")
    for command, word in ((["nowhere-to-be-found"], "no such program"), ([str(script)], "chmod")):
        result = run([tactus, "run", "--"] + command, None)
        assert result.returncode == 3 and word in result.stderr, result.stderr
        assert result.stderr.count("\n") == 1, result.stderr


if __name__ == "__main__":
    sys.exit(audio_servers.main((
        the_status_of_the_program_is_kept, jack_metro_is_found_and_clean,
        jack_simple_client_is_found_on_either_heap, aplay_has_cycles_between_its_writes,
        ecasound_allocates_in_each_callback, fluidsynth_reads_its_file_in_the_callback)))
