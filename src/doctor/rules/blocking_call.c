/* SPDX-License-Identifier: MIT
 * blocking_call.c - a call that real-time rules warn of: it slept in it, or spent its time there.
 */
#include "doctor/rule.h"

#include <stdio.h>
#include <string.h>

static const struct tac_sight *longest_call(const struct tac_case *c)
{
    const struct tac_sight *longest = NULL;
    for (size_t i = 0; i < c->layout->sights.count; i++) {
        const struct tac_sight *s = &c->layout->sights.data[i];
        if (s->kind == TAC_SIGHT_CALL && s->to_ns != TAC_CAPTURE_OPEN &&
            (!longest || s->to_ns - s->from_ns > longest->to_ns - longest->from_ns))
            longest = s;
    }
    return longest;
}

/* " in 12 calls, of which fgets took 72 us": one alone does not explain the time. */
static const char *describe_calls(const struct tac_case *c, const struct tac_sight *longest,
                                  const char *name, char *text, size_t size)
{
    uint64_t length = longest->to_ns - longest->from_ns, all = 0;
    size_t calls = 0;
    for (size_t i = 0; i < c->layout->sights.count; i++) {
        const struct tac_sight *s = &c->layout->sights.data[i];
        if (s->kind != TAC_SIGHT_CALL || s->to_ns == TAC_CAPTURE_OPEN)
            continue;
        all += s->to_ns - s->from_ns;
        calls++;
    }
    if (calls > 1 && length * 3 < all * 2)
        snprintf(text, size, "%zu calls took %.0f us, the longest %s with %.0f us", calls,
                 (double)all / 1e3, name, (double)length / 1e3);
    else
        snprintf(text, size, "%s took %.0f us", name, (double)length / 1e3);
    return text;
}

static bool waits_for_a_thread(const char *call)
{
    return !strncmp(call, "pthread_cond", 12) || !strncmp(call, "sem_", 4);
}

/* "; thread loader wakes it, which could not run for 812 us because of ffmpeg", or "which itself
 * slept for 700 us of that": the value of a wait is who woke it. "" for other calls, and where that
 * is not known. */
static const char *describe_waker(const struct tac_case *c, const struct tac_sight *call,
                                  char *text, size_t size)
{
    const struct tac_capture_zone *z = &c->capture->zones[call->index];
    text[0] = 0;
    if (!z->value || !waits_for_a_thread(c->capture->sites[z->site].name))
        return text;
    char name[64];
    uint32_t waker = (uint32_t)z->value, who = 0;
    int n = snprintf(text, size, "; %s wakes it", tac_case_who(c, waker, name, sizeof name));
    if (!(c->has & TAC_HAS_SCHED) || n < 0 || (size_t)n >= size)
        return text;
    uint64_t length = call->to_ns - call->from_ns;
    uint64_t away = tac_case_displaced(c, waker, call->from_ns, call->to_ns, &who);
    uint64_t slept = tac_case_slept(c, waker, call->from_ns, call->to_ns);
    if (slept * 2 > length)
        snprintf(text + n, size - (size_t)n, ", which itself slept for %.0f us of that",
                 (double)slept / 1e3);
    else if (away * 2 > length)
        snprintf(text + n, size - (size_t)n, ", which could not run for %.0f us because of %s",
                 (double)away / 1e3, tac_case_who(c, who, name, sizeof name));
    return text;
}

/* What a sleep for a time asked for; 0: it is none, or that is not recorded. */
static uint64_t asked_of(const struct tac_case *c, const struct tac_sight *call)
{
    const struct tac_capture_zone *z = &c->capture->zones[call->index];
    return strstr(c->capture->sites[z->site].name, "sleep") ? z->value : 0;
}

/* Ready, behind a thread or process that the call started. */
static bool is_behind_its_own(const struct tac_case *c, const struct tac_sight *s)
{
    return s->kind == TAC_SIGHT_READY && s->who && tac_case_is_started(c, s->who);
}

static bool is_a_load(const struct tac_case *c, const struct tac_sight *s)
{
    const struct tac_capture *cap = c->capture;
    return s->kind == TAC_SIGHT_CALL &&
           !strcmp(cap->sites[cap->zones[s->index].site].name, "dlopen");
}

/* Faults in the loader's own code since then, and when the last was. */
static size_t faults_of_the_loader(const struct tac_case *c, uint64_t since_ns,
                                   uint64_t *ret_last_ns)
{
    size_t count = 0;
    for (size_t i = 0; i < c->layout->sights.count; i++) {
        const struct tac_sight *s = &c->layout->sights.data[i];
        if (s->kind != TAC_SIGHT_FAULT || s->from_ns < since_ns)
            continue;
        const struct tac_capture_module *m =
            tac_capture_module_of(c->capture, c->capture->kernel[s->index].b);
        if (!m || !strstr(m->path, "/ld-linux"))
            continue;
        *ret_last_ns = s->from_ns > *ret_last_ns ? s->from_ns : *ret_last_ns;
        count++;
    }
    return count;
}

