/* SPDX-License-Identifier: MIT
 * loop.c - runs a loop step by step; see loop.h. */
#include "engine/loop.h"

#include "engine/cable_ops.h"

#include <string.h>

static void set_frames(struct tac_loop *l, uint32_t frames)
{
    if (l->io.frames == frames)
        return;
    l->io.frames = frames;
    for (uint32_t i = 0; i < l->node_ios; i++)
        l->node_io[i]->frames = frames;
}

void tac_loop_begin(struct tac_loop *l)
{
    l->io.frames = 0; /* those of the nodes are the slice's */
    for (uint32_t i = 0; i < l->readers; i++)
        l->reader[i].begin = *l->reader[i].at;
    for (uint32_t i = 0; i < l->writers; i++)
        l->writer[i].begin = *l->writer[i].at;
    for (uint32_t i = 0; i < l->echoes; i++)
        if (l->echo[i]->until != *l->now)
            memset(l->echo[i]->rows, 0, TAC_ECHO_FRAMES * l->echo[i]->lanes * sizeof(float));
}

uint32_t tac_loop_step(struct tac_loop *l, uint32_t at, uint32_t frames)
{
    uint32_t step = frames - at < l->frames ? frames - at : l->frames;
    set_frames(l, step);
    for (uint32_t i = 0; i < l->readers; i++)
        *l->reader[i].at = l->reader[i].begin + (size_t)at * *l->reader[i].stride;
    for (uint32_t i = 0; i < l->writers; i++)
        *l->writer[i].at = l->writer[i].begin + (size_t)at * *l->writer[i].stride;
    return step;
}

void tac_loop_stepped(const struct tac_loop *l, uint32_t at, uint32_t step)
{
    for (uint32_t i = 0; i < l->echoes; i++) {
        const struct tac_echo *e = l->echo[i];
        tac_feedback_guard(l->guard, e, e->rows + (size_t)(TAC_ECHO_FRAMES + at) * e->lanes, step);
    }
}

void tac_loop_end(struct tac_loop *l, uint32_t frames)
{
    set_frames(l, frames);
    for (uint32_t i = 0; i < l->readers; i++)
        *l->reader[i].at = l->reader[i].begin;
    for (uint32_t i = 0; i < l->writers; i++)
        *l->writer[i].at = l->writer[i].begin;
    for (uint32_t i = 0; i < l->echoes; i++) {
        struct tac_echo *e = l->echo[i];
        memmove(e->rows, e->rows + (size_t)frames * e->lanes,
                TAC_ECHO_FRAMES * e->lanes * sizeof(float));
        e->until = *l->now + frames;
    }
}

void tac_loop_run(void *loop, const struct tac_io *io)
{
    struct tac_loop *l = loop;
    tac_loop_begin(l);
    for (uint32_t at = 0, step; at < io->frames; at += step) {
        step = tac_loop_step(l, at, io->frames);
        for (const struct tac_op *op = l->op, *end = op + l->ops; op < end; op++)
            op->run(op->self, op->io);
        tac_loop_stepped(l, at, step);
    }
    tac_loop_end(l, io->frames);
}
