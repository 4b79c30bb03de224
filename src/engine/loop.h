/* SPDX-License-Identifier: MIT
 * loop.h - nodes on a loop of feedback of less than a slice, run in steps of the shortest delay.
 *
 * How     The operations of the loop are those of any other part of the plan. Each step runs all of
 *         them for a few frames; for that every pointer of theirs into a signal that moves goes on
 *         by as many frames. What is fed back is read from a few rows before where it is written
 *         (echo.h). At the end of the slice the pointers are what they were.
 * Threads run: the audio thread. Cost: that of the operations, one call of each for every step. */
#ifndef TAC_ENGINE_LOOP_H
#define TAC_ENGINE_LOOP_H

#include "engine/plan.h"

/* A pointer that goes on with time, by *stride floats a frame. */
struct tac_loop_reader {
    const float **at, *begin;
    const uint32_t *stride;
};

struct tac_loop_writer {
    float **at, *begin;
    const uint32_t *stride;
};

struct tac_loop {
    struct tac_op *op;
    struct tac_io io, **node_io; /* io: for operations that need nothing but frames */
    struct tac_loop_reader *reader;
    struct tac_loop_writer *writer;
    struct tac_echo **echo;
    uint32_t ops, node_ios, readers, writers, echoes;
    uint32_t frames; /* of a step */
    const uint64_t *now;
    struct tac_guard *guard;
};

/* The operation. */
void tac_loop_run(void *loop, const struct tac_io *io);

/* Its parts, for who looks at the operations one by one: begin, a step from frame `at` on (returns
 * its frames), what is to be done when its operations have run, end. */
void tac_loop_begin(struct tac_loop *loop);
uint32_t tac_loop_step(struct tac_loop *loop, uint32_t at, uint32_t frames);
void tac_loop_stepped(const struct tac_loop *loop, uint32_t at, uint32_t step);
void tac_loop_end(struct tac_loop *loop, uint32_t frames);

#endif