/* What it computed between, outside other calls. */
static uint64_t own_time_within(const struct tac_case *c, uint64_t from_ns, uint64_t to_ns)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < c->layout->segments; i++) {
        const struct tac_segment *s = &c->layout->segment[i];
        uint64_t from = s->from_ns > from_ns ? s->from_ns : from_ns;
        uint64_t to = s->to_ns < to_ns ? s->to_ns : to_ns;
        if (s->account == TAC_ACCOUNT_OWN && s->sight == TAC_SIGHT_NONE && to > from)
            sum += to - from;
    }
    return sum;
}

/* A load of a library is seen to begin, not to end (src/watch/calls_dl.c). That it was one shows by
 * the faults that the loader takes as it writes to what it has mapped. It went on up to the last of
 * them at least. */
static void check_loads(struct tac_case *c)
{
    enum { SOME_FAULTS = 4 };
    uint64_t first_ns = UINT64_MAX, last_ns = 0;
    size_t loads = 0;
    for (size_t i = 0; i < c->layout->sights.count; i++) {
        const struct tac_sight *s = &c->layout->sights.data[i];
        if (!is_a_load(c, s))
            continue;
        first_ns = s->from_ns < first_ns ? s->from_ns : first_ns;
        loads++;
    }
    size_t faults = loads ? faults_of_the_loader(c, first_ns, &last_ns) : 0;
    if (faults >= SOME_FAULTS)
        tac_claim(c, TAC_ACCOUNT_OWN, own_time_within(c, first_ns, last_ns), 0.75,
                  "dlopen was called %zu time%s, and the loader took %zu page faults; how long it "
                  "took is not recorded",
                  loads, loads == 1 ? "" : "s", faults);
}

static void check(struct tac_case *c)
{
    const struct tac_sight *call = longest_call(c);
    if (!call)
        return;
    char waker[160], calls[128], seen[160], asked[48] = "";
    const char *name = c->capture->sites[c->capture->zones[call->index].site].name;
    describe_waker(c, call, waker, sizeof waker);
    describe_calls(c, call, name, calls, sizeof calls);
    tac_case_seen(c, call->from_ns, call->to_ns, seen, sizeof seen);
    uint64_t length = call->to_ns - call->from_ns, wanted = asked_of(c, call);
    bool is_overslept = wanted && length > wanted + wanted / 4;
    if (is_overslept)
        snprintf(asked, sizeof asked, ", where it asked for %.0f us", (double)wanted / 1e3);
    bool switches = c->has & (TAC_HAS_SWITCHES | TAC_HAS_SCHED);
    uint64_t asleep =
        switches ? tac_case_time(c, TAC_ACCOUNT_BLOCKED, TAC_SIGHT_CALL, NULL) : length;
    uint64_t ran = tac_case_time(c, TAC_ACCOUNT_OWN, TAC_SIGHT_CALL, NULL);
    /* that the machine did not draw it out, the system's events alone tell */
    double sure = is_overslept ? 0.8 : c->has & TAC_HAS_SCHED ? 0.95 : 0.9;
    tac_claim(c, TAC_ACCOUNT_BLOCKED, asleep, sure, "slept in %s, which took %.0f us%s%s%s", name,
              (double)length / 1e3, asked, waker, seen);
    tac_claim(c, TAC_ACCOUNT_OWN, ran, 0.85, "%s%s%s", calls, waker, seen);
    tac_claim(c, TAC_ACCOUNT_RUNNABLE,
              tac_case_sum(c, TAC_ACCOUNT_RUNNABLE, is_behind_its_own, NULL), 0.9,
              "%s, and what it started had the CPU%s", calls, seen);
    if (!(c->has & (TAC_HAS_CLOCK | TAC_HAS_SWITCHES | TAC_HAS_SCHED)))
        tac_claim(c, TAC_ACCOUNT_UNEXPLAINED, length, 0.75, "%s%s%s", calls, waker, seen);
    tac_claim_by(c, call);
    check_loads(c);
}

TAC_RULE(blocking_call) = {
    .name = "blocking_call",
    .title = "a call that blocks",
    .means = "The cycle called something that real-time code should not: file or socket access, "
             "sleep, starting threads, mapping memory, formatted output.",
    .advice = "Move the call to a helper thread and hand the data over.",
    .needs = TAC_HAS_CALLS,
    .blame = TAC_BLAME_PROGRAM,
    .check = check,
};
