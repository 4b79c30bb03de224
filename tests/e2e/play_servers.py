# SPDX-License-Identifier: MIT
"""`tactus play` through sound servers: ALSA's jack PCM, JACK itself, PipeWire.

usage: play_servers.py TACTUS [TEST...]

A patch with a 440 Hz sine of a known level is played; the server's own tools record what arrives.
Level and frequency are measured in the recording. Servers are ended and started again meanwhile.
"""
import contextlib
import math
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import audio_servers
from audio_servers import (PERIOD, RATE, Skip, background, end, end_pipewire, jack, measure, need, pipewire,
                           ports, run, start_jack, start_pipewire, wait_for, wait_for_sound)

LEVEL = 0.5
SINE = f"""name: sine
output: 2
nodes:
  osc:  {{block: sine, frequency: 440 Hz, level: {LEVEL * 100:g} %}}
cables:
  - osc.out -> output[1]
  - osc.out -> output[2]
"""
THROUGH = """name: through
input: 1
output: 1
nodes:
  half: {block: gain, level: -6 dB}
cables:
  - input[1] -> half.in
  - half.out -> output[1]
"""
EAR = THROUGH.replace("through", "ear").replace("-6 dB", "0 dB")


@contextlib.contextmanager
def playing(tactus, folder, environment, *options, patch=SINE):
    path = pathlib.Path(folder, f"{patch.split()[1]}.yaml")
    path.write_text(patch, encoding="utf-8")
    # a spinning real-time thread would be ended by the limit
    child = subprocess.Popen(["prlimit", "--rttime=2000000", tactus, "play", str(path), "--priority",
                              "5", *options], env=environment, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def finish(child, code=0):
    """Interrupts the player; its report."""
    child.send_signal(2)
    output = child.communicate(timeout=60)[0]
    print("# " + output.replace("\n", "\n# "))
    assert child.returncode == code, f"exit {child.returncode}: {output}"
    return output


def port_of(child, environment, ending):
    def look():
        assert child.poll() is None, f"tactus ended: {child.stdout.read()}"
        return [p for p in ports(environment) if p.endswith(ending)]
    return wait_for(f"the port {ending}", look)[0]


def plays(child, environment):
    """Waits until the player is connected, which it is last of all; its port."""
    def look():
        assert child.poll() is None, f"tactus ended: {child.stdout.read()}"
        links = ports(environment, "-c")
        return "sine:out_1" in links and "system:playback_1" in links[links.index("sine:out_1"):]
    wait_for("the connection of sine:out_1", look)
    return "sine:out_1"


def record_jack(tactus, folder, environment, port):
    """Some sound of a port, by a player of ours. (jack_rec sleeps through its own end at times.)"""
    wav = pathlib.Path(folder, "ear.wav")
    wav.unlink(missing_ok=True)
    with playing(tactus, folder, environment, "--backend", "jack", "--device", "none", "--record",
                 str(wav), patch=EAR) as child:
        mine = port_of(child, environment, "ear:in_1")
        assert run(["jack_connect", port, mine], environment).returncode == 0
        wait_for_sound(wav, 1.5)
        finish(child)
    return wav


def is_the_sine(record, level=LEVEL):
    """Measures what record() gives. These servers have no real-time priority and a busy machine tears
    holes into their sound: up to five recordings are made until most of one is whole. The nearest
    wrong rate would be 9 % off."""
    for again in reversed(range(5)):
        rms, hz = measure(record())
        print(f"# rms {rms:.4f}, {hz:.0f} Hz")
        if abs(rms - level / math.sqrt(2)) < 0.01 and abs(hz - 440) <= 4:
            return
        assert again, f"rms {rms}, {hz} Hz"


def alsa_plays_a_sine_in_time(tactus, folder):
    if not list(pathlib.Path("/usr/lib").glob("*/alsa-lib/libasound_module_pcm_jack.so")):
        raise Skip("ALSA has no jack PCM (tools/bootstrap test)")
    begin = time.monotonic()
    with jack(folder) as environment, \
            playing(tactus, folder, environment, "--backend", "alsa", "--device", "jk", "--rate",
                    str(RATE), "--block", str(PERIOD)) as child:
        port = port_of(child, environment, "out_000")
        is_the_sine(lambda: record_jack(tactus, folder, environment, port))
        output = finish(child)
    took = time.monotonic() - begin
    played = float(output.split(" s played")[0].split()[-1])
    assert 1 < played < took + 1, f"{played} s played in {took} s: {output}"


def alsa_without_its_server_is_one_line(tactus, folder):
    with jack(folder) as environment:
        pass
    patch = pathlib.Path(folder, "sine.yaml")
    patch.write_text(SINE, encoding="utf-8")
    result = run([tactus, "play", str(patch), "--backend", "alsa", "--device", "jk"], environment)
    lines = [l for l in result.stderr.splitlines() if l.startswith("tactus")]
    assert result.returncode == 3 and len(lines) == 1, f"{result.returncode}: {result.stderr}"
    assert "jk" in lines[0], lines[0]


def jack_plays_a_sine_at_the_servers_rate(tactus, folder):
    with jack(folder, rate=44100) as environment, \
            playing(tactus, folder, environment, "--backend", "jack") as child:
        port = plays(child, environment)
        is_the_sine(lambda: record_jack(tactus, folder, environment, port))
        links = ports(environment, "-c")
        assert links[links.index("system:playback_1") + 1] == "sine:out_1", links
        output = finish(child)
    assert "44100 Hz" in output, output


def jack_comes_back_with_another_period(tactus, folder):
    with jack(folder) as environment, \
            playing(tactus, folder, environment, "--backend", "jack") as child:
        plays(child, environment)
        end(environment.server)
        environment.server = start_jack(environment, period=128)
        port = plays(child, environment)
        is_the_sine(lambda: record_jack(tactus, folder, environment, port))
        run(["jack_bufsize", "512"], environment)
        is_the_sine(lambda: record_jack(tactus, folder, environment, port))
        end(environment.server)
        time.sleep(0.5)
        output = finish(child)
    assert "away 2 times, and still is" in output, output


def jack_that_stops_calling_is_joined_again(tactus, folder):
    with jack(folder) as environment, \
            playing(tactus, folder, environment, "--backend", "jack") as child:
        plays(child, environment)
        assert run(["jack_connect", "sine:out_1", "system:playback_2"], environment).returncode == 0
        environment.server.send_signal(signal.SIGSTOP)
        time.sleep(5)
        environment.server.send_signal(signal.SIGCONT)
        port = plays(child, environment)
        links = ports(environment, "-c")
        heard = links.index("system:playback_2")
        assert "sine:out_1" in links[heard + 1:heard + 3], links
        is_the_sine(lambda: record_jack(tactus, folder, environment, port))
        output = finish(child)
    assert "and came back" in output, output


def jack_goes_in_and_out(tactus, folder):
    """A sine from one player, halved and recorded by another."""
    wav = pathlib.Path(folder, "through.wav")
    with jack(folder) as environment, \
            playing(tactus, folder, environment, "--backend", "jack") as source, \
            playing(tactus, folder, environment, "--backend", "jack", "--device", "none", "--record",
                    str(wav), patch=THROUGH) as child:
        plays(source, environment)
        port_of(child, environment, "through:out_1")
        assert run(["jack_connect", "sine:out_1", "through:in_1"], environment).returncode == 0
        is_the_sine(lambda: wait_for_sound(wav, 1.5), LEVEL * 10 ** (-6 / 20))
        finish(child)
        finish(source)


def playback_latency(environment, port):
    """Frames from a port to the loudspeaker, as the server tells them to everybody."""
    found = [line for line in run(["jack_lsp", "-l", port], environment).stdout.splitlines()
             if "playback latency" in line]
    return int(found[0].split("[")[1].split()[1]) if found else -1


def jack_is_told_the_latency_of_the_patch(tactus, folder):
    """A limiter looks ahead; who aligns by JACK's latencies must hear of it."""
    words = run([tactus, "blocks", "limiter"]).stdout.split()
    ahead = int(words[words.index("latency") + 1])
    limiter = THROUGH.replace("through", "limit").replace("gain, level: -6 dB", "limiter, ceiling: -1 dB")
    with jack(folder) as environment, \
            playing(tactus, folder, environment, "--backend", "jack", "--watch", patch=limiter) as child:
        port_of(child, environment, "limit:out_1")
        wait_for(f"a difference of {ahead} frames", lambda: playback_latency(environment, "limit:in_1")
                 == playback_latency(environment, "limit:out_1") + ahead > ahead)
        pathlib.Path(folder, "limit.yaml").write_text(limiter.replace("limiter, ceiling: -1 dB", "gain"),
                                                      encoding="utf-8")
        wait_for("no difference after an edit", lambda: playback_latency(environment, "limit:in_1")
                 == playback_latency(environment, "limit:out_1") > 0)
        finish(child)


def jack_may_freewheel(tactus, folder):
    """On a busy machine time may run little faster, so it gets longer to do so."""
    need("jack_freewheel")
    for seconds in (0.5, 2, 8):
        begin = time.monotonic()
        with jack(folder) as environment, \
                playing(tactus, folder, environment, "--backend", "jack") as child:
            plays(child, environment)
            run(["jack_freewheel", "y"], environment)
            time.sleep(seconds)
            run(["jack_freewheel", "n"], environment)
            time.sleep(0.5)
            output = finish(child)
        played = float(output.split(" s played")[0].split()[-1])
        took = time.monotonic() - begin
        if played > took + 1:
            return
    raise AssertionError(f"{played} s played in {took} s: time did not run faster")


def no_server_is_one_line(tactus, folder):
    patch = pathlib.Path(folder, "sine.yaml")
    patch.write_text(SINE, encoding="utf-8")
    environment = dict(os.environ, JACK_DEFAULT_SERVER="nobody", JACK_NO_START_SERVER="1",
                       XDG_RUNTIME_DIR=folder, PIPEWIRE_RUNTIME_DIR=folder)
    for backend in built_in(tactus, "jack", "pipewire"):
        result = run([tactus, "play", str(patch), "--backend", backend], environment)
        lines = result.stderr.splitlines()
        assert result.returncode == 3 and len(lines) == 1, f"{result.returncode}: {result.stderr}"
        assert "there is no" in lines[0], lines[0]


def built_in(tactus, *names):
    listed = run([tactus, "play", "--list"]).stdout
    found = [n for n in names if any(l.startswith(n + " ") for l in listed.splitlines())]
    if not found:
        raise Skip(f"{' and '.join(names)}: not built in")
    return found


def record_pipewire(folder, environment):
    wav = pathlib.Path(folder, "rec.wav")
    wav.unlink(missing_ok=True)
    record = background(["pw-cat", "-r", "--target", "nowhere", "-P",
                         "{ stream.capture.sink = true }", "--format", "s16", "--rate", str(RATE),
                         str(wav)], environment)
    wait_for_sound(wav, 1.5)
    record.send_signal(2)
    record.wait(timeout=60)
    return wav


def linked(child, environment):
    def look():
        assert child.poll() is None, f"tactus ended: {child.stdout.read()}"
        return "sine:output_FL" in run(["pw-link", "-l"], environment).stdout
    wait_for("a link", look)


def pipewire_plays_through_changes_of_quantum_and_server(tactus, folder):
    built_in(tactus, "pipewire")
    with pipewire(folder) as environment, \
            playing(tactus, folder, environment, "--backend", "pipewire", "--device",
                    "nowhere") as child:
        linked(child, environment)
        is_the_sine(lambda: record_pipewire(folder, environment))
        run(["pw-metadata", "-n", "settings", "0", "clock.force-quantum", "1024"], environment)
        is_the_sine(lambda: record_pipewire(folder, environment))
        end_pipewire(environment)
        start_pipewire(folder, environment)
        linked(child, environment)
        is_the_sine(lambda: record_pipewire(folder, environment))
        output = finish(child)
    assert " time" in output, output


def the_service_manager_is_told(tactus, folder):
    patch = pathlib.Path(folder, "sine.yaml")
    patch.write_text(SINE, encoding="utf-8")
    for name, shown in ((f"{folder}/notify", f"{folder}/notify"),
                        (f"\0tactus-{os.getpid()}", f"@tactus-{os.getpid()}")):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as inbox:
            inbox.bind(name)
            inbox.settimeout(1)
            result = run([tactus, "play", str(patch), "--seconds", "1.2"],
                         dict(os.environ, NOTIFY_SOCKET=shown))
            assert result.returncode == 0, result.stderr
            messages = []
            with contextlib.suppress(TimeoutError):
                while not messages or messages[-1] != "STOPPING=1":
                    messages.append(inbox.recv(1024).decode())
        assert messages[0] == "READY=1" and messages[-1] == "STOPPING=1", messages
        assert any("STATUS=" in m and "load" in m and "WATCHDOG=1" in m for m in messages), messages
    for nonsense in ("", "x", "relative", "/no/such/socket", "@" + "x" * 300):
        result = run([tactus, "play", str(patch), "--seconds", "0.1"],
                     dict(os.environ, NOTIFY_SOCKET=nonsense))
        assert result.returncode == 0, result.stderr


if __name__ == "__main__":
    sys.exit(audio_servers.main((
        alsa_plays_a_sine_in_time, alsa_without_its_server_is_one_line,
        jack_plays_a_sine_at_the_servers_rate, jack_comes_back_with_another_period,
        jack_that_stops_calling_is_joined_again, jack_goes_in_and_out, jack_is_told_the_latency_of_the_patch, jack_may_freewheel,
        pipewire_plays_through_changes_of_quantum_and_server, no_server_is_one_line,
        the_service_manager_is_told)))
