/* SPDX-License-Identifier: MIT
 * ghosts.h - what an edit takes away sounds on for the time of a fade.
 *
 * The new graph is compared with the one that is heard. Where a node that stays is no longer fed
 * by a cable, that cable is added to the new graph as a ghost that fades out, together with the
 * nodes behind it that are gone or were replaced, with the states that they have. Cables that are
 * new to a node that stays fade in. So a node that is put in the place of another is cross-faded
 * with it, and where both sides carry the same nothing is heard at all. Nodes that are new are not
 * faded at their inlets: their outlets are. Cables of notes are never faded.
 *
 * Where old and new cables would close a loop, there is no fade.
 * Threads: control. Cost: nodes + cables. */
#ifndef TAC_ENGINE_GHOSTS_H
#define TAC_ENGINE_GHOSTS_H

#include "engine/plan.h"

/* Adds ghosts to the graph. *ret_fades: whether anything fades. 0 or -ENOMEM. */
int tac_ghosts_add(struct tac_graph *graph, const struct tac_plan *heard, bool *ret_fades);

#endif
