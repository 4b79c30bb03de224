/* SPDX-License-Identifier: MIT
 * costs.h - what a block takes before it was ever played.
 *
 * The first time that a variant of a block is built in this process, a state of its own (two, where
 * it takes banks in pairs) runs for a few slices with signals on its inputs: its code and tables
 * are warm from then on, and the shortest time is kept as a first estimate. Blocks that talk to
 * files are not run, and guessed. The audio thread measures better ones. Threads: control, any.
 * Cost: a few slices, once for each block and variant. */
#ifndef TAC_ENGINE_COSTS_H
#define TAC_ENGINE_COSTS_H

#include "engine/node.h"

/* setup: of a bank of the node. */
void tac_costs_learn(const struct tac_node *node, int block_index, const struct tac_setup *setup);

/* Nanoseconds of one bank for one slice: as learned, or a guess. */
float tac_costs_known(const struct tac_node *node, int block_index);

/* Counter ticks to nanoseconds. */
double tac_costs_ns(double ticks);

#endif
