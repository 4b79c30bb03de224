/* SPDX-License-Identifier: MIT
 * hypervisor.c - time passed, the thread was on its CPU, and was not charged for it.
 *
 * Proof   The CPU clock of a thread leaves out time in which the host ran something else, so wall
 *         time on the CPU minus CPU time is stolen time; in undisturbed cycles the two agree within
 *         1 us. A second, independent proof is the grid: hosts hand out CPU quota at fixed times,
 * so stalls end at multiples of 100 ms from each other. With both it is certain. */
#include "doctor/rule.h"

#include <math.h>
#include <string.h>

enum { LATE_NS = 500 * 1000 };

/* Ends of other cycles with stolen time, at multiples of 100 ms (+- 2 ms) from this one's. */
static unsigned on_grid(const struct tac_case *c)
{
    const struct tac_diagnosis *d = c->diagnosis;
    unsigned count = 0;
    for (size_t i = 0; i < d->misses_count; i++) {
        const struct tac_miss *m = &d->misses[i];
        for (unsigned k = 0; k < m->count; k++) {
            if (m->verdict[k].rule != c->rule || m->verdict[k].ns * 2 < m->late_ns)
                continue;
            double apart = (double)(c->cycle->end_ns - c->capture->cycles[m->cycle].end_ns);
            double phase = fabs(remainder(apart, 1e8));
            count += apart > 5e7 && phase < 2e6;
        }
    }
    return count;
}

/* The timer that wakes the thread came late on a CPU that had nothing to do: nothing in this
 * machine held it up. An idle CPU has no thread whose clock could prove more. */
static void check_late_timer(struct tac_case *c)
{
    const char *is_virtual = tac_capture_meta(c->capture, "virtual");
    uint64_t late = c->open_ns[TAC_ACCOUNT_LATE_START];
    if (!(c->has & TAC_HAS_SCHED) || !is_virtual || strcmp(is_virtual, "yes") || late < LATE_NS)
        return;
    for (size_t i = 0; i < c->layout->sights.count; i++) {
        const struct tac_sight *s = &c->layout->sights.data[i];
        if (s->kind == TAC_SIGHT_READY && s->hard && s->who == 0 &&
            s->from_ns > c->layout->release_ns + LATE_NS && s->from_ns <= c->cycle->begin_ns)
            tac_claim(c, TAC_ACCOUNT_LATE_START, late, on_grid(c) ? 0.95 : 0.8,
                      "the timer came %.2f ms late although the CPU was idle", (double)late / 1e6);
    }
}

static void check(struct tac_case *c)
{
    check_late_timer(c);
    uint64_t ns = c->open_ns[TAC_ACCOUNT_HYPERVISOR];
    if (!ns)
        return;
    bool grid = on_grid(c) > 0;
    tac_claim(c, TAC_ACCOUNT_HYPERVISOR, ns, grid ? 0.99 : 0.85,
              "for %.2f ms the virtual CPU was not run by the host%s", (double)ns / 1e6,
              grid ? "; such stalls end on a 100 ms grid" : "");
}

TAC_RULE(hypervisor) = {
    .name = "hypervisor",
    .title = "the virtual machine was not run",
    .means = "The host ran something else on this CPU. The program did not sleep, was not "
             "pre-empted, and was not charged for the time.",
    .advice = "Not your program. Run on real hardware, or give the virtual machine a larger CPU "
              "quota or a core of its own.",
    .needs = TAC_HAS_CLOCK,
    .blame = TAC_BLAME_MACHINE,
    .check = check,
};
