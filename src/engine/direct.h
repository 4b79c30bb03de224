/* SPDX-License-Identifier: MIT
 * direct.h - a bank that adds itself to the sum over banks, without a buffer in between.
 *
 * What     Of a node whose outputs are heard as sums over its lanes alone, and whose block heeds
 *          tac_io.add, the process function is given the running sums of the group in place of the
 *          bank's own buffers. Two banks that run together (process2) are given one and the same,
 *          the second to add to what the first has left. It stands before the process operation and
 *          the gathers that it does the work of (tac_op.skip); the bits are the same, as both add
 *          in the same order. While voices of the bank fade, those operations run as they are.
 * Outputs  The io of the bank has one or the other; which of them is seen to before it runs, and
 *          as a rule there is nothing to do.
 * Threads  layout: control; run, stand_back: who runs the task. Real-time: the latter. */
#ifndef TAC_ENGINE_DIRECT_H
#define TAC_ENGINE_DIRECT_H

#include "engine/layout.h"

struct tac_direct;

/* Before the operations of a unit: an operation that may come to stand for them, when the block and
 * the unit are of the kind; else NULL and 0. */
int tac_direct_begin(struct tac_layout *l, uint32_t unit, struct tac_direct **ret_direct);

/* After them: to where its outputs are added. */
void tac_direct_end(struct tac_layout *l, struct tac_direct *direct);

/* The operation; and when those that it stands for are about to run: the bank has its own buffers
 * again. */
void tac_direct_run(void *direct, const struct tac_io *io);
void tac_direct_stand_back(void *direct);

#endif
