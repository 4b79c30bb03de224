/* SPDX-License-Identifier: MIT
 * voices.c - allocation of notes to voices, and the signals that follow from it; see voices.h.
 *
 * poly    a note takes the voice that has been silent for longest, else one that is stolen.
 *         `fade` of a stolen voice counts frames, from twice the length of a fade down: it fades
 *         out, strikes the note that waits in `next` half-way, and fades in.
 * mono    one voice, the last key wins; a released key gives the voice back to the key before it.
 * legato  as mono, and a key struck while another is held does not strike the envelope again. */
#include "engine/voices.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum { HELD_MAX = 32, YOUNG_MS = 50 };

struct voice {
    float pitch, target, velocity; /* pitch moves to target */
    float slide;                   /* per frame; 0: at rest */
    float key;                     /* pitch of the note that is held, to find it when it ends */
    bool gate, pending;            /* pending: the gate goes up in the next frame */
    uint64_t struck, released;     /* serial numbers of events */
    uint64_t began;                /* frame in which its note came */
    uint64_t woken;                /* frame in which it was struck first in a slice */
    uint32_t fade, end_in;         /* frames; end_in: until it is released, 0: nobody knows */
    struct {
        float pitch, velocity, glide_s;
        uint32_t lasts; /* frames; 0: it is still held */
    } next;
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
    bool stale;            /* row 0 does not show the present state */
    bool busy;             /* some voice slides, fades, or is about to begin or to end */
    bool fades;            /* some voice fades */
    uint64_t now;          /* frame of the slice */
    uint64_t begin, frame; /* of the slice that is being, or was last computed; that is computed */
    uint64_t at;           /* frame of the note that is being taken */
    uint32_t fade_frames, young_frames;
    float *curve;       /* [fade_frames + 1]: from 0 to 1 */
    float *level, *top; /* [lanes]: of the last windows; largest in this one */
    float fall;         /* of the level, in a window */
    uint32_t held_count;
    struct held held[HELD_MAX];
    struct voice voice[];
};

/* Half a period of a cosine: what is cut off spreads little in the spectrum. */
static int prepare_fades(struct tac_voices *v, struct tac_vault *vault)
{
    uint32_t lanes = v->count * v->unison;
    v->fade_frames = (uint32_t)(v->rate_hz * TAC_STEAL_FADE_MS / 1000 + 0.5);
    v->young_frames = (uint32_t)(v->rate_hz * YOUNG_MS / 1000);
    v->fall = (float)exp2(-64 / (v->rate_hz * 0.014));
    v->curve = TAC_VAULT_NEW(vault, float, v->fade_frames + 1);
    v->level = TAC_VAULT_NEW(vault, float, lanes);
    v->top = TAC_VAULT_NEW(vault, float, lanes);
    if (!v->curve || !v->level || !v->top)
        return -ENOMEM;
    for (uint32_t i = 0; i <= v->fade_frames; i++)
        v->curve[i] = (float)(0.5 - 0.5 * cos(M_PI * i / v->fade_frames));
    return 0;
}

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
    if (prepare_fades(v, vault) < 0)
        return -ENOMEM;
    for (uint32_t i = 0; i < v->count; i++)
        v->voice[i] = (struct voice){.pitch = 69, .target = 69, .woken = UINT64_MAX};
    *ret_voices = v;
    return 0;
}

/* It has a note that has not struck yet. */
static bool waits(const struct tac_voices *v, const struct voice *voice)
{
    return voice->fade > v->fade_frames;
}

/* The silent voice that was released first, or count. */
static uint32_t find_silent(const struct tac_voices *v)
{
    uint32_t best = v->count;
    for (uint32_t i = 0; i < v->limit; i++)
        if (!v->voice[i].gate && !v->voice[i].pending && !waits(v, &v->voice[i]) &&
            (best == v->count || v->voice[i].released < v->voice[best].released))
            best = i;
    return best;
}

static float level_of(const struct tac_voices *v, uint32_t voice)
{
    float most = 0;
    for (uint32_t k = 0; k < v->unison; k++)
        most = fmaxf(most, v->level[voice * v->unison + k]);
    return most;
}

/* A voice that has just been struck may be quiet yet: it is left alone where there is another. */
static bool is_quieter(const struct tac_voices *v, uint32_t a, uint32_t b)
{
    bool young_a = v->at - v->voice[a].began < v->young_frames;
    bool young_b = v->at - v->voice[b].began < v->young_frames;
    float level_a = level_of(v, a), level_b = level_of(v, b);
    if (young_a != young_b)
        return young_b;
    return level_a != level_b ? level_a < level_b : v->voice[a].struck < v->voice[b].struck;
}

