# SPDX-License-Identifier: MIT
"""Sound servers without hardware for tests: a JACK and a PipeWire server of their own, a measure of
what was recorded, and the main function of a test script.

Each server has a name or run folder of its own, no real-time priority, and ends with the test.
"""
import array
import contextlib
import math
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import time

RATE, PERIOD = 48000, 256

ALSA_CONFIGURATION = """</usr/share/alsa/alsa.conf>
pcm.jk { type jack
    playback_ports { 0 system:playback_1 1 system:playback_2 }
    capture_ports { 0 system:capture_1 1 system:capture_2 } }
"""

PIPEWIRE_CONFIGURATION = """
context.properties = {
    core.daemon = true
    core.name = pipewire-0
    support.dbus = false
    default.clock.quantum = 256
    default.clock.min-quantum = 32
}
context.spa-libs = {
    audio.convert.* = audioconvert/libspa-audioconvert
    support.* = support/libspa-support
}
context.modules = [
    { name = libpipewire-module-protocol-native }
    { name = libpipewire-module-metadata }
    { name = libpipewire-module-spa-node-factory }
    { name = libpipewire-module-client-node }
    { name = libpipewire-module-client-device }
    { name = libpipewire-module-adapter }
    { name = libpipewire-module-link-factory }
    { name = libpipewire-module-session-manager }
    { name = libpipewire-module-access }
]
context.objects = [
    { factory = spa-node-factory
      args = { factory.name = support.node.driver node.name = clock priority.driver = 20000 } }
    { factory = adapter
      args = { factory.name = support.null-audio-sink node.name = nowhere media.class = Audio/Sink
               object.linger = true audio.position = [ FL FR ] } }
]
"""


class Skip(Exception):
    """The reason why a test cannot be made here."""


def need(*tools, install="test"):
    for tool in tools:
        if not shutil.which(tool):
            raise Skip(f"there is no {tool} (tools/bootstrap {install})")


def wait_for(what, probe, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = probe()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen in {seconds} s")


def wait_for_sound(path, seconds):
    """Until a file of 192 000 bytes a second (mono float or stereo 16 bit at 48 kHz) has grown by so
    much sound, however long that takes: servers without real-time priority may hardly be run."""
    path = pathlib.Path(path)

    def size():
        return path.stat().st_size if path.exists() else 0
    wanted = size() + int(seconds * RATE * 4)
    wait_for(f"the recording of {seconds} s", lambda: size() >= wanted, 100)
    return path


def run(command, environment=None, seconds=60):
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False,
                          timeout=seconds, stdin=subprocess.DEVNULL)


def background(command, environment):
    return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def end(child):
    child.terminate()
    try:
        child.wait(timeout=10)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def ports(environment, *options):
    return run(["jack_lsp", *options], environment).stdout.split()


def start_jack(environment, rate=RATE, period=PERIOD):
    """A JACK server of the environment's name; returns when its ports are there."""
    server = background(["jackd", "-r", "-n", environment["JACK_DEFAULT_SERVER"], "-d", "dummy",
                         "-r", str(rate), "-p", str(period)], environment)
    wait_for("the start of jackd", lambda: "system:playback_1" in ports(environment))
    return server


@contextlib.contextmanager
def jack(folder, rate=RATE, period=PERIOD):
    """A JACK server, and ALSA's jack PCM "jk" on it; gives the environment of its clients. The
    attribute `server` of the environment is its process, which a test may end."""
    need("jackd", "jack_lsp", "jack_connect")
    conf = pathlib.Path(folder, "asound.conf")
    conf.write_text(ALSA_CONFIGURATION, encoding="utf-8")
    environment = Environment(os.environ, JACK_DEFAULT_SERVER=f"tactus{os.getpid()}",
                              JACK_NO_AUDIO_RESERVATION="1", JACK_NO_START_SERVER="1",
                              ALSA_CONFIG_PATH=str(conf))
    environment.server = start_jack(environment, rate, period)
    try:
        yield environment
    finally:
        end(environment.server)


class Environment(dict):
    """Variables for programs; `server` is the process that they talk to, `manager` its helper."""
    server = manager = None


def start_pipewire(folder, environment):
    """A server and its session manager, which gives the sink its ports."""
    environment.server = background(["pipewire", "-c", str(pathlib.Path(folder, "server.conf"))],
                                    environment)
    wait_for("the start of pipewire",
             lambda: run(["pw-link", "-i"], environment).returncode == 0)
    environment.manager = background(["wireplumber", "-c", "policy.conf"], environment)
    wait_for("the start of wireplumber",
             lambda: "nowhere:playback" in run(["pw-link", "-i"], environment).stdout)


