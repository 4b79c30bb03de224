# SPDX-License-Identifier: MIT
"""The loads for Csound, one thread, ksmps 64."""
import os

VOICE = """instr 1
as vco2 1, p4
kl lfo 960, p5, 0
{filter}
ae madsr 0.01, 0.1, 0.7, 0.2
al, ar pan2 as * ae * p7, p6
outs al, ar
endin
"""
INSTRUMENTS = {
    "sine1": "gi1 ftgen 1, 0, 16384, 10, 1\ninstr 1\na1 poscil p5, p4, 1\nout a1\nendin\n",
    "voice12": VOICE.format(filter="as lowpass2 as, 1200 + kl, 3.3"),
    "voice24": VOICE.format(filter="as moogladder2 as, 1200 + kl, 0.5"),
    "fx1": """instr 1
as rand 0.1
ac comb as, 2, p5
as = as + ac
as rbjeq as, 120, 1.41, 1, 1, 10
as rbjeq as, 1000, 0.63, 1, 1, 8
as rbjeq as, 6000, 1.26, 1, 1, 12
a1, a2 freeverb as, as, 0.7, 0.4
outch p4, (as * 0.7 + a1 * 0.3) * 0.1
endin
""",
    "tiny": "ga1 init 0\ninstr 1\nga1 = ga1 * 0.9999\nendin\n"}
UNITS = {"sine1": 1000, "voice12": 200, "voice24": 200, "fx1": 8, "tiny": 5000}
CHANNELS = {"sine1": 1, "voice12": 2, "voice24": 2, "fx1": 8, "tiny": 1}


def settings(load, i, units):
    if load == "sine1":
        return f"{100 + 7.3 * i} {1 / units}"
    if load == "fx1":
        return f"{1 + i % 8} {0.2 + 0.03 * (i % 8)}"
    if load == "tiny":
        return ""
    return f"{55 * 2 ** (i % 48 / 12)} {0.3 + 0.01 * i} {(i * 37) % 100 / 100} {1 / units}"


def prepare(folder, load, seconds):
    """Returns the command that renders so many seconds, its environment, and the units."""
    units = UNITS[load]
    score = "\n".join(f"i1 0 {seconds} {settings(load, i, units)}" for i in range(units))
    path = os.path.join(folder, f"{load}-{seconds:g}.csd")
    with open(path, "w", encoding="ascii") as out:
        out.write("<CsoundSynthesizer>\n<CsInstruments>\nsr = 48000\nksmps = 64\n"
                  f"nchnls = {CHANNELS[load]}\n0dbfs = 1\n{INSTRUMENTS[load]}</CsInstruments>\n"
                  f"<CsScore>\n{score}\nf0 {seconds}\ne\n</CsScore>\n</CsoundSynthesizer>\n")
    return ["csound", "-d", "-m0", "-n", "--nodisplays", "-j1", path], {}, units
