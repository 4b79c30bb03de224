/* SPDX-License-Identifier: MIT
 * voices.c - allocation of notes to voices, and the signals that follow from it; see voices.h.
 *
 * poly    a note takes the voice that has been silent for longest, else one that is stolen.
 * mono    one voice, the last key wins; a released key gives the voice back to the key before it.
 * legato  as mono, and a key struck while another is held does not strike the envelope again. */
#include "engine/voices.h"

#include <errno.h>
#include <string.h>

enum { HELD_MAX = 32 };

struct voice {
    float pitch, target, velocity; /* pitch moves to target */
    float slide;                   /* per frame; 0: at rest */
    float key;                     /* pitch of the note that is held, to find it when it ends */
    bool gate, pending;            /* pending: the gate goes up in the next frame */
    uint64_t struck, released;     /* serial numbers of events */
};

struct held {
    float pitch, velocity;
};

struct tac_voices {
    uint32_t count, unison, next;
    uint32_t limit; /* voices that may play */
    enum tac_voices_mode mode;
    enum tac_voices_steal steal;
    double rate_hz;
    uint64_t serial, notes, stolen, dropped;
    bool stale; /* row 0 does not show the present state */
    bool busy;  /* some voice slides or has a pending gate */
    uint32_t held_count;
    struct held held[HELD_MAX];
    struct voice voice[];
};

int tac_voices_build(struct tac_vault *vault, const struct tac_graph_section *section,
                     double rate_hz, struct tac_voices **ret_voices)
{
    struct tac_voices *v = tac_vault_take(vault, sizeof *v + section->count * sizeof(struct voice));
    if (!v)
        return -ENOMEM;
    v->count = v->limit = section->count;
    v->unison = section->unison;
    v->mode = section->mode;
    v->steal = section->steal;
    v->rate_hz = rate_hz;
    v->stale = true;
    for (uint32_t i = 0; i < v->count; i++)
        v->voice[i].pitch = v->voice[i].target = 69;
    *ret_voices = v;
    return 0;
}

/* The silent voice that was released first, or count. */
static uint32_t find_silent(const struct tac_voices *v)
{
    uint32_t best = v->count;
    for (uint32_t i = 0; i < v->limit; i++)
        if (!v->voice[i].gate && !v->voice[i].pending &&
            (best == v->count || v->voice[i].released < v->voice[best].released))
            best = i;
    return best;
}

static uint32_t find_victim(struct tac_voices *v)
{
    uint32_t best = 0;
    switch (v->steal) {
    case TAC_VOICES_NONE:
        return v->count;
    case TAC_VOICES_ROUND_ROBIN:
        best = v->next % v->limit;
        v->next = (best + 1) % v->limit;
        return best;
    case TAC_VOICES_LOWEST:
        for (uint32_t i = 1; i < v->limit; i++)
            if (v->voice[i].key < v->voice[best].key)
                best = i;
        return best;
    default:
        for (uint32_t i = 1; i < v->limit; i++)
            if (v->voice[i].struck < v->voice[best].struck)
                best = i;
        return best;
    }
}

static void set_pitch(struct tac_voices *v, struct voice *voice, float pitch, float glide_s)
{
    voice->key = voice->target = pitch;
    float frames = glide_s * (float)v->rate_hz;
    if (frames < 1 || !voice->struck) {
        voice->pitch = pitch;
        voice->slide = 0;
    } else {
        voice->slide = (pitch - voice->pitch) / frames;
    }
}

static void strike(struct tac_voices *v, struct voice *voice, const struct tac_note *note,
                   float glide_s)
{
    set_pitch(v, voice, note->pitch, glide_s);
    voice->velocity = note->velocity;
    voice->pending = voice->gate; /* an edge needs a frame of silence before it */
    voice->gate = !voice->gate;
    voice->struck = ++v->serial;
}

static void release(struct tac_voices *v, struct voice *voice)
{
    voice->gate = voice->pending = false;
    voice->released = ++v->serial;
}

static void poly_on(struct tac_voices *v, const struct tac_note *note, float glide_s)
{
    uint32_t i = find_silent(v);
    if (i == v->count) {
        i = find_victim(v);
        if (i == v->count) {
            v->dropped++;
            return;
        }
        v->stolen++;
    }
    strike(v, &v->voice[i], note, glide_s);
}

static void poly_off(struct tac_voices *v, float pitch)
{
    for (uint32_t i = 0; i < v->count; i++)
        if ((v->voice[i].gate || v->voice[i].pending) && v->voice[i].key == pitch)
            release(v, &v->voice[i]);
}

static void forget_held(struct tac_voices *v, float pitch)
{
    for (uint32_t i = 0; i < v->held_count; i++)
        if (v->held[i].pitch == pitch) {
            memmove(&v->held[i], &v->held[i + 1], (v->held_count - i - 1) * sizeof *v->held);
            v->held_count--;
            return;
        }
}

static void mono_on(struct tac_voices *v, const struct tac_note *note, float glide_s)
{
    forget_held(v, note->pitch);
    bool tied = v->mode == TAC_VOICES_LEGATO && v->held_count;
    if (v->held_count == HELD_MAX)
        forget_held(v, v->held[0].pitch);
    v->held[v->held_count++] = (struct held){note->pitch, note->velocity};
    if (tied)
        set_pitch(v, &v->voice[0], note->pitch, glide_s);
    else
        strike(v, &v->voice[0], note, glide_s);
}

