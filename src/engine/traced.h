/* SPDX-License-Identifier: MIT
 * traced.h - what the engine shows to the recorder (tactus/trace.h): zones and plots.
 *
 * Category  TAC_CAT_TASK: a zone for each worker's part of a slice, in it one for each task.
 *           TAC_CAT_NODE: in the task, one for each run of operations of one node; a node of many
 *           banks has several. TAC_CAT_PLOT: load, memory and the level of overload, once a cycle.
 *           The run-time mask of the session (tac_trace_set_categories) switches each of them.
 * Sites     Nodes have the names of the patch; tasks and workers are numbered. All are made when a
 *           node, a plan or a crew is built. Where no more can be had, one unnamed site serves.
 * Cost      Without a session: one relaxed load a cycle, and a branch for each task; operations are
 *           then run by a loop that knows nothing of traces.
 * Threads   tac_traced_node, _numbered: control. The rest: audio thread or helper, real-time. */
#ifndef TAC_ENGINE_TRACED_H
#define TAC_ENGINE_TRACED_H

#include "tactus/trace.h"

/* Categories of the engine that are compiled in and record now; 0 as a rule. */
static inline uint32_t tac_traced_now(void)
{
#ifdef TAC_TRACE_OFF
    return 0;
#else
    const uint32_t ours = 1u << TAC_CAT_NODE | 1u << TAC_CAT_TASK | 1u << TAC_CAT_PLOT;
    return TAC_TRACE_LEVEL < 1
               ? 0
               : __atomic_load_n(&tac_trace_mask, __ATOMIC_RELAXED) & (TAC_TRACE_CATEGORIES)&ours;
#endif
}

/* True when what tac_traced_now() gave has the category. */
static inline uint32_t tac_traced_has(uint32_t traced, enum tac_trace_category category)
{
    return traced >> category & 1u;
}

/* Never NULL. */
const struct tac_trace_site *tac_traced_node(const char *name);
const struct tac_trace_site *tac_traced_numbered(const char *what, uint32_t number);

struct tac_traced_cycle {
    double load;         /* time in the cycle by the time that its frames last */
    uint64_t bytes;      /* of engine and plan */
    uint32_t shed_level; /* see shed.h */
};
void tac_traced_plot(const struct tac_traced_cycle *cycle);

#endif
