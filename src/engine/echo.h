/* SPDX-License-Identifier: MIT
 * echo.h - what a node gave out before, for the cables that carry it back.
 *
 * It belongs to the node and not to the plan, so that a loop goes on when other parts of the patch
 * are edited. What was not written up to the present frame is from another time and counts as
 * silence.
 * Guard   What would go round beyond TAC_ECHO_MOST, or is no number, is replaced by 0 where it is
 *         written, counted, and told with the node. So a loop that gains more than it loses starts
 *         anew from silence, nothing that it feeds ever gets an infinity, and it is itself again
 *         as soon as its gain is. Frame by frame: the same bits however time is cut.
 * Threads: built by control threads; read and written by the audio thread alone. */
#ifndef TAC_ENGINE_ECHO_H
#define TAC_ENGINE_ECHO_H

#include "engine/vault.h"
#include "graph/graph.h"

#include <assert.h>

/* rows: of a cable that is late by a slice, a ring of so many frames, at the frame's place in the
 * slice. Of shorter ones, the latest TAC_ECHO_FRAMES frames, and behind them those of this slice:
 * the buffer of the node's output, aligned like every other. */
struct tac_echo {
    float *rows; /* [frames][lanes] */
    uint32_t lanes;
    uint32_t node;  /* its id */
    uint64_t until; /* the frame after the last that was written */
};

#define TAC_ECHO_MOST 1e6f /* +120 dBFS */

/* Values that were replaced since somebody asked, and the id of the latest one's node. The audio
 * thread's. */
struct tac_guard {
    uint64_t values;
    uint32_t node;
};

enum { TAC_ECHO_FRAMES = TAC_GRAPH_FEEDBACK_FRAMES - 1, TAC_ECHO_SPARE = 1 };

static_assert((TAC_ECHO_SPARE + TAC_ECHO_FRAMES) * sizeof(float) % 64 == 0,
              "a slice of one lane begins where vectors are read");

/* By output; NULL where there is none. */
struct tac_echoes {
    struct tac_echo *ring[TAC_BLOCK_PORTS_MAX];  /* [banks] */
    struct tac_echo *fold[TAC_BLOCK_PORTS_MAX];  /* [1]: of the sum over all lanes */
    struct tac_echo *close[TAC_BLOCK_PORTS_MAX]; /* [banks] */
};

enum tac_echo_kind { TAC_ECHO_RING, TAC_ECHO_FOLD, TAC_ECHO_CLOSE };

struct tac_node;

/* The echo of bank 0 (others follow), made when it is asked for first; NULL: out of memory. */
struct tac_echo *tac_echo_of(struct tac_node *node, enum tac_echo_kind kind, uint32_t port);

#endif
