/* SPDX-License-Identifier: MIT
 * midi_file.c - the parser of midi_file.h.
 *
 * First all tracks are read into one list of raw events, sorted by tick, then by place in the file;
 * then one walk turns ticks into seconds and beats, and resolves the pedal. Invariants: a reader
 * never looks past its track; every event read makes the list longer or the track shorter, so any
 * bytes come to an end. Cost: n log n. */
#include "engine/midi_file.h"

#include "base/plain_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHANNELS = 16,
    KEYS = 128,
    PEDAL = 64,
    BEND_SEMITONES = 2,
    TEMPO = 0x51,
    END_OF_TRACK = 0x2f
};

struct raw {
    uint64_t tick;
    uint32_t order;
    uint8_t status, a, b; /* status 0: a change of tempo */
    uint32_t tempo_us;    /* microseconds a quarter note */
};

struct reader {
    const uint8_t *at, *end;
    const uint8_t *begin; /* of the file, for messages */
    struct raw *raw;
    uint32_t count, room;
    struct tac_error *err;
};

static int fail(const struct reader *r, int code, const char *what)
{
    return tac_error_set(r->err, code, NULL, 0, 0, "%s at byte %zu", what,
                         (size_t)(r->at - r->begin));
}

static size_t left(const struct reader *r)
{
    return (size_t)(r->end - r->at);
}

static uint32_t big_endian(const uint8_t *p, int bytes)
{
    uint32_t x = 0;
    for (int i = 0; i < bytes; i++)
        x = x << 8 | p[i];
    return x;
}

/* Seven bits a byte, at most four bytes. */
static int read_length(struct reader *r, uint32_t *ret_value)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        if (!left(r))
            return fail(r, -TAC_E_TRUNCATED, "the track ends within a number");
        uint8_t byte = *r->at++;
        value = value << 7 | (byte & 127);
        if (byte < 128) {
            *ret_value = value;
            return 0;
        }
    }
    return fail(r, -TAC_E_CORRUPT, "a number has more than four bytes");
}

static int add(struct reader *r, struct raw raw)
{
    if (r->count == TAC_MIDI_EVENTS_MAX)
        return fail(r, -TAC_E_LIMIT, "there are more than a million events");
    if (r->count == r->room) {
        uint32_t room = r->room ? 2 * r->room : 1024;
        struct raw *grown = realloc(r->raw, room * sizeof *grown);
        if (!grown)
            return fail(r, -ENOMEM, "no memory is left");
        r->raw = grown;
        r->room = room;
    }
    raw.order = r->count;
    r->raw[r->count++] = raw;
    return 0;
}

/* Text, tempo and the like; and messages of one maker. Returns 1 at the end of the track. */
static int read_meta(struct reader *r, uint64_t tick, bool meta)
{
    uint8_t kind = 0;
    uint32_t length = 0;
    if (meta && !left(r))
        return fail(r, -TAC_E_TRUNCATED, "the track ends within an event");
    if (meta)
        kind = *r->at++;
    int code = read_length(r, &length);
    if (code < 0)
        return code;
    if (length > left(r))
        return fail(r, -TAC_E_TRUNCATED, "an event is longer than its track");
    if (kind == TEMPO && length == 3 && big_endian(r->at, 3))
        code = add(r, (struct raw){.tick = tick, .tempo_us = big_endian(r->at, 3)});
    r->at += length;
    return code < 0 ? code : kind == END_OF_TRACK;
}

static int read_message(struct reader *r, uint64_t tick, uint8_t status)
{
    uint32_t bytes = (status & 0xe0) == 0xc0 ? 1 : 2;
    if (left(r) < bytes)
        return fail(r, -TAC_E_TRUNCATED, "the track ends within an event");
    struct raw raw = {
        .tick = tick, .status = status, .a = r->at[0], .b = bytes == 2 ? r->at[1] : 0};
    if ((raw.a | raw.b) & 0x80)
        return fail(r, -TAC_E_CORRUPT, "a value is above 127");
    r->at += bytes;
    uint8_t kind = status >> 4;
    bool wanted = kind == 8 || kind == 9 || kind == 14 || (kind == 11 && raw.a == PEDAL);
    return wanted ? add(r, raw) : 0;
}