/* True when voice a rather than b should give way. */
static bool is_worse(const struct tac_voices *v, uint32_t a, uint32_t b)
{
    bool waits_a = waits(v, &v->voice[a]), waits_b = waits(v, &v->voice[b]);
    if (waits_a != waits_b)
        return waits_b;
    switch (v->steal) {
    case TAC_VOICES_ROUND_ROBIN:
        return false;
    case TAC_VOICES_LOWEST:
        return v->voice[a].key < v->voice[b].key;
    case TAC_VOICES_QUIETEST:
        return is_quieter(v, a, b);
    default:
        return v->voice[a].struck < v->voice[b].struck;
    }
}

static uint32_t find_victim(struct tac_voices *v)
{
    if (v->steal == TAC_VOICES_NONE)
        return v->count;
    uint32_t first = v->steal == TAC_VOICES_ROUND_ROBIN ? v->next % v->limit : 0, best = first;
    for (uint32_t i = 1; i < v->limit; i++)
        if (is_worse(v, (first + i) % v->limit, best))
            best = (first + i) % v->limit;
    v->next = (best + 1) % v->limit;
    return best;
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
    if (voice->woken < v->begin || voice->woken > v->frame)
        voice->woken = v->frame;
    voice->pending = voice->gate; /* an edge needs a frame of silence before it */
    voice->gate = !voice->gate;
    voice->struck = ++v->serial;
}

static void release(struct tac_voices *v, struct voice *voice)
{
    voice->gate = voice->pending = false;
    voice->released = ++v->serial;
    voice->end_in = 0;
}

/* A voice that fades out already just gets another note to strike. */
static void steal(struct tac_voices *v, struct voice *voice, const struct tac_note *note,
                  float glide_s)
{
    if (!waits(v, voice)) {
        uint32_t up = v->fade_frames - voice->fade; /* a fade in may have got so far */
        voice->fade = v->fade_frames + (up ? up : 1);
    }
    voice->struck = ++v->serial;
    voice->end_in = 0;
    voice->next.pitch = note->pitch;
    voice->next.velocity = note->velocity;
    voice->next.glide_s = glide_s;
    voice->next.lasts = 0;
    v->stolen++;
    v->fades = true;
}

static void poly_on(struct tac_voices *v, const struct tac_note *note, float glide_s)
{
    uint32_t i = find_silent(v), victim = i < v->count ? i : find_victim(v);
    if (victim == v->count) {
        v->dropped++;
        return;
    }
    if (i < v->count)
        strike(v, &v->voice[i], note, glide_s);
    else
        steal(v, &v->voice[victim], note, glide_s);
    v->voice[victim].began = v->at;
}

static void poly_off(struct tac_voices *v, float pitch)
{
    for (uint32_t i = 0; i < v->count; i++) {
        struct voice *x = &v->voice[i];
        if (waits(v, x) && x->next.pitch == pitch && !x->next.lasts)
            x->next.lasts = (uint32_t)(v->at - x->began) + 1;
        else if (waits(v, x) && x->key == pitch)
            x->gate = x->pending = false;
        else if ((x->gate || x->pending) && x->key == pitch)
            release(v, x);
    }
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
    v->at = v->now + note->frame;
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

/* A voice that has faded out, or one that there is no room for any more. */
static void strike_next(struct tac_voices *v, struct voice *voice)
{
    struct tac_note note = {.on = 1, .pitch = voice->next.pitch, .velocity = voice->next.velocity};
    if (voice >= v->voice + v->limit) {
        release(v, voice);
        return;
    }
    uint64_t struck = voice->struck; /* its turn is that of the frame in which the note came */
    strike(v, voice, &note, voice->next.glide_s);
    voice->struck = struck;
    voice->end_in = voice->next.lasts;
}

static void step_fade(struct tac_voices *v, struct voice *x)
{
    if (x->end_in && --x->end_in == 0)
        release(v, x);
    if (x->fade && --x->fade == v->fade_frames)
        strike_next(v, x);
    v->fades = v->fades || x->fade;
    v->busy = v->busy || x->fade || x->end_in || x->pending;
}

/* Advance glides and fades by a frame, and raise gates that were held down for one. */
static void step(struct tac_voices *v)
{
    v->busy = v->fades = false;
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
        if (x->fade || x->end_in)
            step_fade(v, x);
    }
}

