/* SPDX-License-Identifier: MIT
 * rules.h - what test_rules_*.c share. A fixture is one late cycle among healthy ones, with the
 * evidence that its cause would leave. Each of the files has the fixtures of a stretch of the list
 * of rules; together the stretches are the list, so a rule without a fixture fails. */
#ifndef TAC_TESTS_DOCTOR_RULES_H
#define TAC_TESTS_DOCTOR_RULES_H

#include "fixture.h"
#include "test.h"

#include "tactus/trace.h"

static const char *rules_saw[64];
static size_t rules_count;

/* The rule has spoken on a fixture. */
static inline void rules_seen(const char *rule)
{
    if (rules_count < sizeof rules_saw / sizeof *rules_saw)
        rules_saw[rules_count++] = rule;
}

/* Of the list from this rule (NULL: the first) up to, without, that one (NULL: the end). */
static inline void rules_check_seen(const char *from, const char *upto)
{
    bool within = !from;
    for (size_t i = 0; i < tac_rules_count; i++) {
        const struct tac_rule *rule = tac_rules[i];
        within =
            (within || (from && !strcmp(rule->name, from))) && !(upto && !strcmp(rule->name, upto));
        bool found = !within;
        for (size_t k = 0; k < rules_count; k++)
            found = found || !strcmp(rules_saw[k], rule->name);
        CHECK_MSG(found, "rule %s has no fixture", rule->name);
        CHECK(rule->title && rule->means && rule->advice);
        if (upto && !strcmp(rule->name, upto))
            return;
    }
    CHECK(!upto);
}

/* Judge the fixture, check its verdict, and that the verdicts sum to the lateness. Closes it. */
static inline void rules_expect(struct fixture *f, const char *rule)
{
    fixture_judge(f);
    CHECK_STR(fixture_verdict(f), rule);
    for (size_t i = 0; i < f->diagnosis->misses_count; i++) {
        const struct tac_miss *m = &f->diagnosis->misses[i];
        uint64_t sum = 0;
        for (unsigned k = 0; k < m->count; k++)
            sum += m->verdict[k].ns;
        CHECK(sum == m->late_ns);
    }
    fixture_close(f);
    rules_seen(rule);
}

/* The thread is out from..to because hog (of the priority) runs. */
static inline void rules_hog(struct fixture *f, double from, double to, uint32_t prio)
{
    fixture_kernel(f, from, TAC_KERNEL_SWITCH, FIXTURE_AUDIO, (uint64_t)FIXTURE_HOG << 32 | prio,
                   19);
    fixture_kernel(f, to, TAC_KERNEL_SWITCH, FIXTURE_HOG, (uint64_t)FIXTURE_AUDIO << 32 | 19,
                   1ull << 32 | prio);
}

/* A timer wakes it, and it runs 2 us later. */
static inline void rules_wake(struct fixture *f, double us)
{
    fixture_kernel(f, us, TAC_KERNEL_WAKING, 0, (uint64_t)FIXTURE_AUDIO << 32 | 19, 1ull << 32 | 1);
    fixture_kernel(f, us + 2, TAC_KERNEL_SWITCH, 0, (uint64_t)FIXTURE_AUDIO << 32 | 19, 120);
}

static inline void rules_sleep(struct fixture *f, double us)
{
    fixture_kernel(f, us, TAC_KERNEL_SWITCH, FIXTURE_AUDIO, 120, 1ull << 32 | 19);
}

#endif
