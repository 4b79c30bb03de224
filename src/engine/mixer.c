/* SPDX-License-Identifier: MIT
 * mixer.c - strips of include/tactus/mixer.h.
 *
 * Hand-over   A strip's engine is one atomic pointer. Control puts it when all else of the strip is
 *             ready. To take it out, it lets the strip fade, clears the pointer, and waits until
 *             the process call that may have seen it is over: `turn` is odd inside a call.
 *
 * Gains       Control works out what each side of a strip is multiplied by, mute and solo included;
 *             the audio thread ramps to it, from frame to frame.
 *
 * Overload    Each engine judges its load by what all of them took, so that together they stay
 *             within the time (shed.h).
 *
 * Threads     as in mixer.h. Cost: of the engines, and one multiplication a frame and channel. */
#include "tactus/mixer.h"

#include "base/clock.h"
#include "engine/denormals.h"
#include "engine/internal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIDES = 2, CHUNK_FRAMES = 1024, RAMP_MS = 20, NAPS = 30, NAP_NS = 2000000 };

/* What one side of a strip is multiplied by: the audio thread's, which copies it. */
struct fader {
    float target, gain, step;
    uint32_t left;
};

struct strip {
    _Atomic(struct tac_engine *) engine;
    struct tac_mixer_strip how; /* control */
    bool leaving;
    uint32_t inputs, outputs;    /* of the patch */
    _Atomic uint32_t first;      /* of how */
    _Atomic float wanted[SIDES]; /* of the faders */
    struct fader fader[SIDES];
    _Atomic uint32_t silent; /* both faders rest at 0 */
    struct tac_level level[TAC_ENGINE_CHANNELS_MAX];
    uint64_t busy_ns;
};

struct tac_mixer {
    struct tac_vault home;
    pthread_mutex_t lock; /* of control */
    struct tac_mixer_config config;
    uint32_t ramp_frames;
    _Atomic uint32_t turn;
    uint64_t busy_ns;                                /* of all strips in the latest chunk, */
    uint32_t frames;                                 /* which was so long */
    float (*scratch)[CHUNK_FRAMES];                  /* [channels] of an engine, and one more */
    struct tac_level level[TAC_ENGINE_CHANNELS_MAX]; /* of the mix */
    struct strip strip[TAC_MIXER_STRIPS_MAX];
};

/* ---- life ---------------------------------------------------------------------------------- */

int tac_mixer_new(const struct tac_mixer_config *config, struct tac_mixer **ret_mixer)
{
    if (!config)
        return -EINVAL;
    double rate_hz = config->rate_hz == 0 ? 48000 : config->rate_hz;
    if (!(rate_hz >= 8000 && rate_hz <= 768000) || config->inputs > TAC_ENGINE_CHANNELS_MAX ||
        config->outputs < 1 || config->outputs > TAC_ENGINE_CHANNELS_MAX)
        return -EINVAL;
    struct tac_vault vault = {.lock = !config->no_lock};
    struct tac_mixer *m = tac_vault_take(&vault, sizeof *m);
    void *scratch = tac_vault_take(&vault, (TAC_ENGINE_CHANNELS_MAX + 1) * sizeof *m->scratch);
    if (!m || !scratch) {
        tac_vault_fini(&vault);
        return -ENOMEM;
    }
    m->home = vault;
    m->config = *config;
    m->config.rate_hz = rate_hz;
    m->ramp_frames = (uint32_t)(rate_hz * RAMP_MS / 1000);
    m->scratch = scratch;
    pthread_mutex_init(&m->lock, NULL);
    *ret_mixer = m;
    return 0;
}

void tac_mixer_free(struct tac_mixer *m)
{
    if (!m)
        return;
    pthread_mutex_destroy(&m->lock);
    struct tac_vault home = m->home;
    tac_vault_fini(&home);
}

/* ---- control ------------------------------------------------------------------------------- */

/* With the lock: the strip that is there, or NULL. */
static struct strip *find(struct tac_mixer *m, uint32_t strip)
{
    if (strip >= TAC_MIXER_STRIPS_MAX ||
        !atomic_load_explicit(&m->strip[strip].engine, memory_order_relaxed))
        return NULL;
    return &m->strip[strip];
}