static void write_fades(const struct tac_voices *v, const struct tac_voices_output *out,
                        uint32_t frame)
{
    for (uint32_t lane = 0; lane < v->count * v->unison; lane++) {
        const struct voice *x = &v->voice[lane / v->unison];
        uint32_t at = waits(v, x) ? x->fade - v->fade_frames : v->fade_frames - x->fade;
        out->fade[lane / out->bank_lanes][frame * out->bank_lanes + lane % out->bank_lanes] =
            v->curve[at];
    }
}

/* Frames before the first fade of the slice. */
static void write_full(const struct tac_voices_output *out, uint32_t frames)
{
    for (uint32_t bank = 0; bank < out->banks; bank++)
        for (uint32_t i = 0; i < frames * out->bank_lanes; i++)
            out->fade[bank][i] = 1;
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

/* Every frame gets its row. True when some voice fades in one of them. */
static bool run_frames(struct tac_voices *v, const struct tac_voices_input *in,
                       const struct tac_voices_output *out)
{
    struct merge m = {{0}};
    bool fades = false;
    for (uint32_t frame = 0; frame < in->frames; frame++) {
        v->frame = v->now + frame;
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
        if (v->fades && !fades)
            write_full(out, frame);
        fades = fades || v->fades;
        if (fades)
            write_fades(v, out, frame);
    }
    return fades;
}

bool tac_voices_run(struct tac_voices *v, const struct tac_voices_input *in,
                    const struct tac_voices_output *out, bool *ret_fades)
{
    bool moves = v->busy || any_note(in);
    v->begin = v->now;
    *ret_fades = moves && run_frames(v, in, out);
    if (!moves && v->stale)
        write_row(v, out, 0, in->detune_semitones);
    v->stale = moves;
    v->now += in->frames;
    return moves;
}

void tac_voices_hear(struct tac_voices *v, uint32_t first, uint32_t lanes, const float *peak)
{
    for (uint32_t i = 0; i < lanes; i++)
        v->top[first + i] = fmaxf(v->top[first + i], peak[i]);
}

void tac_voices_heard(struct tac_voices *v, bool complete)
{
    for (uint32_t i = 0; complete && i < v->count * v->unison; i++) {
        v->level[i] = fmaxf(v->top[i], v->level[i] * v->fall);
        v->top[i] = 0;
    }
}

void tac_voices_limit(struct tac_voices *v, uint32_t limit)
{
    v->limit = limit < v->count ? limit : v->count;
    for (uint32_t i = v->limit; i < v->count; i++)
        if (v->voice[i].gate || v->voice[i].pending || waits(v, &v->voice[i])) {
            release(v, &v->voice[i]);
            v->stale = true;
        }
}

uint32_t tac_voices_limit_now(const struct tac_voices *v)
{
    return v->limit;
}

bool tac_voices_are_idle(const struct tac_voices *v, uint32_t first, uint32_t lanes)
{
    bool idle = true;
    for (uint32_t i = first / v->unison; i < v->count && i * v->unison < first + lanes; i++) {
        const struct voice *x = &v->voice[i];
        idle = idle && !x->gate && !x->pending && !x->fade && !x->end_in && x->slide == 0;
    }
    return idle;
}

uint32_t tac_voices_struck(const struct tac_voices *v, uint32_t first, uint32_t lanes)
{
    uint64_t earliest = UINT64_MAX;
    for (uint32_t i = first / v->unison; i < v->count && i * v->unison < first + lanes; i++) {
        uint64_t woken = v->voice[i].woken;
        earliest = woken >= v->begin && woken < earliest ? woken : earliest;
    }
    return earliest == UINT64_MAX ? UINT32_MAX : (uint32_t)(earliest - v->begin);
}

void tac_voices_renew(struct tac_voices *v)
{
    v->stale = true;
}

bool tac_voices_are_stale(const struct tac_voices *v)
{
    return v->stale;
}

void tac_voices_count(const struct tac_voices *v, struct tac_voices_count *ret_count)
{
    *ret_count = (struct tac_voices_count){v->notes, v->stolen, v->dropped, 0};
    for (uint32_t i = 0; i < v->count; i++)
        ret_count->active += v->voice[i].gate || waits(v, &v->voice[i]);
}
