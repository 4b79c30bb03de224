/* SPDX-License-Identifier: MIT
 * summary.c - totals over all cycles: sources, causes, memory functions, hazards. One walk each. */
#include "doctor/diagnosis.h"
#include "doctor/places.h"
#include "doctor/rule.h"
#include "tactus/trace.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { HAZARDS_MAX = 64 };

static size_t rule_index(const struct tac_rule *rule)
{
    size_t i = 0;
    while (i < tac_rules_count && tac_rules[i] != rule)
        i++;
    return i;
}

static void sum_source(struct tac_diagnosis *d, size_t i)
{
    const struct tac_capture_cycle *c = &d->capture->cycles[i];
    if (c->source >= d->sources_count)
        return;
    struct tac_source_summary *s = &d->sources[c->source];
    s->cycles++;
    s->unfinished += c->end_ns == TAC_CAPTURE_OPEN;
    s->without_deadline += c->deadline_ns == 0;
    if (d->cycle_verdict[i] == TAC_CYCLE_NOT_JUDGED)
        return;
    uint64_t late = tac_capture_late_ns(c);
    s->missed += late ? 1 : 0;
    s->worst_ns = late > s->worst_ns ? late : s->worst_ns;
    if (c->end_ns - c->begin_ns > s->longest_ns)
        s->longest_ns = c->end_ns - c->begin_ns;
}

/* Deadlines follow each other by the period, on the whole. */
static bool is_regular(const struct tac_diagnosis *d, size_t source)
{
    const struct tac_capture *c = d->capture;
    uint64_t period = c->sources[source].period_ns, before = 0;
    size_t fits = 0, all = 0;
    for (size_t i = 0; i < c->cycles_count; i++) {
        if (c->cycles[i].source != source || !c->cycles[i].deadline_ns)
            continue;
        uint64_t step = before ? c->cycles[i].deadline_ns - before : period;
        fits += step * 10 > period * 9 && step * 10 < period * 11;
        all++;
        before = c->cycles[i].deadline_ns;
    }
    return fits * 2 >= all;
}

/* Who runs the cycles, and with which priority it was last seen ready. */
static void find_thread(struct tac_diagnosis *d, size_t source)
{
    const struct tac_capture *c = d->capture;
    struct tac_source_summary *s = &d->sources[source];
    s->prio = TAC_PRIO_UNKNOWN;
    for (size_t i = c->cycles_count; i-- > 0 && !s->thread;) {
        uint32_t thread = c->cycles[i].thread;
        if (c->cycles[i].source != source || thread >= c->threads_count)
            continue;
        s->thread = c->threads[thread].name;
        const struct tac_sights *sights = &d->work->witness.kernel[thread];
        for (size_t k = sights->count; k-- > 0 && s->prio == TAC_PRIO_UNKNOWN;)
            if (sights->data[k].kind == TAC_SIGHT_READY)
                s->prio = sights->data[k].own_prio;
    }
}

static void sum_sources(struct tac_diagnosis *d)
{
    for (size_t s = 0; s < d->sources_count; s++) {
        d->sources[s].name = d->capture->sources[s].name;
        d->sources[s].period_ns = d->capture->sources[s].period_ns;
    }
    for (size_t s = 0; s < d->sources_count; s++) {
        d->sources[s].is_regular = is_regular(d, s);
        find_thread(d, s);
    }
    for (size_t i = 0; i < d->cycles; i++) {
        sum_source(d, i);
        d->judged += d->cycle_verdict[i] != TAC_CYCLE_NOT_JUDGED;
    }
}

/* The place with the most of the cause's time; few places have a cause, so a vote by majority
 * (Boyer and Moore) needs no table: the weight falls with other places and rises with this one. */
static void sum_place(struct tac_diagnosis *d, struct tac_cause *cause, const struct tac_verdict *v)
{
    size_t index = rule_index(v->rule);
    uint64_t *weight = &d->work->place_weight[index];
    uint64_t lost = v->ns - v->carried_ns;
    if (!cause->rule) {
        cause->place = TAC_CAPTURE_NONE;
        *weight = 0;
    }
    if (v->place == TAC_CAPTURE_NONE)
        return;
    if (v->place == cause->place) {
        *weight += lost;
    } else if (lost > *weight) {
        cause->place = v->place;
        *weight = lost - *weight;
    } else {
        *weight -= lost;
    }
}

