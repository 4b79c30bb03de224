/* SPDX-License-Identifier: MIT
 * shed.h - too much to do for the time there is: give up in a declared order, and say why.
 *
 * Projection  the running mean of what a process call takes, a hiccup counted as at most twice the
 *             mean. When it passes TAC_SHED_PERCENT of the time that the frames last, something is
 *             given up before the next call; after a few calls the rest is looked at again.
 * Order       the patch's list (overload:). When that is used up, or there is none, what cost most:
 *             of the node that cost most in a few slices timed for the purpose (one of them may
 *             have been interrupted, so each node's longest is left out), half of the voices of its
 *             section, as long as they fill more than a bank; else the node is muted, with all that
 *             only it hears.
 * Fades       what is muted or sleeps goes and comes back by a ramp of one slice. States stand
 *             still meanwhile.
 * Back        the latest step is undone when there has been time for it for a while; the while
 *             doubles each time that was a mistake.
 * Threads     judge, forget: the audio thread; get: any.
 * Cost        constant, but for a walk over the nodes at each step. */
#ifndef TAC_ENGINE_SHED_H
#define TAC_ENGINE_SHED_H

#include "engine/params.h"
#include "engine/plan.h"
#include "engine/workers.h"

enum { TAC_SHED_PERCENT = 90, TAC_SHED_CALM_PERCENT = 60, TAC_SHED_STEPS_MAX = 128 };

struct tac_shed {
    bool off;
    uint64_t mean_ns;
    uint32_t calls;  /* since the last step */
    bool timing;     /* slices are being timed node by node, to find the costliest */
    uint32_t listed; /* steps of the patch's list that were taken */
    uint64_t calm_ns, patience_ns, since_undo_ns;
    uint32_t depth;
    struct {
        struct tac_graph_step step;
        float before;
        bool listed;
    } done[TAC_SHED_STEPS_MAX];
    _Atomic uint32_t level, guilty; /* steps in force; id of the node that cost most at the last */
    _Atomic uint32_t kind, target;  /* of the latest step; id of its node */
    _Atomic uint64_t steps, guilty_ns;
    _Atomic uint32_t load_percent;
};

struct tac_shed_scene {
    struct tac_plan *plan;
    struct tac_ramps *ramps;
    struct tac_workers *workers;
};

void tac_shed_init(struct tac_shed *shed, bool off);

/* After a process call that took busy_ns for period_ns worth of frames. */
void tac_shed_judge(struct tac_shed *shed, const struct tac_shed_scene *scene, uint64_t busy_ns,
                    uint64_t period_ns);

/* Another plan is about to play: what was set is set back; its own nodes are all awake. */
void tac_shed_forget(struct tac_shed *shed, const struct tac_shed_scene *scene);

#endif
