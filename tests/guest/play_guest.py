# SPDX-License-Identifier: MIT
"""`tactus play` on the kernel's own sound drivers, in a guest with a PREEMPT_RT kernel.

usage: play_guest.py TACTUS BUILD    (make test-guest)

What the HDA card plays lands in a file here and must be the offline render of the same patch, sample
by sample but for the 16 bits of the card. The loopback card must give back what was played into it;
the dummy card must take sound in time; the audio thread must have the scheduling that it asks for.
"""
import array
import pathlib
import subprocess
import sys

import audio_servers
import guest
from audio_servers import samples_of

PATCH = """name: chord
output: 2
nodes:
  low:  {block: sine, frequency: 110 Hz, level: 30 %}
  high: {block: sine, frequency: 445.5 Hz, level: 20 %}
  slow: {block: lfo, rate: 0.37 Hz, depth: 100}
cables:
  - slow.out -> low.frequency
  - low.out -> output[1]
  - high.out -> output[1]
  - high.out -> output[2]
"""
THROUGH = """name: through
input: 2
output: 2
nodes:
  left: {block: gain, level: 0 dB}
cables:
  - input[1] -> left.in
  - left.out -> output[1]
"""
RUNS = {
    "hda": "--device hw:Intel --block 1024 --seconds 6",
    "dummy": "--device hw:Dummy --block 1024 --seconds 3",
    "aloop": "--device hw:Loopback,0,0 --block 1024 --seconds 6",
}
SCRIPT = """
tactus=/tmp/share/usr/bin/tactus
echo realtime kernel: $(cat /sys/kernel/realtime)
$tactus play --list | sed 's/^/list: /'
run() {{ name=$1; shift; echo "== $name"; timeout 60 "$@" 2>&1 | sed "s/^/$name: /"; }}
run hda $tactus play /tmp/share/chord.yaml --backend alsa {hda} --record /tmp/share/hda.wav &
sleep 3
for task in /proc/$(pgrep -o -x tactus)/task/*; do
    echo "thread $(cat $task/comm): $(chrt -p $(basename $task) | tr '\\n' ' ')"
done
wait
run dummy $tactus play /tmp/share/chord.yaml --backend alsa {dummy}
run aloop $tactus play /tmp/share/chord.yaml --backend alsa {aloop} &
sleep 1
run back $tactus play /tmp/share/through.yaml --backend alsa --device hw:Loopback,1,0 \\
    --block 1024 --seconds 3 --record /tmp/share/back.wav
wait
""".format(**RUNS)
BUILD = sys.argv.pop(2)


def part(output, name):
    lines = [l.split(": ", 1)[1] for l in output.splitlines() if l.startswith(name + ": ")]
    assert lines, f"nothing of {name} in:\n{output}"
    return "\n".join(lines)


def lag_of(window, reference):
    """Where a stretch of sound stands in the reference, by the least difference of a few samples."""
    few = range(0, len(window), len(window) // 16)
    return min(range(len(reference) - len(window)),
               key=lambda k: sum((window[i] - reference[k + i]) ** 2 for i in few))


def equal_run(played, start, reference, lag, tolerance=2.1 / 32768):
    n = 0
    while (start + n < len(played) and lag + n < len(reference) and
           abs(played[start + n] - reference[lag + n]) <= tolerance):
        n += 1
    return n


def longest_run(played, reference, enough):
    """The most frames in a row that are the reference's; an emulated card has xruns in between, so
    the search begins anew each half second until there are enough."""
    first = next((i for i, v in enumerate(played) if abs(v) > 0.01), len(played))
    best = 0
    for start in range(first + 2400, len(played) - 4096, 24000):
        lag = lag_of(played[start:start + 4096], reference)
        best = max(best, equal_run(played, start, reference, lag))
        if best >= enough:
            break
    return best


def the_cards_of_a_realtime_kernel(tactus, folder):
    folder = pathlib.Path(folder)
    share = folder / "share"
    share.mkdir()
    (share / "chord.yaml").write_text(PATCH, encoding="utf-8")
    (share / "through.yaml").write_text(THROUGH, encoding="utf-8")
    subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir",
                    str(share / "install")], check=True)
    prefix = next((share / "install").rglob("bin/tactus")).parent.parent
    prefix.rename(share / "usr")
    status, output = guest.boot(folder, SCRIPT)
    print("# " + output.replace("\n", "\n# "))
    assert status == 0, f"status {status}"
    assert "realtime kernel: 1" in output, "this is no PREEMPT_RT kernel"
    assert "SCHED_FIFO" in [l for l in output.splitlines() if "tactus-audio" in l][0]
    for name in ("hw:CARD=Dummy", "hw:CARD=Loopback"):
        assert name in part(output, "list"), f"{name} is not listed"
    reference = folder / "reference.wav"
    subprocess.run([tactus, "render", str(share / "chord.yaml"), "--seconds", "7", "-o",
                    str(reference)], check=True, stdout=subprocess.DEVNULL)
    the_card_played_the_render(folder / "card.wav", reference)
    the_loop_gave_it_back(share / "back.wav", reference)
    for name, seconds in (("hda", 6), ("dummy", 3), ("aloop", 6)):
        played = float(part(output, name).split(" s played")[0].split()[-1])
        assert 0.6 * seconds < played < 1.4 * seconds, f"{name}: {played} s played in {seconds} s"


def the_card_played_the_render(card, reference):
    """QEMU's file is of 16 bits; a header that was not finished is no matter."""
    data = pathlib.Path(card).read_bytes()[44:]
    samples = array.array("h", data[:len(data) // 4 * 4])[::2]
    played = [s / 32768 for s in samples]
    expected, _ = samples_of(reference)
    same = longest_run(played, expected, 24000)
    print(f"# HDA: {same} frames in a row are the render's")
    assert same >= 24000, f"only {same} frames in a row"


def the_loop_gave_it_back(back, reference):
    played, _ = samples_of(back)
    expected, _ = samples_of(reference)
    same = longest_run(played, expected, 12000)
    print(f"# loopback: {same} frames in a row are the render's")
    assert same >= 12000, f"only {same} frames in a row"


if __name__ == "__main__":
    sys.exit(audio_servers.main((the_cards_of_a_realtime_kernel,)))
