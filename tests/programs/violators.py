#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Programs that do in their callback what real-time code should not: the doctor names it.

usage: violators.py TACTUS [TEST...]

What each does was established from its source and by hand; see docs/watch.md.
"""
import pathlib
import socket
import struct
import sys
import threading

from watched import (FONT, NOTE, SERIOUS, WARNING, doctor, need_file, write_csound, write_song, write_sound)
from audio_servers import jack, main, need, pipewire


def expect(report, start, **calls):
    """Each named call with its grade, in the share of the cycles given."""
    assert report.cycles(start) > 100, report.sources
    for what, (grade, share) in calls.items():
        assert what in report.hazards, f"no {what}: {sorted(report.hazards)}"
        assert report.hazards[what]["grade"] == grade, report.hazards[what]
        assert report.share(what, start) >= share, report.hazards[what]


def fluidsynth_parses_its_file_in_the_callback(tactus, folder):
    need("fluidsynth", install="optional")
    song = write_song(pathlib.Path(folder, "song.mid"))
    with jack(folder) as environment:
        report = doctor(tactus, folder, environment, ["fluidsynth", "-i", "-a", "jack", need_file(FONT), song])
    expect(report, "jack:fluidsynth", malloc=(SERIOUS, 0.5), free=(SERIOUS, 0.5), fopen=(SERIOUS, 0),
           fread=(SERIOUS, 0), pthread_mutex_lock=(WARNING, 0))


def ecasound_builds_a_list_in_each_callback(tactus, folder):
    need("ecasound", install="optional")
    sound = write_sound(pathlib.Path(folder, "in.wav"))
    with jack(folder) as environment:
        report = doctor(tactus, folder, environment,
                        ["ecasound", "-q", "-f:f32,2,48000", "-i", sound, "-o", "jack,system"])
    expect(report, "jack:ecasound", malloc=(SERIOUS, 0.9), free=(SERIOUS, 0.9),
           pthread_mutex_lock=(WARNING, 0.9), pthread_cond_broadcast=(NOTE, 0.9))


def csound_tries_a_lock_in_each_jack_callback(tactus, folder):
    need("csound", install="programs")
    piece = write_csound(pathlib.Path(folder, "t.csd"))
    with jack(folder) as environment:
        report = doctor(tactus, folder, environment,
                        ["csound", piece, "-+rtaudio=jack", "-odac", "-b", "256", "-B", "512"])
    expect(report, "jack:csound", pthread_mutex_trylock=(NOTE, 0.9))
    assert not report.accusations(), report.accusations()


def csound_tries_a_lock_in_each_portaudio_callback(tactus, folder):
    need("csound", install="programs")
    piece = write_csound(pathlib.Path(folder, "t.csd"))
    with jack(folder) as environment:
        with open(environment["ALSA_CONFIG_PATH"], "a", encoding="utf-8") as conf:
            conf.write('pcm.!default { type plug slave { pcm "jk" } }\n')
        report = doctor(tactus, folder, environment,
                        ["csound", piece, "-+rtaudio=pa_cb", "-odac", "-b", "256", "-B", "512"])
    expect(report, "portaudio:", pthread_mutex_trylock=(NOTE, 0.9))


def ffmpeg_posts_a_semaphore_in_each_callback(tactus, folder):
    need("ffmpeg", install="programs")
    with jack(folder) as environment:
        report = doctor(tactus, folder, environment, ["ffmpeg", "-y", "-f", "jack", "-i", "ffin", "-t", "3",
                                                      str(pathlib.Path(folder, "out.wav"))], seconds=8)
    expect(report, "jack:ffin", sem_post=(NOTE, 0.9))
    assert not report.accusations(), report.accusations()


def aplay_reads_its_file_between_the_writes(tactus, folder):
    need("aplay")
    sound = write_sound(pathlib.Path(folder, "in.wav"))
    with jack(folder) as environment:
        with open(environment["ALSA_CONFIG_PATH"], "a", encoding="utf-8") as conf:
            conf.write('pcm.jkp { type plug slave { pcm "jk" } }\n')
        for mapped in ([], ["-M"]):
            report = doctor(tactus, folder, environment, ["aplay", *mapped, "-D", "jkp", "--buffer-size", "4096",
                                                          "--period-size", "1024", sound])
            expect(report, "alsa:jkp", read=(SERIOUS, 0.5))


def sends_to_scsynth(stop, port, definition):
    """A synth definition, then fifty new synths a second."""
    def message(address, types, *arguments):
        def text(t):
            t = t.encode() + b"\0"
            return t + b"\0" * (-len(t) % 4)
        out = text(address) + text("," + types)
        for kind, value in zip(types, arguments):
            if kind == "s":
                out += text(value)
            elif kind == "i":
                out += struct.pack(">i", value)
            else:
                out += struct.pack(">i", len(value)) + value + b"\0" * (-len(value) % 4)
        return out
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        number = 2000
        while not stop.wait(0.02):
            if number % 25 == 0:
                udp.sendto(message("/d_recv", "b", definition), ("127.0.0.1", port))
            number += 1
            udp.sendto(message("/s_new", "siii", "t", number, 0, 0), ("127.0.0.1", port))
            if number > 2040:
                udp.sendto(message("/n_free", "i", number - 40), ("127.0.0.1", port))


def synth_definition():
    """A sine oscillator to output 0, in SuperCollider's binary form, version 2."""
    def name(text):
        return bytes([len(text)]) + text.encode()
    constants = struct.pack(">i3f", 3, 440.0, 0.0, 0.0)
    parameters = struct.pack(">ii", 0, 0)
    sine = (name("SinOsc") + struct.pack(">biih", 2, 2, 1, 0) + struct.pack(">iiii", -1, 0, -1, 1) + b"\2")
    out = (name("Out") + struct.pack(">biih", 2, 2, 0, 0) + struct.pack(">iiii", -1, 2, 0, 0))
    body = name("t") + constants + parameters + struct.pack(">i", 2) + sine + out + struct.pack(">h", 0)
    return b"SCgf" + struct.pack(">ih", 2, 1) + body


def scsynth_locks_and_signals_in_each_callback(tactus, folder):
    need("scsynth", install="programs")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    stop = threading.Event()
    sender = threading.Thread(target=sends_to_scsynth, args=(stop, port, synth_definition()))
    with jack(folder) as environment:
        sender.start()
        try:
            report = doctor(tactus, folder, environment, ["scsynth", "-u", str(port)], seconds=6)
        finally:
            stop.set()
            sender.join()
    expect(report, "jack:", pthread_mutex_lock=(WARNING, 0.5), pthread_cond_signal=(NOTE, 0.5))


def pw_cat_reads_its_file_in_the_process_event(tactus, folder):
    need("pw-cat")
    sound = write_sound(pathlib.Path(folder, "in.wav"))
    with pipewire(folder) as environment:
        report = doctor(tactus, folder, environment, ["pw-cat", "-p", "--target", "nowhere", sound])
    assert report.cycles("pipewire:") > 20, report.sources
    assert report.share("read", "pipewire:") > 0.9, report.hazards


if __name__ == "__main__":
    sys.exit(main((fluidsynth_parses_its_file_in_the_callback, ecasound_builds_a_list_in_each_callback,
                   csound_tries_a_lock_in_each_jack_callback, csound_tries_a_lock_in_each_portaudio_callback,
                   ffmpeg_posts_a_semaphore_in_each_callback, aplay_reads_its_file_between_the_writes,
                   scsynth_locks_and_signals_in_each_callback, pw_cat_reads_its_file_in_the_process_event)))