/* Of one channel, with a channel of the mixer beside the first that it goes to. */
static bool is_panned(const struct tac_mixer *m, const struct strip *s, uint32_t first_out)
{
    return s->outputs == 1 && first_out + 1 < m->config.outputs;
}

static void work_out(const struct tac_mixer *m, const struct strip *s, float gain[SIDES])
{
    float level = s->how.gain_db > TAC_MIXER_GAIN_MIN_DB ? powf(10, s->how.gain_db / 20) : 0;
    float pan = s->how.pan, turn = (pan + 1) * (float)M_PI / 4;
    bool places = is_panned(m, s, s->how.first_out), balances = s->outputs > 1;
    gain[0] = level * (places ? cosf(turn) : balances && pan > 0 ? 1 - pan : 1);
    gain[1] = level * (places ? sinf(turn) : balances && pan < 0 ? 1 + pan : 1);
}

/* Every strip, as solo concerns all. */
static void set_faders(struct tac_mixer *m)
{
    bool solo = false;
    for (uint32_t i = 0; i < TAC_MIXER_STRIPS_MAX; i++) {
        const struct strip *s = find(m, i);
        solo = solo || (s && s->how.solo && !s->leaving);
    }
    for (uint32_t i = 0; i < TAC_MIXER_STRIPS_MAX; i++) {
        struct strip *s = find(m, i);
        float gain[SIDES] = {0, 0};
        if (!s)
            continue;
        if (!s->leaving && !s->how.mute && (!solo || s->how.solo))
            work_out(m, s, gain);
        for (int side = 0; side < SIDES; side++)
            atomic_store_explicit(&s->wanted[side], gain[side], memory_order_relaxed);
    }
}

static bool fits(const struct tac_mixer *m, const struct strip *s,
                 const struct tac_mixer_strip *how)
{
    return how->gain_db <= TAC_MIXER_GAIN_MAX_DB && how->pan >= -1 && how->pan <= 1 &&
           how->first_out < m->config.outputs && s->outputs <= m->config.outputs - how->first_out;
}

/* A strip that nobody has: as it will sound from its first frame on. */
static int prepare(struct tac_mixer *m, struct strip *s, struct tac_engine *engine)
{
    struct tac_engine_info info;
    tac_engine_info(engine, &info);
    /* all but the engine, for which the audio thread looks all the time */
    s->how = (struct tac_mixer_strip){0};
    s->leaving = false;
    s->inputs = info.inputs;
    s->outputs = info.outputs;
    atomic_store_explicit(&s->first, 0, memory_order_relaxed);
    memset(s->fader, 0, sizeof s->fader);
    atomic_store_explicit(&s->silent, 0, memory_order_relaxed);
    memset(s->level, 0, sizeof s->level);
    s->busy_ns = 0;
    if (!info.outputs || info.rate_hz != m->config.rate_hz || info.inputs > m->config.inputs ||
        !fits(m, s, &s->how))
        return -EINVAL;
    return 0;
}

static int add(struct tac_mixer *m, struct tac_engine *engine, uint32_t *ret_strip)
{
    uint32_t at = TAC_MIXER_STRIPS_MAX;
    for (uint32_t i = TAC_MIXER_STRIPS_MAX; i-- > 0;) {
        struct tac_engine *other = atomic_load_explicit(&m->strip[i].engine, memory_order_relaxed);
        if (other == engine)
            return -EEXIST;
        at = other ? at : i;
    }
    if (at == TAC_MIXER_STRIPS_MAX)
        return -TAC_E_LIMIT;
    struct strip *s = &m->strip[at];
    int code = prepare(m, s, engine);
    if (code < 0)
        return code;
    float gain[SIDES];
    work_out(m, s, gain);
    for (int side = 0; side < SIDES; side++) {
        s->fader[side] = (struct fader){.target = gain[side], .gain = gain[side]};
        atomic_store_explicit(&s->wanted[side], gain[side], memory_order_relaxed);
    }
    /* pairs with the load of process: the strip is complete when its engine is seen */
    atomic_store(&s->engine, engine);
    set_faders(m);
    *ret_strip = at;
    return 0;
}