static void sum_verdict(struct tac_diagnosis *d, size_t index, unsigned k)
{
    const struct tac_miss *m = &d->misses[index];
    const struct tac_verdict *v = &m->verdict[k];
    struct tac_cause *cause = &d->causes[rule_index(v->rule)];
    uint64_t lost = v->ns - v->carried_ns;
    cause->confidence += v->confidence * (double)lost; /* divided by lost_ns in the end */
    sum_place(d, cause, v);
    cause->lost_ns += lost;
    uint64_t *part = &d->work->worst_part[rule_index(v->rule)];
    if (!cause->rule || lost > *part) { /* what was inherited is told where it came from */
        *part = lost;
        cause->worst = index;
    }
    cause->rule = v->rule;
    if (k > 0)
        return;
    cause->worst_ns = m->late_ns > cause->worst_ns ? m->late_ns : cause->worst_ns;
    cause->misses++;
    cause->carried += v->carried_ns * 2 > v->ns;
    d->cycle_verdict[m->cycle] = (uint8_t)(1 + rule_index(v->rule));
}

static int compare_causes(const void *a, const void *b)
{
    const struct tac_cause *x = a, *y = b;
    if (!x->rule || !y->rule)
        return !x->rule - !y->rule;
    if (x->lost_ns != y->lost_ns)
        return x->lost_ns < y->lost_ns ? 1 : -1;
    return x->misses < y->misses ? 1 : x->misses > y->misses ? -1 : 0;
}

static void sum_causes(struct tac_diagnosis *d)
{
    uint64_t all = 0;
    for (size_t i = 0; i < d->misses_count; i++) {
        const struct tac_miss *m = &d->misses[i];
        d->missed++;
        d->worst_ns = m->late_ns > d->worst_ns ? m->late_ns : d->worst_ns;
        for (unsigned k = 0; k < m->count; k++)
            sum_verdict(d, i, k);
    }
    for (size_t i = 0; i < tac_rules_count; i++)
        all += d->causes[i].lost_ns;
    qsort(d->causes, tac_rules_count, sizeof *d->causes, compare_causes);
    for (size_t i = 0; i < tac_rules_count && d->causes[i].rule; i++) {
        struct tac_cause *c = &d->causes[i];
        c->share = all ? (double)c->lost_ns / (double)all : 0;
        /* in thousandths: the mean of equal ones is that, and not a last bit less */
        c->confidence = c->lost_ns ? round(1e3 * c->confidence / (double)c->lost_ns) / 1e3 : 0;
        d->causes_count++;
    }
}

/* ---- memory: heap operations, and those that fell into cycles of their thread ---- */

/* Both arrays are sorted by begin: one merged walk, the open cycle of each thread at hand. */
static int sum_memory(struct tac_diagnosis *d)
{
    const struct tac_capture *c = d->capture;
    struct tac_memory_summary *m = &d->memory;
    uint32_t *open = malloc((c->threads_count + 1) * sizeof *open);
    if (!open)
        return -ENOMEM;
    memset(open, 0xff, (c->threads_count + 1) * sizeof *open);
    size_t cycle = 0;
    for (size_t i = 0; i < c->memory_count; i++) {
        const struct tac_capture_memory *e = &c->memory[i];
        for (; cycle < c->cycles_count && c->cycles[cycle].begin_ns <= e->begin_ns; cycle++)
            if (c->cycles[cycle].thread < c->threads_count)
                open[c->cycles[cycle].thread] = (uint32_t)cycle;
        m->calls++;
        m->failed += e->op == TAC_MEMORY_FAIL;
        uint32_t at = e->thread < c->threads_count ? open[e->thread] : TAC_CAPTURE_NONE;
        if (at == TAC_CAPTURE_NONE || e->begin_ns >= c->cycles[at].end_ns)
            continue;
        uint64_t ns = e->end_ns - e->begin_ns;
        m->cycle_calls++;
        m->cycle_ns += ns;
        m->cycle_worst_ns = ns > m->cycle_worst_ns ? ns : m->cycle_worst_ns;
    }
    free(open);
    return 0;
}

/* ---- hazards: calls in cycles that had the luck to be quick ---- */

static int grade_of(const char *name)
{
    static const char *const note[] = {
        "pthread_mutex_trylock",
        "pthread_rwlock_tryrdlock",
        "pthread_rwlock_trywrlock",
        "pthread_spin_trylock",
        "mtx_trylock",
        "sem_post",
        "sem_trywait",
        "pthread_cond_signal",
        "pthread_cond_broadcast",
        "cnd_signal",
        "cnd_broadcast",
        "futex wake",
    };
    static const char *const warning[] = {
        "pthread_mutex_lock",
        "pthread_rwlock_rdlock",
        "pthread_rwlock_wrlock",
        "pthread_spin_lock",
        "mtx_lock",
        "sched_yield",
        "poll",
        "ioctl",
    };
    for (size_t i = 0; i < sizeof note / sizeof *note; i++)
        if (!strcmp(name, note[i]))
            return 0;
    for (size_t i = 0; i < sizeof warning / sizeof *warning; i++)
        if (!strcmp(name, warning[i]))
            return 1;
    return 2;
}

