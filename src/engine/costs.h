/* SPDX-License-Identifier: MIT
 * costs.h - what a block takes before it was ever played.
 *
 * The first time that a variant of a block is built in this process, a copy of its fresh state runs
 * for a few slices on inputs at rest: its code and tables are warm from then on, and the time of
 * the last slice is kept as a first estimate. The audio thread measures better ones.
 * Threads: control, any. Cost: a few slices, once for each block and variant. */
#ifndef TAC_ENGINE_COSTS_H
#define TAC_ENGINE_COSTS_H

#include "engine/node.h"

/* state: fresh, of the node; it is only read. */
void tac_costs_learn(const struct tac_node *node, int block_index, const void *state);

/* Nanoseconds of one bank for one slice: as learned, or a guess. */
float tac_costs_known(const struct tac_node *node, int block_index);

/* Counter ticks to nanoseconds. */
double tac_costs_ns(double ticks);

#endif
