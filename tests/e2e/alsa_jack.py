# SPDX-License-Identifier: MIT
"""`tactus play --backend alsa` on a device that keeps time: ALSA's jack PCM over a headless jackd.

usage: alsa_jack.py TACTUS

A patch with a 440 Hz sine of a known level is played; JACK records what arrives. Level and frequency
are measured in the recording. A second test goes the other way round: capture and playback at once.
"""
import array
import contextlib
import math
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import wave

TOOLS = ("jackd", "jack_lsp", "jack_rec", "jack_connect")
RATE, PERIOD, SECONDS, LEVEL = 48000, 256, 4, 0.5
CONFIGURATION = """</usr/share/alsa/alsa.conf>
pcm.jk { type jack
    playback_ports { 0 system:playback_1 1 system:playback_2 }
    capture_ports { 0 system:capture_1 1 system:capture_2 } }
"""
SINE = f"""name: sine
output: 2
nodes:
  osc:  {{block: sine, frequency: 440 Hz, level: {LEVEL * 100:g} %}}
cables:
  - osc.out -> output[1]
  - osc.out -> output[2]
"""


class Skip(Exception):
    pass


def wait_for(what, probe, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = probe()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen in {seconds} s")


def run(command, environment, seconds=20):
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False,
                          timeout=seconds, stdin=subprocess.DEVNULL)


def ports(environment):
    return run(["jack_lsp"], environment).stdout.split()


@contextlib.contextmanager
def jack(folder):
    """A JACK server of our own name, without hardware and without real-time priority."""
    for tool in TOOLS:
        if not shutil.which(tool):
            raise Skip(f"there is no {tool} (tools/bootstrap test)")
    if not list(pathlib.Path("/usr/lib").glob("*/alsa-lib/libasound_module_pcm_jack.so")):
        raise Skip("ALSA has no jack PCM (tools/bootstrap test)")
    name = f"tactus{os.getpid()}"
    conf = pathlib.Path(folder, "asound.conf")
    conf.write_text(CONFIGURATION, encoding="utf-8")
    environment = dict(os.environ, JACK_DEFAULT_SERVER=name, JACK_NO_AUDIO_RESERVATION="1",
                       JACK_NO_START_SERVER="1", ALSA_CONFIG_PATH=str(conf))
    server = subprocess.Popen(["jackd", "-r", "-n", name, "-d", "dummy", "-r", str(RATE), "-p",
                               str(PERIOD)], env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for("the start of jackd", lambda: "system:playback_1" in ports(environment))
        yield environment
    finally:
        server.terminate()
        server.wait(timeout=10)


def measure(path):
    """Returns (rms, frequency by rising zero crossings) of the loudest stretch of the recording."""
    with wave.open(str(path)) as file:
        samples = array.array("h", file.readframes(file.getnframes()))[::file.getnchannels()]
    x = [s / 32768 for s in samples]
    assert len(x) > RATE // 2, f"the recording has only {len(x)} frames"
    half = RATE // 4
    start = max(range(0, len(x) - half, half // 4),
                key=lambda i: sum(v * v for v in x[i:i + half]))
    part = x[start:start + half]
    crossings = sum(1 for a, b in zip(part, part[1:]) if a < 0 <= b)
    return math.sqrt(sum(v * v for v in part) / half), crossings * RATE / half


@contextlib.contextmanager
def playing(tactus, folder, environment):
    patch = pathlib.Path(folder, "sine.yaml")
    patch.write_text(SINE, encoding="utf-8")
    # a spinning real-time thread would be ended by the limit
    child = subprocess.Popen(["prlimit", "--rttime=2000000", tactus, "play", str(patch), "--backend", "alsa", "--device", "jk",
                              "--rate", str(RATE), "--block", str(PERIOD), "--priority", "5",
                              "--seconds", str(SECONDS)], env=environment,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def sine_arrives(tactus, folder):
    wav = pathlib.Path(folder, "rec.wav")
    with jack(folder) as environment, playing(tactus, folder, environment) as child:
        def source():
            assert child.poll() is None, f"tactus ended: {child.stdout.read()}"
            return [p for p in ports(environment) if p.endswith("out_000")]
        port = wait_for("the port of tactus", source)[0]
        record = run(["jack_rec", "-f", str(wav), "-d", "2", "-b", "16", port], environment)
        assert wav.exists(), f"jack_rec: {record.stderr}"
        rms, hz = measure(wav)
        output = child.communicate(timeout=30)[0]
        assert child.returncode == 0, f"exit {child.returncode}: {output}"
    print(f"# rms {rms:.4f}, {hz:.0f} Hz; " + output.replace("\n", "\n# "))
    assert abs(rms - LEVEL / math.sqrt(2)) < 0.01, f"rms {rms}"
    assert abs(hz - 440) <= 4, f"{hz} Hz"
    played = float(output.split(" s played")[0].split()[-1])
    assert abs(played - SECONDS) < 0.5, f"{played} s played in {SECONDS} s: {output}"


def lost_server_ends_with_one_line(tactus, folder):
    with jack(folder) as environment, playing(tactus, folder, environment) as child:
        wait_for("the port of tactus",
                 lambda: [p for p in ports(environment) if p.endswith("out_000")])
    # both are ended here; a new one finds no server at all
    patch = pathlib.Path(folder, "sine.yaml")
    result = run([tactus, "play", str(patch), "--backend", "alsa", "--device", "jk"], environment)
    lines = [l for l in result.stderr.splitlines() if l.startswith("tactus")]
    assert result.returncode == 3 and len(lines) == 1, f"{result.returncode}: {result.stderr}"
    assert "jk" in lines[0], lines[0]


def main():
    tests = (sine_arrives, lost_server_ends_with_one_line)
    print(f"1..{len(tests)}")
    bad = 0
    for number, test in enumerate(tests, 1):
        with tempfile.TemporaryDirectory() as folder:
            try:
                test(sys.argv[1], folder)
                print(f"ok {number} - {test.__name__}")
            except Skip as why:
                print(f"ok {number} - {test.__name__} # SKIP {why}")
            except Exception as fault:  # pylint: disable=broad-except
                bad += 1
                print("# " + str(fault).replace("\n", "\n# "))
                print(f"not ok {number} - {test.__name__}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
