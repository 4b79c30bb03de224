/* SPDX-License-Identifier: MIT
 * play_report.h - what `tactus play` says while the sound runs, and at its end.
 *
 * Threads: control, while the stream is open. */
#ifndef TAC_CLI_PLAY_REPORT_H
#define TAC_CLI_PLAY_REPORT_H

#include "cli/patch_player.h"

#include <stddef.h>

/* What was counted when the status was asked for last. All zeros: never. */
struct tac_play_pace {
    uint64_t at_ns;
    uint64_t stream_busy_ns, frames, misses; /* misses: late cycles that had begun in time, xruns */
    double busy_ns[TAC_ENGINE_THREADS_MAX];
};

/* One line of what goes on now, without a newline; returns buffer. */
const char *tac_play_status(struct tac_player *player, struct tac_play_pace *pace, char *buffer,
                            size_t size);

/* Several lines of what has been, to standard output. */
void tac_play_summary(struct tac_player *player);

#endif
