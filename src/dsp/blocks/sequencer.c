/* SPDX-License-Identifier: MIT
 * sequencer.c - a step sequencer: a list of notes in time with the patch's tempo.
 *
 * Steps count in a phase of 32 fractional bits, so they never drift. A step plays the note of the
 * list (MIDI numbers; 0 rests) for `length` of its time. It speaks twice: as note events for a
 * voices section, and as pitch and gate signals for a single voice. Lane 0 leads; all lanes get the
 * signals. Latency 0. State: 48 bytes. */
#include "dsp/block.h"
#include "dsp/maths.h"

enum { P_RATE, P_LENGTH, P_VELOCITY, P_TRANSPOSE };
enum { O_NOTES };
enum { OUT_NOTES, OUT_PITCH, OUT_GATE };

struct sequencer {
    const float *step;
    uint32_t steps, at;
    uint64_t phase; /* 32.32 within the step; at the top: the next step begins */
    float beats_per_frame, pitch, sounding_pitch;
    uint32_t started, sounding;
};

static void init(void *state, const struct tac_setup *setup, void *memory)
{
    struct sequencer *s = state;
    (void)memory;
    s->step = setup->numbers[O_NOTES];
    s->steps = setup->numbers_count[O_NOTES];
    s->beats_per_frame = setup->tempo_bpm / 60.0f / setup->rate_hz;
    s->pitch = 69;
}

static void let_go(struct sequencer *s, const struct tac_io *io, uint32_t i)
{
    if (s->sounding)
        tac_notes_push(io->notes_out, (struct tac_note){i, 0, s->sounding_pitch, 0});
    s->sounding = 0;
}

static void begin_step(struct sequencer *s, const struct tac_io *io, uint32_t i)
{
    let_go(s, io, i);
    float note = s->step[s->at];
    if (note <= 0)
        return;
    s->pitch = note + io->param[P_TRANSPOSE].data[(size_t)i * io->param[P_TRANSPOSE].stride];
    float velocity = io->param[P_VELOCITY].data[(size_t)i * io->param[P_VELOCITY].stride];
    s->sounding = 1;
    s->sounding_pitch = s->pitch;
    tac_notes_push(io->notes_out, (struct tac_note){i, 1, s->pitch, velocity});
}

static void advance(struct sequencer *s, const struct tac_io *io, uint32_t i)
{
    const uint64_t one = 1ull << 32;
    if (!s->started || s->phase >= one) {
        s->phase = s->started ? s->phase - one : 0;
        s->at = s->started ? (s->at + 1) % s->steps : 0;
        s->started = 1;
        begin_step(s, io, i);
    }
    float length = io->param[P_LENGTH].data[(size_t)i * io->param[P_LENGTH].stride];
    if (s->sounding && (double)s->phase >= (double)length * (double)one)
        let_go(s, io, i);
    float rate = io->param[P_RATE].data[(size_t)i * io->param[P_RATE].stride];
    s->phase += (uint64_t)((double)s->beats_per_frame * (double)rate * (double)one);
}

static void process(void *state, const struct tac_io *io)
{
    struct sequencer *s = state;
    for (uint32_t i = 0; i < io->frames; i++) {
        if (s->steps)
            advance(s, io, i);
        tac_put(io, OUT_PITCH, i, tac_v_set(s->pitch));
        tac_put(io, OUT_GATE, i, tac_v_set(s->sounding ? 1.0f : 0.0f));
    }
}

TAC_BLOCK(sequencer) = {
    .name = "sequencer",
    .group = "control",
    .doc = "Steps through a list of notes in time with the tempo.",
    .out = {[OUT_NOTES] = {"notes", "note events, for a voices section", TAC_PORT_NOTES, 0},
            [OUT_PITCH] = {"pitch", "pitch of the latest note, in semitones", TAC_PORT_SIGNAL, 0},
            [OUT_GATE] = {"gate", "1 while the note is held", TAC_PORT_SIGNAL, 0}},
    .param = {[P_RATE] = {"rate", "steps per beat", TAC_UNIT_NONE, 0.01f, 64, 4, TAC_CURVE_STEP,
                          NULL},
              [P_LENGTH] = {"length", "how much of a step a note is held", TAC_UNIT_PERCENT, 0.01f,
                            1, 0.5f, TAC_CURVE_STEP, NULL},
              [P_VELOCITY] = {"velocity", "of all notes", TAC_UNIT_PERCENT, 0, 1, 0.8f,
                              TAC_CURVE_STEP, NULL},
              [P_TRANSPOSE] = {"transpose", "added to every note", TAC_UNIT_SEMITONES, -60, 60, 0,
                               TAC_CURVE_STEP, NULL}},
    .option = {[O_NOTES] = {"notes", "the steps: MIDI note numbers, 0 is a rest",
                            TAC_OPTION_NUMBERS, 0, 127, 0, NULL}},
    .follows_tempo = 1,
    .state_bytes = sizeof(struct sequencer),
    .init = init,
    .process = process,
};
