/* SPDX-License-Identifier: MIT
 * fault_huge.c - the first touch of a huge page: the kernel clears 2 MiB, which takes milliseconds.
 *
 * Certain when the allocation of the large page was recorded. Without it, the pattern is: few
 * faults, none in the usual cycle, and own time that is far above what so few small pages could
 * cost; one of the faults, where the begin and end of each is recorded. That pattern also fits a
 * burst of computation that happens to touch fresh memory, hence the lower confidence. */
#include "doctor/rule.h"

enum { ORDER_HUGE = 9, PATTERN_FAULTS = 4, PATTERN_NS = 800 * 1000 };

static bool saw_huge_page(const struct tac_case *c)
{
    for (size_t i = 0; i < c->layout->sights.count; i++) {
        const struct tac_sight *s = &c->layout->sights.data[i];
        if (s->kind == TAC_SIGHT_PAGES && s->detail >= ORDER_HUGE &&
            s->from_ns >= c->layout->release_ns)
            return true;
    }
    return false;
}

/* Own time above nominal sits in the program or in the memory function that touched first. */
static void claim_touch(struct tac_case *c, double confidence, const char *how)
{
    enum tac_account from = c->open_ns[TAC_ACCOUNT_ALLOCATOR] > c->open_ns[TAC_ACCOUNT_OWN]
                                ? TAC_ACCOUNT_ALLOCATOR
                                : TAC_ACCOUNT_OWN;
    uint64_t ns = c->open_ns[from];
    tac_claim(c, from, UINT64_MAX, confidence, "%.1f ms for the first touch of a huge page%s",
              (double)ns / 1e6, how);
    tac_claim(c, TAC_ACCOUNT_FAULT, UINT64_MAX, confidence, "first touch of a huge page%s", how);
}

/* The longest of the faults whose begin and end are recorded; 0 when none is. */
static uint64_t longest_fault(const struct tac_case *c)
{
    uint64_t longest = 0;
    for (size_t i = 0; i < c->layout->sights.count; i++) {
        const struct tac_sight *s = &c->layout->sights.data[i];
        if (s->kind == TAC_SIGHT_FAULTING && s->to_ns > c->cycle->begin_ns &&
            s->to_ns - s->from_ns > longest)
            longest = s->to_ns - s->from_ns;
    }
    return longest;
}

static void check(struct tac_case *c)
{
    if (saw_huge_page(c)) {
        claim_touch(c, 0.97, "");
        return;
    }
    uint32_t faults = c->cycle->faults_minor;
    bool few = faults > 0 && faults <= PATTERN_FAULTS && c->nominal->faults_minor < 1;
    uint64_t most = 0;
    static const uint8_t from[] = {TAC_ACCOUNT_OWN, TAC_ACCOUNT_ALLOCATOR, TAC_ACCOUNT_FAULT};
    for (size_t i = 0; i < sizeof from; i++)
        most = c->open_ns[from[i]] > most ? c->open_ns[from[i]] : most;
    uint64_t longest = longest_fault(c);
    most = longest ? longest : most;
    if (few && !(c->has & TAC_HAS_MM) && most > PATTERN_NS)
        claim_touch(c, 0.6, " (by its pattern: few faults, milliseconds)");
}

TAC_RULE(fault_huge) = {
    .name = "fault_huge",
    .title = "first touch of a huge page",
    .means = "Memory was used for the first time and the kernel cleared a 2 MiB page for it.",
    .advice = "Touch memory before audio runs; madvise(MADV_NOHUGEPAGE) for what is used in "
              "callbacks, or echo madvise > /sys/kernel/mm/transparent_hugepage/enabled.",
    .needs = TAC_HAS_CLOCK,
    .blame = TAC_BLAME_HEAP,
    .check = check,
};
