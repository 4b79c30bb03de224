# SPDX-License-Identifier: MIT
"""The loads for Pure Data: those it has objects of its own for."""
import os

UNITS = {"sine1": 1000, "voice12": 300, "tiny": 5000}


class Patch:
    def __init__(self):
        self.lines, self.cables, self.count = ["#N canvas 0 0 450 300 12;"], [], 0

    def add(self, what, kind="obj"):
        self.lines.append(f"#X {kind} 10 10 {what};")
        self.count += 1
        return self.count - 1

    def connect(self, source, target, inlet=0, outlet=0):
        self.cables.append(f"#X connect {source} {outlet} {target} {inlet};")

    def chain(self, source, *whats):
        for what in whats:
            target = self.add(what)
            self.connect(source, target)
            source = target
        return source


def add_voice(p, i, units, bang, dac):
    """A table of 64 harmonics is its idiom for a saw; vcf~ takes the cutoff at audio rate."""
    pan = i * 37 % 100 / 100
    saw = p.chain(p.add(f"sig~ {55 * 2 ** (i % 48 / 12):g}"), "tabosc4~ saw")
    cutoff = p.chain(p.add(f"osc~ {0.3 + 0.01 * i:g}"), "*~ 960", "+~ 1200")
    vcf = p.chain(saw, "vcf~ 3.3")
    p.connect(cutoff, vcf, 1)
    envelope, points = p.add("vline~"), p.add("1 10 \\, 0.7 100 10", "msg")
    p.connect(bang, points)
    p.connect(points, envelope)
    vca = p.add("*~")
    p.connect(vcf, vca)
    p.connect(envelope, vca, 1)
    p.connect(p.chain(vca, f"*~ {(1 - pan) / units:g}"), dac, 0)
    p.connect(p.chain(vca, f"*~ {pan / units:g}"), dac, 1)


def prepare(folder, load, seconds):
    """Returns the command that renders so many seconds, its environment, and the units."""
    units, p = UNITS[load], Patch()
    bang, start = p.add("loadbang"), p.add("\\; pd dsp 1", "msg")
    wait, stop = p.add(f"delay {seconds * 1000:g}"), p.add("\\; pd quit", "msg")
    for source, target in ((bang, start), (bang, wait), (wait, stop)):
        p.connect(source, target)
    dac = p.add("dac~ 1 2")
    if load == "voice12":
        p.add("table saw 515")
        harmonics = " ".join(f"{0.6 / k:.4f}" for k in range(1, 65))
        fill = p.add(f"\\; saw sinesum 512 {harmonics}", "msg")
        p.connect(bang, fill)
    source = p.add("sig~ 0.1")
    for i in range(units):
        if load == "sine1":
            p.connect(p.chain(p.add(f"osc~ {100 + 7.3 * i}"), f"*~ {1 / units:g}"), dac)
        elif load == "tiny":
            source = p.chain(source, "*~ 0.9999")
        else:
            add_voice(p, i, units, bang, dac)
    if load == "tiny":
        p.connect(source, dac)
    path = os.path.join(folder, f"{load}-{seconds:g}.pd")
    with open(path, "w", encoding="ascii") as out:
        out.write("\n".join(p.lines + p.cables) + "\n")
    command = ["pd", "-batch", "-nogui", "-noaudio", "-r", "48000", "-blocksize", "64", path]
    return command, {}, units
