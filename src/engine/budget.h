/* SPDX-License-Identifier: MIT
 * budget.h - refuses a patch whose memory is not there, before any of it is taken.
 *
 * Memory of nodes is populated and locked when it is taken; of more than there is the kernel would
 * take minutes, and then kill somebody. Control threads. Cost: a look at the nodes with memory of
 * their own (delays); of files under /proc and /sys where they need much. */
#ifndef TAC_ENGINE_BUDGET_H
#define TAC_ENGINE_BUDGET_H

#include "graph/graph.h"

#include <stdbool.h>

/* is_there: whether a node of the graph is running already, and needs nothing. 0, or -TAC_E_LIMIT
 * with the node that needs most in err. */
int tac_budget_check(const struct tac_graph *graph, double rate_hz,
                     bool (*is_there)(const void *user, const struct tac_graph_node *node),
                     const void *user, struct tac_error *err);

#endif