static void mono_off(struct tac_voices *v, float pitch, float glide_s)
{
    bool sounding = v->held_count && v->held[v->held_count - 1].pitch == pitch;
    forget_held(v, pitch);
    if (!sounding)
        return;
    if (!v->held_count)
        release(v, &v->voice[0]);
    else
        set_pitch(v, &v->voice[0], v->held[v->held_count - 1].pitch, glide_s);
}

static void take_note(struct tac_voices *v, const struct tac_note *note, float glide_s)
{
    bool on = note->on && note->velocity > 0;
    v->notes += on;
    if (v->mode == TAC_VOICES_POLY && on)
        poly_on(v, note, glide_s);
    else if (v->mode == TAC_VOICES_POLY)
        poly_off(v, note->pitch);
    else if (on)
        mono_on(v, note, glide_s);
    else
        mono_off(v, note->pitch, glide_s);
}

static float unison_offset(const struct tac_voices *v, uint32_t k, float detune)
{
    return v->unison > 1 ? detune * ((float)k / (float)(v->unison - 1) - 0.5f) : 0;
}

static void write_row(const struct tac_voices *v, const struct tac_voices_output *out,
                      uint32_t frame, float detune)
{
    uint32_t lane = 0;
    for (uint32_t i = 0; i < v->count; i++)
        for (uint32_t k = 0; k < v->unison; k++, lane++) {
            float *const *bank = out->out + lane / out->bank_lanes * TAC_VOICES_OUTS;
            size_t at = (size_t)frame * out->bank_lanes + lane % out->bank_lanes;
            bank[TAC_VOICES_OUT_PITCH][at] = v->voice[i].pitch + unison_offset(v, k, detune);
            bank[TAC_VOICES_OUT_GATE][at] = v->voice[i].gate ? 1.0f : 0.0f;
            bank[TAC_VOICES_OUT_VELOCITY][at] = v->voice[i].velocity;
        }
}

static void copy_row(const struct tac_voices_output *out, uint32_t from, uint32_t to)
{
    for (uint32_t i = 0; i < out->banks * TAC_VOICES_OUTS; i++)
        memcpy(out->out[i] + (size_t)to * out->bank_lanes,
               out->out[i] + (size_t)from * out->bank_lanes, out->bank_lanes * sizeof(float));
}

/* Advance glides by a frame and raise gates that were held down for one. */
static void step(struct tac_voices *v)
{
    v->busy = false;
    for (uint32_t i = 0; i < v->count; i++) {
        struct voice *x = &v->voice[i];
        if (x->pending) {
            x->pending = false;
            x->gate = true;
        }
        if (x->slide != 0) {
            x->pitch += x->slide;
            bool there = x->slide > 0 ? x->pitch >= x->target : x->pitch <= x->target;
            x->pitch = there ? x->target : x->pitch;
            x->slide = there ? 0 : x->slide;
        }
        v->busy = v->busy || x->slide != 0;
    }
}

struct merge {
    uint32_t at[32];
};

/* The next note at or before frame, or NULL. */
static const struct tac_note *next_note(const struct tac_voices_input *in, struct merge *m,
                                        uint32_t frame)
{
    for (uint32_t i = 0; i < in->count; i++)
        if (m->at[i] < in->lists[i]->count && in->lists[i]->note[m->at[i]].frame <= frame)
            return &in->lists[i]->note[m->at[i]++];
    return NULL;
}

static bool any_note(const struct tac_voices_input *in)
{
    for (uint32_t i = 0; i < in->count; i++)
        if (in->lists[i]->count)
            return true;
    return false;
}

bool tac_voices_run(struct tac_voices *v, const struct tac_voices_input *in,
                    const struct tac_voices_output *out)
{
    if (!v->busy && !any_note(in)) {
        if (v->stale)
            write_row(v, out, 0, in->detune_semitones);
        v->stale = false;
        return false;
    }
    struct merge m = {{0}};
    for (uint32_t frame = 0; frame < in->frames; frame++) {
        bool changed = v->busy || frame == 0;
        if (v->busy)
            step(v);
        for (const struct tac_note *n; (n = next_note(in, &m, frame));) {
            take_note(v, n, in->glide_s);
            v->busy = changed = true;
        }
        if (changed)
            write_row(v, out, frame, in->detune_semitones);
        else
            copy_row(out, frame - 1, frame);
    }
    v->stale = true;
    return true;
}

void tac_voices_limit(struct tac_voices *v, uint32_t limit)
{
    v->limit = limit < v->count ? limit : v->count;
    for (uint32_t i = v->limit; i < v->count; i++)
        if (v->voice[i].gate || v->voice[i].pending) {
            release(v, &v->voice[i]);
            v->stale = true;
        }
}

uint32_t tac_voices_limit_now(const struct tac_voices *v)
{
    return v->limit;
}

void tac_voices_renew(struct tac_voices *v)
{
    v->stale = true;
}

void tac_voices_count(const struct tac_voices *v, struct tac_voices_count *ret_count)
{
    *ret_count = (struct tac_voices_count){v->notes, v->stolen, v->dropped, 0};
    for (uint32_t i = 0; i < v->count; i++)
        ret_count->active += v->voice[i].gate;
}
