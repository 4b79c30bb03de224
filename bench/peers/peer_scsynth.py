# SPDX-License-Identifier: MIT
"""The loads for scsynth: synth definitions and a score, written in their documented binary formats
("Synth Definition File Format", version 2; "Non-Realtime Synthesis")."""
import os
import struct

SCALAR, CONTROL, AUDIO = 0, 1, 2
ADD, MULTIPLY = 0, 2
# gate's sustain node 2, no loop; each segment: level, time, shape 5 (by curvature), curvature -4
ADSR = [0, 3, 2, -99, 1, 0.01, 5, -4, 0.7, 0.1, 5, -4, 0, 0.2, 5, -4]


def text(value):
    return struct.pack("B", len(value)) + value.encode()


class Definition:
    """A synth definition under construction; signals are (unit, output), numbers are constants."""

    def __init__(self, name, **controls):
        self.name, self.controls = name, controls
        self.constants, self.units = [], []
        names = list(controls)
        self.unit("Control", CONTROL, [], len(names), special=0)
        for index, control in enumerate(names):
            setattr(self, control, (0, index))

    def unit(self, kind, rate, inputs, outputs=1, special=0):
        self.units.append((kind, rate, list(inputs), outputs, special))
        unit = len(self.units) - 1
        return (unit, 0) if outputs == 1 else [(unit, i) for i in range(outputs)]

    def multiply(self, a, b, rate=AUDIO):
        return self.unit("BinaryOpUGen", rate, [a, b], special=MULTIPLY)

    def add(self, a, b, rate=AUDIO):
        return self.unit("BinaryOpUGen", rate, [a, b], special=ADD)

    def source(self, value):
        if isinstance(value, tuple):
            return struct.pack(">ii", *value)
        if float(value) not in self.constants:
            self.constants.append(float(value))
        return struct.pack(">ii", -1, self.constants.index(float(value)))

    def encode(self):
        units = b""
        for kind, rate, inputs, outputs, special in self.units:
            units += text(kind) + struct.pack(">biih", rate, len(inputs), outputs, special)
            units += b"".join(self.source(value) for value in inputs)
            units += struct.pack("b", rate) * outputs
        body = text(self.name) + struct.pack(">i", len(self.constants))
        body += struct.pack(f">{len(self.constants)}f", *self.constants)
        body += struct.pack(">i", len(self.controls))
        body += struct.pack(f">{len(self.controls)}f", *self.controls.values())
        body += struct.pack(">i", len(self.controls))
        for index, name in enumerate(self.controls):
            body += text(name) + struct.pack(">i", index)
        body += struct.pack(">i", len(self.units)) + units + struct.pack(">h", 0)
        return b"SCgf" + struct.pack(">ih", 2, 1) + body


def sine1():
    d = Definition("sine1", f=440, a=0.001)
    d.unit("Out", AUDIO, [0, d.multiply(d.unit("SinOsc", AUDIO, [d.f, 0]), d.a)], 0)
    return d


def voice(name, kind, *shape):
    d = Definition(name, f=220, lfo=0.5, pan=0, a=0.01, gate=1)
    sway = d.multiply(d.unit("SinOsc", CONTROL, [d.lfo, 0]), 960, CONTROL)
    cutoff = d.add(sway, 1200, CONTROL)
    sound = d.unit(kind, AUDIO, [d.unit("Saw", AUDIO, [d.f]), cutoff, *shape])
    sound = d.multiply(sound, d.unit("EnvGen", AUDIO, [d.gate, 1, 0, 1, 0, *ADSR]))
    d.unit("Out", AUDIO, [0, *d.unit("Pan2", AUDIO, [sound, d.pan, d.a], 2)], 0)
    return d


def fx1():
    d = Definition("fx1", o=0, dt=0.35)
    x = d.multiply(d.unit("WhiteNoise", AUDIO, []), 0.1)
    x = d.add(x, d.unit("CombL", AUDIO, [x, 0.5, d.dt, 2]))
    x = d.unit("BLowShelf", AUDIO, [x, 120, 1, 3])
    x = d.unit("BPeakEQ", AUDIO, [x, 1000, 1, -4])
    x = d.unit("BHiShelf", AUDIO, [x, 6000, 1, 2])
    x = d.unit("FreeVerb", AUDIO, [x, 0.3, 0.7, 0.4])
    d.unit("Out", AUDIO, [d.o, d.multiply(x, 0.1)], 0)
    return d


def tiny():
    d = Definition("tiny", i=20)
    d.unit("ReplaceOut", AUDIO, [d.i, d.multiply(d.unit("In", AUDIO, [d.i]), 0.9999)], 0)
    return d


DEFINITIONS = {"sine1": sine1, "voice12": lambda: voice("voice12", "RLPF", 0.3),
               "voice24": lambda: voice("voice24", "MoogFF", 2, 0), "fx1": fx1, "tiny": tiny}
UNITS = {"sine1": 1000, "voice12": 400, "voice24": 300, "fx1": 8, "tiny": 5000}


def settings(load, i, units):
    if load == "sine1":
        return ["f", 100 + 7.3 * i, "a", 1 / units]
    if load == "fx1":
        return ["o", i % 8, "dt", 0.2 + 0.03 * (i % 8)]
    if load == "tiny":
        return ["i", 20]
    return ["f", 55 * 2 ** (i % 48 / 12), "lfo", 0.3 + 0.01 * i, "pan", -1 + 2 * (i * 37 % 100) / 100,
            "a", 1 / units]


def padded(value):
    data = value.encode() + b"\0"
    return data + b"\0" * (-len(data) % 4)


def message(address, *values):
    tags, data = ",", b""
    for value in values:
        if isinstance(value, str):
            tags, data = tags + "s", data + padded(value)
        elif isinstance(value, int):
            tags, data = tags + "i", data + struct.pack(">i", value)
        else:
            tags, data = tags + "f", data + struct.pack(">f", value)
    return padded(address) + padded(tags) + data


def bundle(seconds, messages):
    whole = int(seconds)
    data = b"#bundle\0" + struct.pack(">II", whole, int((seconds - whole) * 2 ** 32))
    for m in messages:
        data += struct.pack(">i", len(m)) + m
    return struct.pack(">i", len(data)) + data


def prepare(folder, load, seconds):
    """Returns the command that renders so many seconds, its environment, and the units."""
    units = UNITS[load]
    with open(os.path.join(folder, load + ".scsyndef"), "wb") as out:
        out.write(DEFINITIONS[load]().encode())
    score = os.path.join(folder, f"{load}-{seconds:g}.osc")
    starts = [message("/s_new", load, 10000 + i, 1, 0, *settings(load, i, units))
              for i in range(units)]
    with open(score, "wb") as out:
        for first in range(0, units, 200):
            out.write(bundle(0, starts[first:first + 200]))
        out.write(bundle(seconds, [message("/c_set", 0, 0)]))
    wav = os.path.join(folder, "scsynth.wav")
    channels = "8" if load == "fx1" else "2"
    command = ["scsynth", "-N", score, "_", wav, "48000", "WAV", "float", "-o", channels, "-i", "0",
               "-n", "40000", "-m", "524288", "-z", "64", "-w", "1024", "-V", "-2"]
    return command, {"SC_SYNTHDEF_PATH": folder}, units
