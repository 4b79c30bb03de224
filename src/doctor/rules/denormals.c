/* SPDX-License-Identifier: MIT
 * denormals.c - the same computation, many times slower, because numbers near zero are computed in
 * microcode. The processor's sticky flag tells: set in the late cycle, clear in those in time. */
#include "doctor/rule.h"

/* Part of the on-time cycles around this one that had the flag as well. */
static double usual(const struct tac_case *c)
{
    const struct tac_diagnosis *d = c->diagnosis;
    size_t flagged = 0, seen = 0, here = (size_t)(c->cycle - c->capture->cycles);
    for (size_t i = here > 500 ? here - 500 : 0; i < d->cycles && i < here + 500; i++) {
        const struct tac_capture_cycle *o = &c->capture->cycles[i];
        if (o->source != c->cycle->source || d->cycle_verdict[i] != TAC_CYCLE_ON_TIME)
            continue;
        seen++;
        flagged += o->flags & TAC_CYCLE_DENORMAL ? 1 : 0;
    }
    return seen ? (double)flagged / (double)seen : 0;
}

static void check(struct tac_case *c)
{
    if (!(c->cycle->flags & TAC_CYCLE_DENORMAL) || usual(c) > 0.5)
        return;
    tac_claim(c, TAC_ACCOUNT_OWN, UINT64_MAX, 0.9,
              "denormal operands in this cycle, and hardly any in those in time");
}

TAC_RULE(denormals) = {
    .name = "denormals",
    .title = "denormal numbers",
    .means = "Signals decayed to numbers so small that the processor computes them 10 to 70 times "
             "slower.",
    .advice = "Set flush-to-zero and denormals-are-zero on the audio thread "
              "(_MM_SET_FLUSH_ZERO_MODE, _MM_SET_DENORMALS_ZERO_MODE; FPCR.FZ on arm64).",
    .needs = TAC_HAS_CLOCK,
    .blame = TAC_BLAME_PROGRAM,
    .computes = true,
    .check = check,
};
