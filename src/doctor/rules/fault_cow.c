/* SPDX-License-Identifier: MIT
 * fault_cow.c - page faults after a fork. It makes every page read-only, so each costs a fault on
 * its first write from then on: it is copied while a child has it in common (forks.h), and made
 * writable again when none has.
 *
 * The faults themselves tell, where they are recorded (x86): a write to a page that is there and
 * read-only. That a page was only read before, or made writable, looks the same; so it is likely
 * while a child has the pages, or soon after the fork, for what a program uses all the time it has
 * written to soon. Elsewhere faults count as such while a child has the pages. */
#include "doctor/forks.h"
#include "doctor/rule.h"

#include <stdio.h>

enum { SOME_FAULTS = 4, SOON_NS = 1000 * 1000 * 1000 };

static size_t protected_writes(const struct tac_case *c)
{
    size_t count = 0;
    for (size_t i = 0; i < c->layout->sights.count; i++) {
        const struct tac_sight *s = &c->layout->sights.data[i];
        count += s->kind == TAC_SIGHT_PROTECTED && s->from_ns >= c->cycle->begin_ns;
    }
    return count;
}

static void claim(struct tac_case *c, size_t pages, uint64_t ns, double confidence,
                  const struct tac_fork *last, const struct tac_fork *sharing)
{
    const struct tac_fork *fork = sharing ? sharing : last;
    char who[64], child[64];
    snprintf(child, sizeof child,
             sharing         ? "its child %u has the same pages, so each is copied"
             : fork->is_lost ? "what became of its child %u was not recorded"
                             : "its child %u is gone since",
             fork->child);
    tac_claim(c, TAC_ACCOUNT_FAULT, ns, confidence,
              "%zu first writes to pages since a fork by %s, %.0f ms before; %s", pages,
              tac_case_who(c, fork->parent, who, sizeof who),
              ((double)c->cycle->end_ns - (double)fork->ns) / 1e6, child);
}

static void check(struct tac_case *c)
{
    const struct tac_forks *forks = c->diagnosis->forks;
    const struct tac_fork *last = tac_forks_last(forks, 0, c->cycle->end_ns);
    const struct tac_fork *sharing = tac_forks_sharing(forks, c->cycle->end_ns);
    double more = c->cycle->faults_minor - c->nominal->faults_minor;
    size_t written = protected_writes(c);
    uint64_t open = c->open_ns[TAC_ACCOUNT_FAULT];
    double faults = c->cycle->faults_minor > written ? c->cycle->faults_minor : (double)written;
    if (!last || more < SOME_FAULTS)
        return;
    if (written >= SOME_FAULTS)
        claim(c, written, (uint64_t)((double)open * ((double)written / faults)),
              sharing || c->cycle->begin_ns < last->ns + SOON_NS ? 0.9 : 0.6, last, sharing);
    else if (!(c->has & TAC_HAS_COPIES) && sharing)
        claim(c, (size_t)more, open, 0.8, last, sharing);
}

TAC_RULE(fault_cow) = {
    .name = "fault_cow",
    .title = "page faults after a fork",
    .means = "The program forked, which makes all its pages read-only: each costs a fault on its "
             "first write, and a copy while the child lives and runs no other program.",
    .advice = "Start helpers with posix_spawn or vfork before audio runs; "
              "madvise(MADV_DONTFORK) for audio memory.",
    .needs = TAC_HAS_CLOCK | TAC_HAS_SCHED,
    .blame = TAC_BLAME_PROGRAM,
    .check = check,
};
