/* SPDX-License-Identifier: MIT
 * shootdown.c - other CPUs made this one drop address translations, again and again, because
 * another thread of the process changes mappings. Each costs an interrupt; count times the price of
 * one in this recording. */
#include "doctor/rule.h"

enum { MANY = 8, PRICE_NS_MIN = 1000, PRICE_NS = 3000, PRICE_NS_MAX = 15000 };

/* Own time above nominal, divided by the interrupts, bounded by what one can cost. */
static void check(struct tac_case *c)
{
    size_t count = 0;
    for (size_t i = 0; i < c->layout->sights.count; i++) {
        const struct tac_sight *s = &c->layout->sights.data[i];
        count += s->kind == TAC_SIGHT_IPI && s->from_ns >= c->cycle->begin_ns;
    }
    uint64_t open = c->open_ns[TAC_ACCOUNT_OWN];
    if (count < MANY || !open)
        return;
    uint64_t price = open / count;
    price = price < PRICE_NS_MIN ? PRICE_NS_MIN : price > PRICE_NS_MAX ? PRICE_NS : price;
    tac_claim(c, TAC_ACCOUNT_OWN, count * price, 0.75,
              "%zu times another CPU made this one run a function, at about %.1f us each", count,
              (double)price / 1e3);
}

TAC_RULE(shootdown) = {
    .name = "shootdown",
    .title = "address translations dropped by other threads",
    .means = "Another thread of the program unmaps or protects memory; each time, every CPU that "
             "runs the program is interrupted.",
    .advice = "No munmap, mprotect or madvise while audio runs, in any thread; a heap that keeps "
              "its memory (tactus run -- PROGRAM).",
    .needs = TAC_HAS_IRQ | TAC_HAS_SCHED,
    .blame = TAC_BLAME_PROGRAM,
    .check = check,
};
