# SPDX-License-Identifier: MIT
"""The loads for Faust: all units in one program, so that its compiler can fuse them; C through gcc
with everything this machine has. The cutoff is a slider that faust_drive.c moves once per block."""
import os
import subprocess

UNITS = {"sine1": 100, "voice12": 32, "voice24": 32, "fx1": 8}
INSTANCES = {"sine1": 10, "voice12": 8, "voice24": 8, "fx1": 1}
FILTER = {"voice12": "fi.resonlp(fc(i), 3.3, 1)", "voice24": "ve.moog_vcf_2bn(0.5, fc(i))"}
HERE = os.path.dirname(os.path.abspath(__file__))


def program(load):
    n = UNITS[load]
    head = f'import("stdfaust.lib");\nN = {n};\n'
    if load == "sine1":
        return head + "process = par(i, N, os.osc(100 + i * 7.3) / N) :> _;\n"
    if load == "fx1":
        return head + """
echo(i) = + ~ (de.delay(65536, int(48 * (200 + 30 * i))) * 0.5);
bands = fi.low_shelf(3, 120) : fi.peak_eq(-4, 1000, 1000) : fi.high_shelf(2, 6000);
room = _ <: *(0.7), (re.mono_freeverb(0.84, 0.5, 0.4, 0) : *(0.3)) :> *(0.1);
process = no.multinoise(N) : par(i, N, *(0.1) : echo(i) : bands : room);
"""
    return head + f"""
fc(i) = hslider("fc%i", 1200, 20, 18000, 1);
gate = button("gate");
voice(i) = os.sawtooth(55 * pow(2, (i % 48) / 12)) : {FILTER[load]}
    : *(en.adsr(0.01, 0.1, 0.7, 0.2, gate)) <: *(sqrt(1 - p) / N), *(sqrt(p) / N)
    with {{ p = ((i * 37) % 100) / 100; }};
process = par(i, N, voice(i)) :> _, _;
"""


def prepare(folder, load, seconds):
    """Returns the command that renders so many seconds, its environment, and the units."""
    path = os.path.join(folder, load)
    if not os.path.exists(path):
        with open(path + ".dsp", "w", encoding="ascii") as out:
            out.write(program(load))
        subprocess.run(["faust", "-lang", "c", "-cn", "mydsp", "-single", "-scal", path + ".dsp",
                        "-o", path + ".h"], check=True, capture_output=True)
        subprocess.run(["gcc", "-O3", "-march=native", "-ffast-math", "-w",
                        f'-DPROGRAM="{path}.h"', os.path.join(HERE, "faust_drive.c"), "-o", path,
                        "-lm"], check=True, capture_output=True)
    count = INSTANCES[load]
    return [path, str(count), f"{seconds:g}"], {}, UNITS[load] * count
