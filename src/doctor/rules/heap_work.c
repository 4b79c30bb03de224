/* SPDX-License-Identifier: MIT
 * heap_work.c - time spent computing inside malloc and free: many calls, or a few long ones, and
 * the page faults in them: memory that the heap had given back, or asked for anew. Those outside
 * have been told before (fault_minor.c). */
#include "doctor/rule.h"

static void check(struct tac_case *c)
{
    uint64_t ns = c->open_ns[TAC_ACCOUNT_ALLOCATOR];
    uint64_t faults_ns = tac_case_faults_in_heap(c) ? c->open_ns[TAC_ACCOUNT_FAULT] : 0;
    if (!ns && !faults_ns)
        return;
    const struct tac_sight *longest_call = NULL;
    uint64_t longest = 0, bytes = 0;
    size_t calls = 0;
    for (size_t i = 0; i < c->layout->sights.count; i++) {
        const struct tac_sight *s = &c->layout->sights.data[i];
        if (s->kind != TAC_SIGHT_MEMORY)
            continue;
        calls++;
        if (s->to_ns - s->from_ns > longest) {
            longest = s->to_ns - s->from_ns;
            bytes = s->detail;
            longest_call = s;
        }
    }
    bool sure = c->has & (TAC_HAS_CLOCK | TAC_HAS_SWITCHES | TAC_HAS_SCHED);
    tac_claim(c, TAC_ACCOUNT_ALLOCATOR, ns, sure ? 0.9 : 0.6,
              "%zu calls, the longest %.0f us (%llu bytes)%s", calls, (double)longest / 1e3,
              (unsigned long long)bytes,
              sure ? "" : "; whether it computed or slept there was not recorded");
    tac_claim(c, TAC_ACCOUNT_FAULT, faults_ns, 0.85,
              "%zu calls, of which some touched pages that the kernel had yet to provide: %.0f us; "
              "the longest call %.0f us (%llu bytes)",
              calls, (double)faults_ns / 1e3, (double)longest / 1e3, (unsigned long long)bytes);
    tac_claim_by(c, longest_call);
}

TAC_RULE(heap_work) = {
    .name = "heap_work",
    .title = "work inside malloc and free",
    .means = "The memory functions themselves took the time: many calls in one cycle, or single "
             "ones that merged, split, mapped, searched or touched new pages.",
    .advice = "Take memory from pools made before; a heap with bounded calls (tactus run -- "
              "PROGRAM) caps the longest.",
    .needs = TAC_HAS_MEMORY,
    .blame = TAC_BLAME_HEAP,
    .check = check,
};
