/* SPDX-License-Identifier: MIT
 * own_work.c - the thread computed: on its CPU, by its own clock, and nothing else to see.
 *
 * Names the zone with the most time of its own and the function in which most samples found the
 * thread, or else, where the kernel took a call stack of the program in the cycle, what stood
 * there, so that the reader knows where to look.
 *
 * A host that halts a virtual machine for a moment, and does not tell, leaves the same: the
 * thread's clock goes on. Where the extra time may lie in one stretch without any event or zone of
 * the thread, and cycles like this are so few that halts may be all of them, it is possible
 * at most, and the words say so. */
#include "doctor/rule.h"

#include "tactus/trace.h"

#include <stdio.h>

/* The zone of the cycle's thread that took longest without counting the zones inside it. */
static const char *hottest_zone(const struct tac_case *c, uint64_t *ret_ns)
{
    const struct tac_capture *cap = c->capture;
    const char *name = NULL;
    *ret_ns = 0;
    size_t first = TAC_CAPTURE_LOWER(cap, zones, begin_ns, c->cycle->begin_ns);
    for (size_t i = first; i < cap->zones_count && cap->zones[i].begin_ns < c->cycle->end_ns; i++) {
        const struct tac_capture_zone *z = &cap->zones[i];
        if (z->thread != c->cycle->thread || z->end_ns == TAC_CAPTURE_OPEN ||
            cap->sites[z->site].category == TAC_CAT_CYCLE)
            continue;
        uint64_t ns = z->end_ns - z->begin_ns;
        for (size_t k = i + 1; k < cap->zones_count && cap->zones[k].begin_ns < z->end_ns; k++)
            if (cap->zones[k].parent == i && cap->zones[k].end_ns != TAC_CAPTURE_OPEN)
                ns -= cap->zones[k].end_ns - cap->zones[k].begin_ns;
        if (ns > *ret_ns) {
            *ret_ns = ns;
            name = cap->sites[z->site].name;
        }
    }
    return name;
}

static bool slept(const struct tac_case *c)
{
    for (size_t i = 0; i < c->layout->sights.count; i++)
        if (c->layout->sights.data[i].kind == TAC_SIGHT_ASLEEP &&
            c->layout->sights.data[i].from_ns >= c->cycle->begin_ns)
            return true;
    return false;
}

static void check(struct tac_case *c)
{
    uint64_t own = c->open_ns[TAC_ACCOUNT_OWN], zone_ns;
    if (!own)
        return;
    const char *zone = hottest_zone(c, &zone_ns);
    char where[96] = "", seen[224] = "";
    if (zone && zone_ns * 4 > own) /* what took a small part does not show where */
        snprintf(where, sizeof where, "; most in zone %s (%.0f us)", zone, (double)zone_ns / 1e3);
    tac_case_sampled(c, c->cycle->begin_ns, c->cycle->end_ns, seen, sizeof seen);
    if (!*seen && !slept(c)) /* a stack of a sleep shows no computation */
        tac_case_seen(c, c->cycle->begin_ns, c->cycle->end_ns, seen, sizeof seen);
    uint64_t from, to;
    bool doubt = tac_case_may_be_halted(c, &from, &to);
    tac_claim(c, TAC_ACCOUNT_OWN, own,
              doubt                    ? 0.7
              : c->has & TAC_HAS_CLOCK ? 0.9
                                       : 0.8,
              "computed %.0f us, where %.0f us are usual%s%s%s",
              (double)c->layout->ns[TAC_ACCOUNT_OWN] / 1e3, c->nominal->ns[TAC_ACCOUNT_OWN] / 1e3,
              doubt
                  ? ", or the host halted the machine then, and nothing was due that would show it"
                  : "",
              where, seen);
}

TAC_RULE(own_work) = {
    .name = "own_work",
    .title = "its own computation",
    .means =
        "The thread was on its CPU and computed for longer than usual, or waited there in a loop "
        "for what another thread does.",
    .advice =
        "Do less in one cycle (spread the work, precompute, fewer voices), or make the period "
        "longer. Samples (tactus doctor --samples) and zones in the program show where.",
    .blame = TAC_BLAME_PROGRAM,
    .computes = true,
    .check = check,
};