static struct tac_hazard *hazard_of(struct tac_diagnosis *d, const char *what)
{
    for (size_t i = 0; i < d->hazards_count; i++)
        if (!strcmp(d->hazards[i].what, what))
            return &d->hazards[i];
    if (d->hazards_count == HAZARDS_MAX)
        return NULL;
    struct tac_hazard *h = &d->hazards[d->hazards_count++];
    *h = (struct tac_hazard){.what = what, .grade = grade_of(what)};
    return h;
}

static void count_hazard(struct tac_diagnosis *d, const char *what, uint64_t ns, size_t *last,
                         size_t cycle)
{
    struct tac_hazard *h = hazard_of(d, what);
    if (!h)
        return;
    size_t slot = (size_t)(h - d->hazards);
    h->count++;
    h->cycles += last[slot] != cycle + 1;
    last[slot] = cycle + 1;
    h->worst_ns = ns > h->worst_ns ? ns : h->worst_ns;
}

static void hazards_of_calls(struct tac_diagnosis *d, size_t cycle, size_t *last)
{
    const struct tac_capture *c = d->capture;
    const struct tac_capture_cycle *cc = &c->cycles[cycle];
    for (size_t i = TAC_CAPTURE_LOWER(c, zones, begin_ns, cc->begin_ns);
         i < c->zones_count && c->zones[i].begin_ns < cc->end_ns; i++)
        if (c->zones[i].thread == cc->thread && c->zones[i].end_ns != TAC_CAPTURE_OPEN &&
            c->sites[c->zones[i].site].category == TAC_CAT_CALL)
            count_hazard(d, c->sites[c->zones[i].site].name,
                         c->zones[i].end_ns - c->zones[i].begin_ns, last, cycle);
}

static void hazards_of_memory(struct tac_diagnosis *d, size_t cycle, size_t *last)
{
    static const char *const name[] = {"malloc", "free", "realloc", NULL, NULL, "refused malloc"};
    const struct tac_capture *c = d->capture;
    const struct tac_capture_cycle *cc = &c->cycles[cycle];
    for (size_t i = TAC_CAPTURE_LOWER(c, memory, begin_ns, cc->begin_ns);
         i < c->memory_count && c->memory[i].begin_ns < cc->end_ns; i++) {
        const struct tac_capture_memory *m = &c->memory[i];
        if (m->thread == cc->thread && m->op < sizeof name / sizeof *name && name[m->op])
            count_hazard(d, name[m->op], m->end_ns - m->begin_ns, last, cycle);
    }
}

static const char lock_wait[] = "wait for a lock";

/* A lock that was free is a call; one that another thread had is more. */
static void hazards_of_locks(struct tac_diagnosis *d, size_t cycle, size_t *last)
{
    const struct tac_capture *c = d->capture;
    const struct tac_capture_cycle *cc = &c->cycles[cycle];
    for (size_t i = TAC_CAPTURE_LOWER(c, locks, begin_ns, cc->begin_ns);
         i < c->locks_count && c->locks[i].begin_ns < cc->end_ns; i++)
        if (c->locks[i].thread == cc->thread)
            count_hazard(d, lock_wait, c->locks[i].end_ns - c->locks[i].begin_ns, last, cycle);
}

static int compare_hazards(const void *a, const void *b)
{
    const struct tac_hazard *x = a, *y = b;
    if (x->grade != y->grade)
        return y->grade - x->grade;
    return x->count < y->count ? 1 : x->count > y->count ? -1 : strcmp(x->what, y->what);
}

static uint32_t place_of_hazard(const struct tac_diagnosis *d, const char *what)
{
    what = what == lock_wait ? "a lock" : what; /* places.c */
    for (uint32_t i = 0; i < d->places->count && d->places->place[i].in_cycles; i++)
        if (!strcmp(d->places->place[i].what, what))
            return i;
    return TAC_CAPTURE_NONE;
}

static int sum_hazards(struct tac_diagnosis *d)
{
    size_t *last = calloc(HAZARDS_MAX, sizeof *last);
    d->hazards = calloc(HAZARDS_MAX, sizeof *d->hazards);
    if (!last || !d->hazards) {
        free(last);
        return -ENOMEM;
    }
    for (size_t i = 0; i < d->cycles; i++)
        if (d->capture->cycles[i].end_ns != TAC_CAPTURE_OPEN) {
            hazards_of_calls(d, i, last);
            hazards_of_memory(d, i, last);
            hazards_of_locks(d, i, last);
        }
    for (size_t i = 0; i < d->hazards_count; i++)
        d->hazards[i].place = place_of_hazard(d, d->hazards[i].what);
    qsort(d->hazards, d->hazards_count, sizeof *d->hazards, compare_hazards);
    free(last);
    return 0;
}

int tac_diagnosis_sum(struct tac_diagnosis *diagnosis)
{
    sum_sources(diagnosis);
    sum_causes(diagnosis);
    int r = sum_memory(diagnosis);
    return r ? r : sum_hazards(diagnosis);
}
