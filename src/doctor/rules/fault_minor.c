/* SPDX-License-Identifier: MIT
 * fault_minor.c - many first touches of ordinary pages; count times the price of one in this
 * recording. Those inside memory functions are the heap's work (heap_work.c). */
#include "doctor/rule.h"

/* The instruction of the fault in the middle: where most of them are, when there is one place. */
static uint64_t typical_instruction(const struct tac_case *c)
{
    size_t count = 0, at = 0, all = tac_case_count(c, TAC_SIGHT_FAULT, NULL);
    for (size_t i = 0; i < c->layout->sights.count; i++) {
        const struct tac_sight *s = &c->layout->sights.data[i];
        if (s->kind == TAC_SIGHT_FAULT && s->from_ns >= c->layout->release_ns && count++ == all / 2)
            at = i + 1;
    }
    return at ? c->capture->kernel[c->layout->sights.data[at - 1].index].b + 1 : 0;
}

static void check(struct tac_case *c)
{
    char place[96];
    const char *at = tac_case_symbol(c, typical_instruction(c), place, sizeof place);
    uint32_t faults = c->cycle->faults_minor;
    double each = (double)c->layout->ns[TAC_ACCOUNT_FAULT] / (faults ? faults : 1);
    uint64_t open = c->open_ns[TAC_ACCOUNT_FAULT], heap = tac_case_faults_in_heap(c);
    tac_claim(c, TAC_ACCOUNT_FAULT, open - heap, 0.85,
              "%u page faults, where %.0f are usual, at about %.1f us each%s%s", faults,
              c->nominal->faults_minor, each / 1e3, *at ? ", in " : "", at);
}

TAC_RULE(fault_minor) = {
    .name = "fault_minor",
    .title = "page faults",
    .means = "Memory was used for the first time (or after a fork) and the kernel had to provide "
             "its pages one by one.",
    .advice = "mlockall(MCL_CURRENT | MCL_FUTURE) and touch memory before audio runs, the stack "
              "too; use a heap over a region that is already touched.",
    .needs = TAC_HAS_CLOCK,
    .blame = TAC_BLAME_HEAP,
    .check = check,
};