/* Returns the tick at which the track ends through ret_end. */
static int read_track(struct reader *r, uint64_t *ret_end)
{
    uint8_t running = 0;
    uint64_t tick = 0;
    while (left(r)) {
        uint32_t wait = 0;
        int code = read_length(r, &wait);
        if (code < 0)
            return code;
        tick += wait;
        if (!left(r))
            return fail(r, -TAC_E_TRUNCATED, "the track ends within an event");
        uint8_t status = *r->at < 128 ? running : *r->at++;
        if (!status)
            return fail(r, -TAC_E_CORRUPT, "a value stands where an event should begin");
        if (status < 0xf0) {
            running = status;
            code = read_message(r, tick, status);
        } else if (status == 0xff || status == 0xf0 || status == 0xf7) {
            running = 0;
            code = read_meta(r, tick, status == 0xff);
        } else {
            return fail(r, -TAC_E_CORRUPT, "an event of a kind that files do not have");
        }
        *ret_end = tick;
        if (code)
            return code < 0 ? code : 0;
    }
    return 0;
}

/* Chunks of other kinds are passed over. */
static int read_tracks(struct reader *r, uint64_t *ret_end)
{
    uint32_t tracks = 0;
    *ret_end = 0;
    while (left(r) >= 8) {
        uint32_t length = big_endian(r->at + 4, 4);
        bool is_track = !memcmp(r->at, "MTrk", 4);
        r->at += 8;
        if (length > left(r))
            return fail(r, -TAC_E_TRUNCATED, "the file is cut off");
        const uint8_t *file_end = r->end, *next = r->at + length;
        uint64_t end = 0;
        r->end = next;
        int code = is_track ? read_track(r, &end) : 0;
        if (code < 0)
            return code;
        r->end = file_end;
        r->at = next;
        tracks += is_track;
        *ret_end = end > *ret_end ? end : *ret_end;
    }
    return tracks ? 0 : fail(r, -TAC_E_CORRUPT, "there is no track in it");
}

