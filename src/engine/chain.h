/* SPDX-License-Identifier: MIT
 * chain.h - rows of nodes of one lane that only multiply, done in one pass over the frames.
 *
 * What     The process operation of a gain of one lane costs more than its 64 products: the call,
 *          its io, its level. Of a row of such operations, each heard by the next alone, the
 *          factors are kept (tac_block.scale) until some parameter of the plan changes
 *          (tac_plan.values), and the frames go through all of them in registers. A chain stands
 *          before the operations that it does the work of (tac_op.skip); each product is rounded
 *          as theirs is, so the bits are the same. When one of them is no multiplication at
 *          present, its level being on the move, they run as they are.
 * Threads  layout: control; run: the audio thread or a helper. Real-time: the latter. */
#ifndef TAC_ENGINE_CHAIN_H
#define TAC_ENGINE_CHAIN_H

#include "engine/layout.h"

/* Put chains among the operations of the copy that is being laid, from `first` on. 0, -ENOMEM. */
int tac_chain_find(struct tac_layout *l, uint32_t first);

#endif