int tac_mixer_add(struct tac_mixer *m, struct tac_engine *engine, uint32_t *ret_strip)
{
    pthread_mutex_lock(&m->lock);
    int code = add(m, engine, ret_strip);
    pthread_mutex_unlock(&m->lock);
    return code;
}

static void wait_for_silence(const struct strip *s)
{
    for (int i = 0; i < NAPS && !atomic_load_explicit(&s->silent, memory_order_relaxed); i++)
        tac_clock_sleep_until(tac_clock_ns() + NAP_NS);
}

int tac_mixer_remove(struct tac_mixer *m, uint32_t strip)
{
    pthread_mutex_lock(&m->lock);
    struct strip *s = find(m, strip);
    if (s) {
        s->leaving = true;
        set_faders(m);
        wait_for_silence(s);
        atomic_store(&s->engine, NULL);
        set_faders(m);
        uint32_t turn = atomic_load(&m->turn);
        while (turn % 2 && atomic_load(&m->turn) == turn)
            tac_clock_sleep_until(tac_clock_ns() + NAP_NS / 10);
    }
    pthread_mutex_unlock(&m->lock);
    return s ? 0 : -ENOENT;
}

int tac_mixer_set(struct tac_mixer *m, uint32_t strip, const struct tac_mixer_strip *how)
{
    pthread_mutex_lock(&m->lock);
    struct strip *s = find(m, strip);
    int code = s ? (fits(m, s, how) ? 0 : -EINVAL) : -ENOENT;
    if (code >= 0) {
        s->how = *how;
        atomic_store_explicit(&s->first, how->first_out, memory_order_relaxed);
        set_faders(m);
    }
    pthread_mutex_unlock(&m->lock);
    return code;
}

int tac_mixer_get(struct tac_mixer *m, uint32_t strip, struct tac_mixer_strip *ret_how)
{
    pthread_mutex_lock(&m->lock);
    struct strip *s = find(m, strip);
    if (s)
        *ret_how = s->how;
    pthread_mutex_unlock(&m->lock);
    return s ? 0 : -ENOENT;
}

int tac_mixer_meter(struct tac_mixer *m, uint32_t strip, uint32_t channel,
                    struct tac_engine_meter *ret_meter)
{
    pthread_mutex_lock(&m->lock);
    struct strip *s = find(m, strip);
    uint32_t channels = s ? s->outputs + is_panned(m, s, s->how.first_out) : 0;
    struct tac_level *level = s ? s->level : m->level;
    if (strip == TAC_MIXER_MIX)
        channels = m->config.outputs;
    int code = channel < channels ? 0 : -ENOENT;
    if (code >= 0) {
        tac_level_read(&level[channel], ret_meter);
    }
    pthread_mutex_unlock(&m->lock);
    return code;
}

/* ---- audio --------------------------------------------------------------------------------- */

static void begin_ramp(const struct tac_mixer *m, struct fader *f, float wanted)
{
    if (wanted == f->target)
        return;
    f->target = wanted;
    f->left = m->ramp_frames;
    f->step = (wanted - f->gain) / (float)f->left;
}

static float next_gain(struct fader *f)
{
    if (f->left && --f->left == 0)
        f->gain = f->target;
    else if (f->left)
        f->gain += f->step;
    return f->gain;
}

/* Each channel of a side starts from the same fader. */
static void add_channel(struct tac_mixer *m, struct strip *s, uint32_t channel, const float *in,
                        float *out, uint32_t frames)
{
    struct fader fader = s->fader[channel % SIDES];
    float *shaped = m->scratch[TAC_ENGINE_CHANNELS_MAX];
    for (uint32_t f = 0; f < frames; f++)
        shaped[f] = in[f] * next_gain(&fader);
    for (uint32_t f = 0; f < frames; f++)
        out[f] += shaped[f];
    tac_level_measure(&s->level[channel], shaped, frames, m->config.rate_hz);
}

