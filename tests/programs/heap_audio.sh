#!/bin/bash
# SPDX-License-Identifier: MIT
# Audio programs on our heap render the same samples, and JACK's server and its clients live on it.
source "$(dirname "$(readlink -f "$0")")/heap.bash"
LIMIT=120

# A standard MIDI file: 16 chords of 4 notes on two programs.
python3 - <<'END' 2>/dev/null || true
import struct
events = bytes([0, 0xC0, 0, 0, 0xC1, 48])
for bar in range(16):
    notes = [48 + (bar * 5) % 12 + step for step in (0, 4, 7, 11)]
    for channel in (0, 1):
        events += b"".join(bytes([0, 0x90 | channel, n, 80 + bar]) for n in notes)
    events += bytes([96]) + bytes([0x80, notes[0], 0])
    for channel in (0, 1):
        events += b"".join(bytes([0, 0x80 | channel, n, 0]) for n in notes)
events += bytes([0, 0xFF, 0x2F, 0])
open("song.mid", "wb").write(b"MThd" + struct.pack(">IHHH", 6, 0, 1, 96) + b"MTrk"
                             + struct.pack(">I", len(events)) + events)

# A SuperCollider score for rendering without real time: a graph of SinOsc and Out, played 40 times.
def pstring(text):
    return bytes([len(text)]) + text.encode()

def ugen(name, rate, inputs, outputs):
    return (pstring(name) + struct.pack(">bIIh", rate, len(inputs), len(outputs), 0)
            + b"".join(struct.pack(">ii", *i) for i in inputs) + bytes(outputs))

constants = (440.0, 0.0, 0.05)
graph = (b"SCgf" + struct.pack(">ih", 2, 1) + pstring("tone")
         + struct.pack(">i", len(constants)) + b"".join(struct.pack(">f", c) for c in constants)
         + struct.pack(">i", 1) + struct.pack(">f", 330.0)
         + struct.pack(">i", 1) + pstring("freq") + struct.pack(">i", 0)
         + struct.pack(">i", 4) + ugen("Control", 1, [], [1])
         + ugen("SinOsc", 2, [(0, 0), (-1, 1)], [2])
         + pstring("BinaryOpUGen") + struct.pack(">bIIh", 2, 2, 1, 2)
         + struct.pack(">iiii", 1, 0, -1, 2) + bytes([2])
         + ugen("Out", 2, [(-1, 1), (2, 0)], []) + struct.pack(">h", 0))

def padded(data):
    return data + b"\0" * (4 - len(data) % 4)

def message(address, *values):
    tags, data = ",", b""
    for v in values:
        if isinstance(v, int):
            tags, data = tags + "i", data + struct.pack(">i", v)
        elif isinstance(v, float):
            tags, data = tags + "f", data + struct.pack(">f", v)
        elif isinstance(v, bytes):
            tags, data = tags + "b", data + struct.pack(">i", len(v)) + v + b"\0" * (-len(v) % 4)
        else:
            tags, data = tags + "s", data + padded(v.encode())
    return padded(address.encode()) + padded(tags.encode()) + data

def bundle(seconds, *messages):
    time = struct.pack(">II", int(seconds), int(seconds % 1 * 2**32))
    return b"#bundle\0" + time + b"".join(struct.pack(">i", len(m)) + m for m in messages)

score = [bundle(0, message("/d_recv", graph))]
for i in range(40):
    score.append(bundle(0.01 + i * 0.05, message("/s_new", "tone", 2000 + i, 0, 0, "freq", 200.0 + 20 * i)))
for i in range(40):
    score.append(bundle(2.2 + i * 0.01, message("/n_free", 2000 + i)))
score.append(bundle(3, message("/c_set", 0, 0)))
open("score.osc", "wb").write(b"".join(struct.pack(">i", len(b)) + b for b in score))
END

font=$(find /usr/share/sounds/sf2 -name '*.sf2' 2>/dev/null | sort | tail -n 1)
if [ -z "$font" ] || [ ! -f song.mid ]; then
    skipped "fluidsynth renders the same file" "no sound font (timgm6mb-soundfont), or no python3"
else
    same "fluidsynth renders the same file" fluidsynth "
        fluidsynth -q -ni -F out.\$ours.wav -r 48000 $font song.mid >/dev/null 2>&1; sha256sum <out.\$ours.wav; stat -c %s out.\$ours.wav"
    same "fluidsynth with four threads" fluidsynth "
        fluidsynth -q -ni -o synth.cpu-cores=4 -F out.\$ours.wav -r 48000 $font song.mid >/dev/null 2>&1; stat -c %s out.\$ours.wav"
fi

cat >tune.csd <<'END'
<CsoundSynthesizer>
<CsOptions>
-d -m0 -W
</CsOptions>
<CsInstruments>
sr = 48000
ksmps = 32
nchnls = 2
0dbfs = 1
giwave ftgen 1, 0, 16384, 10, 1, 0.5, 0.3, 0.2
instr 1
  kenv linsegr 0, 0.05, 0.1, p3, 0.05, 0.3, 0
  a1 poscil kenv, p4, 1
  a2 moogladder a1, 2000 + 1500 * oscil:k(1, 0.5), 0.4
  ad delay a2, 0.25
  aL, aR reverbsc a2 + ad * 0.3, a2, 0.7, 9000
  outs a2 + aL * 0.2, a2 + aR * 0.2
endin
</CsInstruments>
<CsScore>
{ 60 i
i 1 [$i * 0.05] 0.4 [110 + $i * 13]
}
e
</CsScore>
</CsoundSynthesizer>
END
same "csound renders the same file" csound "csound -o tune.\$ours.wav tune.csd >/dev/null 2>&1; sha256sum <tune.\$ours.wav; [ \$(stat -c %s tune.\$ours.wav) -gt 100000 ] && echo long"

if [ -f score.osc ]; then
    same "scsynth renders the same file" scsynth "
        QT_QPA_PLATFORM=offscreen SC_JACK_DEFAULT_OUTPUTS= scsynth -N score.osc _ score.\$ours.wav 48000 WAV int16 -o 2 -i 0 >/dev/null 2>&1
        sha256sum <score.\$ours.wav; stat -c %s score.\$ours.wav; [ \$(stat -c %s score.\$ours.wav) -gt 100000 ] && echo long"
else
    skipped "scsynth renders the same file" "python3 is not installed"
fi

server=tactus-heap-$$-\$ours
jack="export JACK_DEFAULT_SERVER=$server JACK_NO_AUDIO_RESERVATION=1 JACK_NO_START_SERVER=1
jackd -n $server -r -d dummy -r 48000 -p 256 >jackd.log 2>&1 & pid=\$!
for i in \$(seq 200); do jack_lsp -s $server >/dev/null 2>&1 && break; sleep 0.1; done
for i in 1 2 3 4 5 6; do jack_lsp -s $server -c -p | sort | md5sum; done
jack_simple_client c\$ours $server >/dev/null 2>&1 & client=\$!
sleep 1; jack_lsp -s $server | grep -c playback
jack_bufsize -s $server 512 >/dev/null 2>&1; sleep 0.3
kill \$client; wait \$client 2>/dev/null
kill -0 \$pid && echo alive
kill \$pid; wait \$pid; echo \$?"
same "jackd and its clients live on it" jackd "$jack"
done_testing