def end_pipewire(environment):
    end(environment.manager)
    end(environment.server)


def wireplumber_policy(folder):
    """The session manager's own configuration without the parts that need a message bus."""
    source = pathlib.Path("/usr/share/wireplumber")
    if not source.exists():
        raise Skip("there is no wireplumber (tools/bootstrap test)")
    target = pathlib.Path(folder, "wireplumber")
    shutil.copytree(source, target)
    policy = target / "policy.conf"
    text = policy.read_text(encoding="utf-8")
    policy.write_text(text.replace("#support.dbus  = true", "support.dbus = false"),
                      encoding="utf-8")
    return target


@contextlib.contextmanager
def pipewire(folder):
    """A PipeWire server with a sink "nowhere" and a session manager."""
    need("pipewire", "wireplumber", "pw-link", "pw-cat")
    runtime = pathlib.Path(folder, "run")
    runtime.mkdir(mode=0o700)
    pathlib.Path(folder, "server.conf").write_text(PIPEWIRE_CONFIGURATION, encoding="utf-8")
    environment = Environment(os.environ, XDG_RUNTIME_DIR=str(runtime),
                              WIREPLUMBER_CONFIG_DIR=str(wireplumber_policy(folder)),
                              XDG_STATE_HOME=str(runtime), HOME=str(runtime))
    environment.pop("DBUS_SESSION_BUS_ADDRESS", None)
    start_pipewire(folder, environment)
    try:
        yield environment
    finally:
        end_pipewire(environment)


def samples_of(path):
    """Returns (samples of the first channel, rate) of a WAV file of 16-bit or 32-bit float samples."""
    data = pathlib.Path(path).read_bytes()
    form, body, at = None, b"", 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4:at + 8], "little")
        if data[at:at + 4] == b"fmt ":
            form = struct.unpack("<HHIIHH", data[at + 8:at + 24])
        elif data[at:at + 4] == b"data":
            body = data[at + 8:at + 8 + size]
        at += 8 + size + size % 2
    assert form and body, f"{path} is no WAV file with sound"
    _, channels, rate, _, frame_bytes, bits = form
    body = body[:len(body) // frame_bytes * frame_bytes]
    if bits == 16:
        return [s / 32768 for s in array.array("h", body)[::channels]], rate
    assert bits == 32, f"{bits} bits a sample"
    return list(array.array("f", body)[::channels]), rate


def pitch_of(x, rate):
    """From the first rising zero crossing to the last, each placed between its two samples."""
    at = [i + a / (a - b) for i, (a, b) in enumerate(zip(x, x[1:])) if a < 0 <= b]
    return (len(at) - 1) * rate / (at[-1] - at[0]) if len(at) > 1 else 0


def measure(path):
    """Returns (rms, frequency) of a recording of a steady sound: of pieces of a twentieth of a second,
    the louder half, the one in the middle. A busy machine tears holes into the sound, and what is
    beside them is as it should be."""
    x, rate = samples_of(path)
    assert len(x) > rate // 2, f"the recording has only {len(x)} frames"
    step = rate // 20
    pieces = [x[i:i + step] for i in range(0, len(x) - step, step)]
    loud = sorted(((math.sqrt(sum(v * v for v in p) / step), pitch_of(p, rate)) for p in pieces),
                  reverse=True)[:len(pieces) // 2 + 1]
    middle = len(loud) // 2
    return sorted(rms for rms, _ in loud)[middle], sorted(hz for _, hz in loud)[middle]


def main(tests):
    """Runs test(TACTUS, folder) for each of the tests and prints TAP; returns the exit status."""
    tactus, only = sys.argv[1], sys.argv[2:]
    tests = [test for test in tests if not only or test.__name__ in only]
    print(f"1..{len(tests)}")
    bad = 0
    for number, test in enumerate(tests, 1):
        with tempfile.TemporaryDirectory() as folder:
            try:
                test(tactus, folder)
                print(f"ok {number} - {test.__name__}", flush=True)
            except Skip as why:
                print(f"ok {number} - {test.__name__} # SKIP {why}", flush=True)
            except Exception as fault:  # pylint: disable=broad-except
                bad += 1
                print("# " + str(fault).replace("\n", "\n# "))
                print(f"not ok {number} - {test.__name__}", flush=True)
    return 1 if bad else 0
