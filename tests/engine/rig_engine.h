/* SPDX-License-Identifier: MIT
 * rig_engine.h - load a patch from text and compute frames of it, for the engine's tests. */
#ifndef TAC_TESTS_RIG_ENGINE_H
#define TAC_TESTS_RIG_ENGINE_H

#include "tactus/engine.h"

#include <stdio.h>
#include <string.h>

enum { RIG_CHANNELS = 8, RIG_FRAMES = 24000 };

static float rig_out[RIG_CHANNELS][RIG_FRAMES];
static float rig_in[RIG_FRAMES]; /* every channel that comes in; silent unless a test fills it */

static inline int rig_load(struct tac_engine *e, const char *text)
{
    struct tac_error err = {0};
    int code = tac_engine_load_text(e, text, strlen(text), "test", NULL, &err);
    if (code < 0)
        printf("# %u:%u: %s\n", err.line, err.column, err.text);
    return code;
}

/* threads > 1: helpers are called in every slice. */
static inline struct tac_engine *rig_open_threads(const char *text, uint32_t threads)
{
    struct tac_engine *e = NULL;
    struct tac_engine_config config = {.rate_hz = 48000,
                                       .offline = 1,
                                       .no_lock = 1,
                                       .threads = threads,
                                       .always_help = threads > 1};
    if (tac_engine_new(&config, &e) < 0 || rig_load(e, text) < 0) {
        tac_engine_free(e);
        return NULL;
    }
    return e;
}

static inline struct tac_engine *rig_open(const char *text)
{
    return rig_open_threads(text, 1);
}

/* frames of sound from rig_out[..][at] on, in calls of step frames. */
static inline void rig_play(struct tac_engine *e, uint32_t at, uint32_t frames, uint32_t step)
{
    for (uint32_t done = 0; done < frames;) {
        uint32_t n = frames - done < step ? frames - done : step;
        float *out[RIG_CHANNELS];
        const float *in[RIG_CHANNELS];
        for (int c = 0; c < RIG_CHANNELS; c++) {
            out[c] = rig_out[c] + at + done;
            in[c] = rig_in + at + done;
        }
        tac_engine_process(e, in, out, n);
        done += n;
    }
}

#endif
