/* SPDX-License-Identifier: MIT
 * patch_player.h - engines in the callback of a backend: what render and play have in common. One
 * patch is played as it is, several through a mixer, each as it is.
 *
 * Threads: all functions control, but tac_player_process, which is the callback. */
#ifndef TAC_CLI_PATCH_PLAYER_H
#define TAC_CLI_PATCH_PLAYER_H

#include "backend/backend.h"
#include "engine/wav_writer.h"
#include "tactus/engine.h"
#include "tactus/mixer.h"

struct tac_player {
    struct tac_engine *engine[TAC_MIXER_STRIPS_MAX];
    uint32_t engines;
    struct tac_mixer *mixer;     /* of several engines, else NULL */
    struct tac_engine_info info; /* of the first, with counts and channels of all */
    char *name;                  /* of the first, as it was opened */
    struct tac_backend_stream *stream;
    struct tac_wav_writer *record; /* or NULL */
    const char *file, *trace;      /* what is written beside it, for errors; or NULL */
    int cycles;                    /* source of cycles for the recorder; negative: none */
    bool traces;                   /* a session of ours runs */
};

struct tac_player_config {
    const char *const *patch; /* [patches] */
    uint32_t patches;         /* 1 .. TAC_MIXER_STRIPS_MAX */
    const struct tac_backend *backend;
    struct tac_backend_config stream; /* channels and callback are filled in */
    uint32_t threads;                 /* that compute; 0: 1 */
    const char *record;               /* WAV to write, or NULL */
    const char *trace;                /* recording to write for the doctor, or NULL */
    uint32_t flight_s;                /* > 0: of the trace, keep so much around late cycles alone */
};

/* Load the patches and open the backend for them. */
int tac_player_open(struct tac_player *player, const struct tac_player_config *config,
                    struct tac_error *err);

/* Engines may have loaded their patches again: what is known of them, and who aligns by it is told.
 */
void tac_player_renew(struct tac_player *player);

/* The callback: user is the player. */
void tac_player_process(void *user, const struct tac_cycle *cycle);

/* Stop, close and free all. A negative code when the backend or the recording had failed. */
int tac_player_close(struct tac_player *player, struct tac_error *err);

/* Of all engines: sums, and the worst of what is no sum. Peak of the loudest channel that goes out,
 * since the last call. */
void tac_player_stats(struct tac_player *player, struct tac_engine_stats *ret_stats);
void tac_player_overload(struct tac_player *player, struct tac_engine_overload *ret_overload);
float tac_player_peak(struct tac_player *player);

/* SIGINT, SIGTERM and SIGHUP set a flag from now on; this reads it. */
void tac_player_catch_signals(void);
int tac_player_is_interrupted(void);

#endif