static int by_tick(const void *a, const void *b)
{
    const struct raw *x = a, *y = b;
    if (x->tick != y->tick)
        return x->tick < y->tick ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* ---- from ticks to time -------------------------------------------------------------------- */

struct walk {
    struct tac_song *song;
    double seconds, seconds_per_tick, beats_per_tick;
    uint64_t tick;
    uint32_t ticks_per_quarter; /* 0: the file counts in frames of a second */
    bool pedal[CHANNELS];
    bool waiting[CHANNELS][KEYS]; /* let go under the pedal */
};

static void advance(struct walk *w, uint64_t tick)
{
    w->seconds += (double)(tick - w->tick) * w->seconds_per_tick;
    w->tick = tick;
}

static void emit(struct walk *w, enum tac_song_kind kind, uint32_t channel, float pitch,
                 float value)
{
    w->song->event[w->song->count++] =
        (struct tac_song_event){.seconds = w->seconds,
                                .beats = (double)w->tick * w->beats_per_tick,
                                .kind = kind,
                                .channel = (uint8_t)(channel + 1),
                                .pitch = pitch,
                                .value = value};
}

static void take_pedal(struct walk *w, uint32_t channel, bool down)
{
    w->pedal[channel] = down;
    for (uint32_t key = 0; key < KEYS && !down; key++) {
        if (w->waiting[channel][key])
            emit(w, TAC_SONG_NOTE_OFF, channel, (float)key, 0);
        w->waiting[channel][key] = false;
    }
}

static void take_key(struct walk *w, uint32_t channel, uint8_t key, float velocity)
{
    bool held = w->waiting[channel][key];
    w->waiting[channel][key] = velocity <= 0 && w->pedal[channel];
    if (velocity > 0 && held)
        emit(w, TAC_SONG_NOTE_OFF, channel, (float)key, 0);
    if (velocity > 0)
        emit(w, TAC_SONG_NOTE_ON, channel, (float)key, velocity);
    else if (!w->pedal[channel])
        emit(w, TAC_SONG_NOTE_OFF, channel, (float)key, 0);
}

static void take(struct walk *w, const struct raw *raw)
{
    uint32_t channel = raw->status & 15;
    advance(w, raw->tick);
    switch (raw->status >> 4) {
    case 0:
        if (w->ticks_per_quarter)
            w->seconds_per_tick = raw->tempo_us * 1e-6 / w->ticks_per_quarter;
        break;
    case 8:
        take_key(w, channel, raw->a, 0);
        break;
    case 9:
        take_key(w, channel, raw->a, (float)raw->b / 127);
        break;
    case 11:
        take_pedal(w, channel, raw->b >= 64);
        break;
    default:
        emit(w, TAC_SONG_BEND, channel, 0,
             (float)((raw->b << 7 | raw->a) - 8192) / 8192 * BEND_SEMITONES);
    }
}

/* Every raw event becomes at most two, and the pedal's ends one for each note that waits. */
static struct tac_song *new_song(uint32_t raw_count)
{
    size_t room = 2 * (size_t)raw_count + 1;
    struct tac_song *song = calloc(1, sizeof *song + room * sizeof(struct tac_song_event));
    if (song)
        song->event = (struct tac_song_event *)(song + 1);
    return song;
}

static struct tac_song *compose(const struct reader *r, uint32_t division, uint64_t end)
{
    struct walk *w = calloc(1, sizeof *w);
    struct tac_song *song = w ? new_song(r->count) : NULL;
    if (song) {
        w->song = song;
        if (division & 0x8000) { /* frames a second, as a negative byte, times ticks a frame */
            uint32_t per_second = (256 - (division >> 8)) * (division & 255);
            w->seconds_per_tick = 1.0 / per_second;
            w->beats_per_tick = 2.0 / per_second;
        } else {
            w->ticks_per_quarter = division;
            w->seconds_per_tick = 0.5 / division;
            w->beats_per_tick = 1.0 / division;
        }
        for (uint32_t i = 0; i < r->count; i++)
            take(w, &r->raw[i]);
        advance(w, end > w->tick ? end : w->tick);
        for (uint32_t c = 0; c < CHANNELS; c++)
            take_pedal(w, c, false);
        song->seconds = w->seconds;
        song->beats = (double)w->tick * w->beats_per_tick;
    }
    free(w);
    return song;
}

int tac_midi_file_parse(const uint8_t *bytes, size_t size, struct tac_song **ret_song,
                        struct tac_error *err)
{
    struct reader r = {.at = bytes, .begin = bytes, .end = bytes + size, .err = err};
    uint64_t end = 0;
    if (size < 14 || memcmp(bytes, "MThd", 4) || big_endian(bytes + 4, 4) < 6)
        return fail(&r, -TAC_E_CORRUPT, "it is not a Standard MIDI File: no heading");
    uint32_t heading = big_endian(bytes + 4, 4), format = big_endian(bytes + 8, 2);
    uint32_t division = big_endian(bytes + 12, 2);
    bool clocked = division & 0x8000;
    if (format > 1)
        return fail(&r, -TAC_E_VERSION, "only files of formats 0 and 1 can be played");
    if (clocked ? !(division & 255) : !division)
        return fail(&r, -TAC_E_RANGE, "its ticks have no length");
    if (heading > size - 8)
        return fail(&r, -TAC_E_TRUNCATED, "the file is cut off");
    r.at += 8 + heading;
    int code = read_tracks(&r, &end);
    if (code >= 0) {
        if (r.count)
            qsort(r.raw, r.count, sizeof *r.raw, by_tick);
        *ret_song = compose(&r, division, end);
        code = *ret_song ? 0 : fail(&r, -ENOMEM, "no memory is left");
    }
    free(r.raw);
    return code;
}

int tac_midi_file_load(const char *path, struct tac_song **ret_song, struct tac_error *err)
{
    char *bytes = NULL;
    const char *other;
    size_t size;
    int code = tac_plain_file_read(path, TAC_MIDI_BYTES_MAX, &bytes, &size, &other);
    if (other)
        return tac_error_set(err, code, NULL, 0, 0, "%s cannot be played: it is %s", path, other);
    if (code < 0)
        return tac_error_set(err, code, NULL, 0, 0, "%s cannot be opened: %s", path,
                             tac_error_sentence(code));
    struct tac_error why = {0};
    if (size > TAC_MIDI_BYTES_MAX)
        code = tac_error_set(&why, -TAC_E_LIMIT, NULL, 0, 0, "it is larger than 16 MiB");
    else
        code = tac_midi_file_parse((const uint8_t *)bytes, size, ret_song, &why);
    free(bytes);
    return code < 0
               ? tac_error_set(err, code, NULL, 0, 0, "%s cannot be played: %s", path, why.text)
               : 0;
}
