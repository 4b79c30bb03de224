/* SPDX-License-Identifier: MIT
 * midi.c - plays the notes of a Standard MIDI File into voices.
 *
 * The engine reads the file into a list of events (struct tac_song). This block walks a position in
 * time along it, by the file's own tempo or by the patch's, and sends what it passes. Repeating, or
 * standing still at the end, lets go of every key that is held. Latency 0. State: 824 bytes. */
#include "dsp/block.h"
#include "dsp/maths.h"

enum { P_SPEED, P_TRANSPOSE };
enum { O_FILE, O_LOOP, O_CHANNEL, O_CLOCK };
enum { OUT_NOTES, OUT_BEND };
enum { CLOCK_FILE, CLOCK_PATCH };
enum { KEYS = 128, EVENTS_A_FRAME = 64 };

static const char *const yes_no[] = {"no", "yes", NULL};
static const char *const clocks[] = {"file", "patch", NULL};

struct midi {
    const struct tac_song *song;
    double at, per_frame, length; /* seconds or beats */
    uint32_t next, channel, looping, beats;
    float bend;
    uint16_t held[KEYS];  /* how often a key is down */
    float sounding[KEYS]; /* at which pitch */
};

static void init(void *state, const struct tac_setup *setup, void *memory)
{
    struct midi *s = state;
    (void)memory;
    s->song = setup->song;
    s->looping = setup->option[O_LOOP] > 0.5f;
    s->channel = (uint32_t)setup->option[O_CHANNEL];
    s->beats = setup->option[O_CLOCK] > 0.5f;
    double seconds = 1.0 / (double)setup->rate_hz;
    s->per_frame = s->beats ? seconds * (double)setup->tempo_bpm / 60 : seconds;
    if (s->song)
        s->length = s->beats ? s->song->beats : s->song->seconds;
}

static void release(struct midi *s, const struct tac_io *io, uint32_t i, uint32_t key)
{
    if (!s->held[key])
        return;
    s->held[key]--;
    tac_notes_push(io->notes_out, (struct tac_note){i, 0, s->sounding[key], 0});
}

static void release_all(struct midi *s, const struct tac_io *io, uint32_t i)
{
    for (uint32_t key = 0; key < KEYS; key++) {
        release(s, io, i, key);
        s->held[key] = 0;
    }
}

static void send(struct midi *s, const struct tac_io *io, uint32_t i,
                 const struct tac_song_event *event)
{
    const struct tac_signal transpose = io->param[P_TRANSPOSE];
    uint32_t key = (uint32_t)event->pitch & (KEYS - 1);
    if (s->channel && s->channel != event->channel)
        return;
    if (event->kind == TAC_SONG_BEND) {
        s->bend = event->value;
    } else if (event->kind == TAC_SONG_NOTE_OFF) {
        release(s, io, i, key);
    } else {
        s->sounding[key] = event->pitch + transpose.data[(size_t)i * transpose.stride];
        s->held[key]++;
        tac_notes_push(io->notes_out, (struct tac_note){i, 1, s->sounding[key], event->value});
    }
}

static double time_of(const struct midi *s, uint32_t event)
{
    return s->beats ? s->song->event[event].beats : s->song->event[event].seconds;
}

static void advance(struct midi *s, const struct tac_io *io, uint32_t i)
{
    const struct tac_signal speed = io->param[P_SPEED];
    for (int n = 0; n < EVENTS_A_FRAME && s->next < s->song->count; n++) {
        if (time_of(s, s->next) > s->at)
            break;
        send(s, io, i, &s->song->event[s->next++]);
    }
    s->at += s->per_frame * (double)speed.data[(size_t)i * speed.stride];
    if (s->at < s->length || s->next < s->song->count)
        return;
    release_all(s, io, i);
    if (s->looping && s->length > s->per_frame) {
        s->at = s->at - s->length < s->length ? s->at - s->length : 0;
        s->next = 0;
    }
}

static void process(void *state, const struct tac_io *io)
{
    struct midi *s = state;
    for (uint32_t i = 0; i < io->frames; i++) {
        if (s->song)
            advance(s, io, i);
        tac_put(io, OUT_BEND, i, tac_v_set(s->bend));
    }
}

TAC_BLOCK(midi) = {
    .name = "midi",
    .group = "control",
    .doc = "Plays the notes of a Standard MIDI File into voices.",
    .about =
        "Formats 0 and 1. A sustain pedal holds notes; pitch bends come out as semitones, 2 up "
        "and down. With clock: patch the file is played at the patch's tempo.",
    .out = {[OUT_NOTES] = {"notes", "note events, for a voices section", TAC_PORT_NOTES, 0},
            [OUT_BEND] = {"bend", "pitch bend, in semitones", TAC_PORT_SIGNAL, 0}},
    .param = {[P_SPEED] = {"speed", "of playing, against the tempo", TAC_UNIT_PERCENT, 0.01f, 16, 1,
                           TAC_CURVE_STEP, NULL},
              [P_TRANSPOSE] = {"transpose", "added to every note", TAC_UNIT_SEMITONES, -60, 60, 0,
                               TAC_CURVE_STEP, NULL}},
    .option = {[O_FILE] = {"file", "the MIDI file", TAC_OPTION_SONG, 0, 0, 0, NULL},
               [O_LOOP] = {"loop", "start again at the end", TAC_OPTION_CHOICE, 0, 1, 0, yes_no},
               [O_CHANNEL] = {"channel", "which is played; 0: all", TAC_OPTION_NUMBER, 0, 16, 0,
                              NULL},
               [O_CLOCK] = {"clock", "whose tempo counts", TAC_OPTION_CHOICE, 0, 1, 0, clocks}},
    .follows_tempo = 1,
    .state_bytes = sizeof(struct midi),
    .init = init,
    .process = process,
};