static void advance(struct strip *s, uint32_t frames)
{
    bool silent = true;
    for (int side = 0; side < SIDES; side++) {
        struct fader *f = &s->fader[side];
        for (uint32_t i = 0; i < frames && f->left; i++)
            next_gain(f);
        silent = silent && !f->left && f->gain == 0;
    }
    atomic_store_explicit(&s->silent, silent, memory_order_relaxed);
}

/* What the others take is known from the chunk before. */
static void run_engine(struct tac_mixer *m, struct strip *s, struct tac_engine *engine,
                       const float *const *in, uint32_t frames)
{
    float *out[TAC_ENGINE_CHANNELS_MAX];
    uint64_t others = m->busy_ns > s->busy_ns ? m->busy_ns - s->busy_ns : 0;
    for (uint32_t c = 0; c < s->outputs; c++)
        out[c] = m->scratch[c];
    tac_engine_process_beside(engine, in, out, frames, m->frames ? others * frames / m->frames : 0);
    s->busy_ns = atomic_load_explicit(&engine->last_ns, memory_order_relaxed);
}

static void run_strip(struct tac_mixer *m, struct strip *s, struct tac_engine *engine,
                      const float *const *in, float *const *out, uint32_t offset, uint32_t frames)
{
    uint32_t first = atomic_load_explicit(&s->first, memory_order_relaxed);
    bool panned = is_panned(m, s, first);
    run_engine(m, s, engine, in, frames);
    for (int side = 0; side < SIDES; side++)
        begin_ramp(m, &s->fader[side],
                   atomic_load_explicit(&s->wanted[side], memory_order_relaxed));
    for (uint32_t c = 0; c < s->outputs + panned; c++)
        add_channel(m, s, c, m->scratch[panned ? 0 : c], out[first + c] + offset, frames);
    advance(s, frames);
}

static void run_chunk(struct tac_mixer *m, const float *const *in, float *const *out,
                      uint32_t offset, uint32_t frames)
{
    const float *from[TAC_ENGINE_CHANNELS_MAX];
    uint64_t busy_ns = 0;
    for (uint32_t c = 0; c < m->config.inputs; c++)
        from[c] = in && in[c] ? in[c] + offset : NULL;
    for (uint32_t c = 0; c < m->config.outputs; c++)
        memset(out[c] + offset, 0, frames * sizeof(float));
    for (uint32_t i = 0; i < TAC_MIXER_STRIPS_MAX; i++) {
        struct strip *s = &m->strip[i];
        struct tac_engine *engine = atomic_load(&s->engine);
        if (!engine)
            continue;
        run_strip(m, s, engine, in ? from : NULL, out, offset, frames);
        busy_ns += s->busy_ns;
    }
    for (uint32_t c = 0; c < m->config.outputs; c++)
        tac_level_measure(&m->level[c], out[c] + offset, frames, m->config.rate_hz);
    m->busy_ns = busy_ns;
    m->frames = frames;
}

/* The engines that play at the beginning of a call: their helpers stay awake between them. */
static uint32_t begin_cycle(struct tac_mixer *m, struct tac_workers **held)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < TAC_MIXER_STRIPS_MAX; i++) {
        struct tac_engine *engine = atomic_load(&m->strip[i].engine);
        if (!engine)
            continue;
        held[count] = engine->workers;
        tac_workers_stay(held[count++], true);
    }
    return count;
}

void tac_mixer_process(struct tac_mixer *m, const float *const *in, float *const *out,
                       uint32_t frames)
{
    unsigned fp = tac_denormals_flush();
    atomic_fetch_add(&m->turn, 1);
    struct tac_workers *held[TAC_MIXER_STRIPS_MAX];
    uint32_t count = begin_cycle(m, held);
    for (uint32_t done = 0; done < frames;) {
        uint32_t n = frames - done < CHUNK_FRAMES ? frames - done : CHUNK_FRAMES;
        run_chunk(m, in, out, done, n);
        done += n;
    }
    for (uint32_t i = 0; i < count; i++)
        tac_workers_stay(held[i], false);
    atomic_fetch_add(&m->turn, 1);
    tac_denormals_restore(fp);
}
