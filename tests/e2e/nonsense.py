#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Mistakes that could cost a user something: each is one line and a non-zero exit, and what was there
before is there after.

usage: nonsense.py TACTUS EXAMPLES [TEST...]    Prints TAP.
"""
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys

import audio_servers
from audio_servers import samples_of

EXAMPLES = pathlib.Path(sys.argv.pop(2))
TAPE = """name: tape
nodes:
  osc:  {block: sine, frequency: 440 Hz}
  tape: {block: recorder, file: tape.wav}
cables:
  - osc.out -> output
  - osc.out -> tape.in
"""
THROUGH = "name: through\ninput: 1\noutput: 1\ncables:\n  - input -> output\n"
PLAYER = """name: player
nodes:
  strings: {block: player, file: strings.flac, loop: yes}
cables:
  - strings.out -> output
"""


class Desk:
    """Patches and sounds in a folder, and the program."""
    def __init__(self, tactus, folder):
        self.tactus, self.folder = str(pathlib.Path(tactus).resolve()), pathlib.Path(folder)
        for name, text in (("tape", TAPE), ("through", THROUGH), ("player", PLAYER)):
            self.path(name + ".yaml").write_text(text, encoding="utf-8")
        shutil.copy(EXAMPLES / "sounds" / "strings.flac", self.folder)
        self.good("render", "tape.yaml", "-o", "one.wav", "-s", "0.5", "-q")

    def path(self, name):
        return self.folder / name

    def run(self, *words, **how):
        return subprocess.run([self.tactus, *words], cwd=self.folder, capture_output=True, text=True,
                              timeout=60, stdin=subprocess.DEVNULL, check=False, **how)

    def good(self, *words):
        result = self.run(*words)
        assert result.returncode == 0, result.stderr
        return result

    def refused(self, *words, code=3, says="", **how):
        result = self.run(*words, **how)
        lines = result.stderr.splitlines()
        assert result.returncode == code and len(lines) == 1, f"{words}: {result.returncode} {lines}"
        assert lines[0].startswith(f"tactus {words[0]}: ") and says in lines[0], lines[0]
        assert "System error" not in lines[0] and not lines[0].endswith("."), lines[0]


def what_is_read_is_not_written_over(tactus, folder):
    desk = Desk(tactus, folder)
    os.symlink("one.wav", desk.path("link.wav"))
    short = ("--seconds", "0.1")
    cases = [(("render", "through.yaml", "-i", "one.wav", "-o", "one.wav"), "one.wav"),
             (("render", "through.yaml", "-i", "one.wav", "-o", "link.wav"), "one.wav"),
             (("render", "tape.yaml", "-o", "./tape.wav", *short), "tape.wav"),
             (("render", "player.yaml", "-o", "strings.flac", *short), "strings.flac"),
             (("play", "player.yaml", "--record", "strings.flac", *short), "strings.flac"),
             (("play", "tape.yaml", "--record", "tape.yaml", *short), "tape.yaml"),
             (("play", "tape.yaml", "--trace", "tape.yaml", *short), "tape.yaml"),
             (("play", "tape.yaml", "-B", "file", "-d", "tape.wav", *short), "tape.wav")]
    for words, name in cases:
        before = desk.path(name).read_bytes()
        desk.refused(*words, says="would be written over")
        assert desk.path(name).read_bytes() == before, words
    desk.refused("play", "tape.yaml", "--record", "same", "--trace", "same", *short, says="twice")


def a_report_does_not_replace_its_recording(tactus, folder):
    desk = Desk(tactus, folder)
    desk.good("play", "tape.yaml", "--seconds", "0.3", "--trace", "r.tac")
    before = desk.path("r.tac").read_bytes()
    desk.refused("doctor", "r.tac", "--html", "./r.tac", says="would be written over")
    desk.refused("doctor", "r.tac", "-o", "report.html", code=2, says="--html")
    desk.refused("run", "--record", "--", "true", code=2, says="needs a value")
    desk.refused("capture", "--listen", "tcp::1", "-o", "r.tac", code=2, says="--listen=ADDRESS")
    assert desk.path("r.tac").read_bytes() == before and not desk.path("--").exists()


def looking_at_a_patch_keeps_its_recording(tactus, folder):
    desk = Desk(tactus, folder)
    before = desk.path("tape.wav").read_bytes()
    assert not desk.good("check", "tape.yaml").stderr
    desk.refused("play", "tape.yaml", "--seconds", "0.1", "--cpu", "1023", says="no core 1023")
    desk.refused("render", "tape.yaml", "-o", "no/such.wav", says="No such file")
    assert desk.path("tape.wav").read_bytes() == before
    desk.path("tape.wav").unlink()
    desk.good("check", "tape.yaml")
    assert not desk.path("tape.wav").exists(), "check left an empty recording behind"


def closed_standard_files_do_not_end_in_recordings(tactus, folder):
    desk = Desk(tactus, folder)
    for closed in ((1,), (2,), (0, 1, 2)):
        desk.run("play", "tape.yaml", "--seconds", "0.3", "--record", "r.wav", "--trace", "r.tac",
                 preexec_fn=lambda: [os.close(fd) for fd in closed])  # pylint: disable=cell-var-from-loop
        sound = desk.path("r.wav").read_bytes()
        assert b"tactus" not in sound and b"cycles" not in sound, f"{closed}: words in the sound"
        assert len(samples_of(desk.path("r.wav"))[0]) > 4800, closed
        assert "parts are damaged" not in desk.good("info", "r.tac").stdout, closed
    assert desk.run("check", "tape.yaml", preexec_fn=lambda: os.close(1)).returncode == 3


def small_disk():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))


def what_was_written_is_kept_when_no_more_can_be(tactus, folder):
    desk = Desk(tactus, folder)
    how = {"preexec_fn": small_disk, "restore_signals": False, "says": "what was written is kept"}
    long = ("--seconds", "2")
    desk.refused("render", "player.yaml", "-o", "big.wav", "-q", *long, **how)
    desk.refused("play", "player.yaml", "--record", "rec.wav", *long, **how)
    desk.refused("play", "player.yaml", "--trace", "t.tac", "--seconds", "5", **how)
    for name in ("big.wav", "rec.wav"):
        assert len(samples_of(desk.path(name))[0]) > 10000, name
    assert "cycles" in desk.run("info", "t.tac").stdout


def a_recording_is_whole_when_the_player_is_killed(tactus, folder):
    desk = Desk(tactus, folder)
    child = subprocess.Popen([desk.tactus, "play", "tape.yaml", "--record", "rec.wav"], cwd=folder,
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    try:
        audio_servers.wait_for("a second of sound", lambda: desk.path("rec.wav").exists()
                               and desk.path("rec.wav").stat().st_size > 400000, 60)
    finally:
        child.kill()
        child.wait()
    assert len(samples_of(desk.path("rec.wav"))[0]) > 40000


def words_are_clear(tactus, folder):
    desk = Desk(tactus, folder)
    desk.path("noise").write_bytes(os.urandom(5000))
    os.mkfifo(desk.path("pipe"))
    to = ("-o", "out.wav")
    desk.refused("render", "through.yaml", "-i", "nowhere.wav", *to, says="No such file")
    desk.refused("render", "through.yaml", "-i", "noise", *to, says="no sound file that is known")
    desk.refused("play", "tape.yaml", "--record", "pipe", "--seconds", "0.1", says="nobody reads")
    desk.refused("play", "tape.yaml", "--record", ".", "--seconds", "0.1", says="directory")
    for option in ("rate=44100.5", "block=64.5", "threads=1.5", "cpu=0.5"):
        desk.refused("play", "tape.yaml", f"--{option}", code=2, says="not a whole number")
    desk.path("player.yaml").write_text(PLAYER.replace("strings.flac", "noise"), encoding="utf-8")
    result = desk.run("check", "player.yaml")
    assert result.returncode == 1 and "no sound file that is known" in result.stderr, result.stderr


if __name__ == "__main__":
    sys.exit(audio_servers.main((
        what_is_read_is_not_written_over, a_report_does_not_replace_its_recording,
        looking_at_a_patch_keeps_its_recording,
        closed_standard_files_do_not_end_in_recordings, what_was_written_is_kept_when_no_more_can_be,
        a_recording_is_whole_when_the_player_is_killed, words_are_clear)))
