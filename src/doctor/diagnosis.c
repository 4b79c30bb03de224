/* SPDX-License-Identifier: MIT
 * diagnosis.c - from a capture to misses with verdicts; see doctor.h.
 *
 * Two passes: the first lays out every cycle and takes the medians of those in time; the second
 * lays out the late ones again, settles them against the medians, and asks the rules. Memory: one
 * small row a cycle; the sights of a cycle live only while it is judged. */
#include "doctor/diagnosis.h"

#include "doctor/evidence.h"
#include "doctor/forks.h"
#include "doctor/halts.h"
#include "doctor/kin.h"
#include "doctor/places.h"
#include "doctor/rule.h"
#include "tactus/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint64_t release_of(const struct tac_capture *c, const struct tac_capture_cycle *cycle)
{
    uint64_t period = cycle->source < c->sources_count ? c->sources[cycle->source].period_ns : 0;
    if (!period || cycle->deadline_ns < period || cycle->deadline_ns - period > cycle->begin_ns)
        return cycle->begin_ns;
    return cycle->deadline_ns - period;
}

static bool is_judged(const struct tac_capture_cycle *cycle)
{
    return cycle->deadline_ns && cycle->end_ns != TAC_CAPTURE_OPEN &&
           cycle->end_ns >= cycle->begin_ns;
}

int tac_work_layout(const struct tac_work *w, size_t cycle, struct tac_layout *layout)
{
    const struct tac_capture *c = w->diagnosis->capture;
    layout->cycle = &c->cycles[cycle];
    layout->release_ns = release_of(c, layout->cycle);
    uint32_t before = w->before[cycle];
    layout->previous_ns = 0;
    if (before != TAC_CAPTURE_NONE && c->cycles[before].end_ns != TAC_CAPTURE_OPEN)
        layout->previous_ns = c->cycles[before].end_ns;
    int has = tac_witness_cycle(&w->witness, layout);
    if (has < 0)
        return has;
    int r = tac_layout_cut(layout);
    if (r == 0)
        r = tac_witness_silence(&w->witness, layout, (unsigned)has);
    return r < 0 ? r : has;
}

/* ---- pass one: everything on accounts, medians of what was in time ---- */

static int find_before(struct tac_work *w)
{
    const struct tac_capture *c = w->diagnosis->capture;
    uint32_t *last = malloc((c->sources_count + 1) * sizeof *last);
    if (!last)
        return -ENOMEM;
    for (size_t i = 0; i <= c->sources_count; i++)
        last[i] = TAC_CAPTURE_NONE;
    for (size_t i = 0; i < c->cycles_count; i++) {
        size_t source =
            c->cycles[i].source < c->sources_count ? c->cycles[i].source : c->sources_count;
        w->before[i] = last[source];
        last[source] = (uint32_t)i;
    }
    free(last);
    return 0;
}

static int lay_out_all(struct tac_work *w)
{
    struct tac_diagnosis *d = w->diagnosis;
    struct tac_layout layout = {0};
    int r = 0;
    for (size_t i = 0; i < d->cycles && r >= 0; i++) {
        d->cycle_verdict[i] = TAC_CYCLE_NOT_JUDGED;
        if (!is_judged(&d->capture->cycles[i]))
            continue;
        r = tac_work_layout(w, i, &layout);
        if (r < 0)
            break;
        d->cycle_verdict[i] = tac_capture_late_ns(layout.cycle) ? 1 : TAC_CYCLE_ON_TIME;
        for (int a = 0; a < TAC_ACCOUNTS; a++)
            d->cycle_account[i][a] = (float)layout.ns[a];
        w->own_faults[i] = (float)tac_layout_own_faults(&layout);
    }
    tac_layout_fini(&layout);
    return r < 0 ? r : 0;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *value, size_t count)
{
    if (!count)
        return 0;
    qsort(value, count, sizeof *value, compare_doubles);
    return value[count / 2];
}

/* Cycles that the medians are made of: in time, seen without a hole. The count of faults is known
 * of those alone whose accounts were taken. */
static bool is_nominal(const struct tac_diagnosis *d, size_t i, size_t source)
{
    const struct tac_capture_cycle *c = &d->capture->cycles[i];
    return c->source == source && d->cycle_verdict[i] == TAC_CYCLE_ON_TIME &&
           !(c->flags & TAC_CYCLE_GAP);
}

/* What medians are taken of: the accounts, and these. */
enum { WHOLE = TAC_ACCOUNTS, FAULTS, OWN_FAULTS, MEASURES };

static double measure(const struct tac_work *w, size_t i, int what)
{
    const struct tac_capture_cycle *c = &w->diagnosis->capture->cycles[i];
    return what == WHOLE        ? (double)(c->end_ns - c->begin_ns)
           : what == FAULTS     ? (double)c->faults_minor
           : what == OWN_FAULTS ? (double)w->own_faults[i]
                                : (double)w->diagnosis->cycle_account[i][what];
}

static double median_of(const struct tac_work *w, size_t source, int what, double *value,
                        size_t *ret_count)
{
    const struct tac_diagnosis *d = w->diagnosis;
    bool counts = what == FAULTS || what == OWN_FAULTS;
    size_t n = 0;
    for (size_t i = 0; i < d->cycles; i++)
        if (is_nominal(d, i, source) && !(counts && d->capture->cycles[i].flags & TAC_CYCLE_SPARED))
            value[n++] = measure(w, i, what);
    *ret_count = n;
    return median(value, n);
}

static void take_medians(struct tac_work *w, size_t source, double *value)
{
    struct tac_nominal *nominal = &w->nominal[source];
    size_t count;
    for (int a = 0; a < TAC_ACCOUNTS; a++)
        nominal->ns[a] = median_of(w, source, a, value, &count);
    nominal->faults_minor = median_of(w, source, FAULTS, value, &count);
    nominal->faults_own = median_of(w, source, OWN_FAULTS, value, &count);
    nominal->is_virtual = tac_evidence_is_virtual(w->diagnosis->capture);
    w->diagnosis->sources[source].nominal_ns =
        (uint64_t)median_of(w, source, WHOLE, value, &nominal->cycles);
}

enum { FAULTS_MANY = 64, MAJOR_MANY = 4 };

static double clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

/* Own time above nominal, and that inside faults, divided by the faults above nominal, in cycles
 * with many of them: the lower quartile, for such cycles may compute more as well. */
static double price_of(const struct tac_work *w, size_t source, bool major, double *value)
{
    const struct tac_diagnosis *d = w->diagnosis;
    const struct tac_nominal *nominal = &w->nominal[source];
    size_t n = 0;
    for (size_t i = 0; i < d->cycles; i++) {
        const struct tac_capture_cycle *c = &d->capture->cycles[i];
        double more = major ? c->faults_major : c->faults_minor - nominal->faults_minor;
        if (c->source != source || d->cycle_verdict[i] == TAC_CYCLE_NOT_JUDGED ||
            more < (major ? MAJOR_MANY : FAULTS_MANY))
            continue;
        double own = (double)d->cycle_account[i][TAC_ACCOUNT_OWN] +
                     (double)d->cycle_account[i][TAC_ACCOUNT_FAULT] - nominal->ns[TAC_ACCOUNT_OWN];
        double cpu = (double)c->cpu_ns - nominal->ns[TAC_ACCOUNT_OWN]; /* not what it slept */
        value[n++] = (own < cpu ? own : cpu) / more;
    }
    qsort(value, n, sizeof *value, compare_doubles);
    return n ? value[n / 4] : major ? TAC_MAJOR_NS : TAC_FAULT_NS;
}

static void price_faults(struct tac_work *w, size_t source, double *value)
{
    double most = tac_evidence_is_virtual(w->diagnosis->capture) ? TAC_FAULT_NS_MAX_VIRTUAL
                                                                 : TAC_FAULT_NS_MAX;
    w->nominal[source].fault_ns = clamp(price_of(w, source, false, value), TAC_FAULT_NS_MIN, most);
    w->nominal[source].major_ns =
        clamp(price_of(w, source, true, value), TAC_MAJOR_NS_MIN, TAC_MAJOR_NS_MAX);
}

/* A host halts a machine wherever it is, and for some of its halts there is no witness. Cycles that
 * are three for each halt that was seen, and three more, are not that. */
static double often_own(const struct tac_work *w, size_t source, double *value)
{
    const struct tac_diagnosis *d = w->diagnosis;
    size_t many = 3 * (d->halts->count + 1), n = 0;
    for (size_t i = 0; i < d->cycles; i++)
        if (d->capture->cycles[i].source == source && d->cycle_verdict[i] != TAC_CYCLE_NOT_JUDGED)
            value[n++] = (double)d->cycle_account[i][TAC_ACCOUNT_OWN];
    qsort(value, n, sizeof *value, compare_doubles);
    return n >= many ? value[n - many] : 0;
}

static int find_nominal(struct tac_work *w)
{
    double *value = malloc((w->diagnosis->cycles + 1) * sizeof *value);
    if (!value)
        return -ENOMEM;
    for (size_t s = 0; s < w->diagnosis->sources_count; s++) {
        take_medians(w, s, value);
        price_faults(w, s, value);
        w->nominal[s].often_own_ns = often_own(w, s, value);
    }
    free(value);
    return 0;
}

/* ---- pass two: a late cycle ---- */

/* Fill open_ns with what stands above nominal; returns the sum. A miss with nothing above nominal
 * comes from a load that fills the whole period: then its own time is the excess. */
static uint64_t open_accounts(struct tac_case *c)
{
    uint64_t sum = 0;
    for (int a = 0; a < TAC_ACCOUNTS; a++) {
        uint64_t usual = (uint64_t)c->nominal->ns[a];
        c->open_ns[a] = c->layout->ns[a] > usual ? c->layout->ns[a] - usual : 0;
        sum += c->open_ns[a];
    }
    if (sum == 0)
        sum = c->open_ns[TAC_ACCOUNT_OWN] = c->late_ns;
    return sum;
}

static void ask_rules(struct tac_case *c)
{
    for (const struct tac_rule *const *rule = tac_rules; *rule; rule++) {
        c->rule = *rule;
        if (((*rule)->needs & c->has) == (*rule)->needs)
            (*rule)->check(c);
    }
}

static int compare_verdicts(const void *a, const void *b)
{
    const struct tac_verdict *x = a, *y = b;
    return x->ns < y->ns ? 1 : x->ns > y->ns ? -1 : 0;
}

/* All parts of one miss. More than a miss can hold are there only until the smallest are folded. */
struct parts {
    struct tac_verdict part[TAC_VERDICTS_MAX + TAC_CLAIMS_MAX];
    unsigned count;
};

static void add_part(struct parts *p, const struct tac_verdict *from, uint64_t ns,
                     uint64_t carried_ns)
{
    unsigned i = 0;
    while (i < p->count && p->part[i].rule != from->rule)
        i++;
    struct tac_verdict *part = &p->part[i];
    struct tac_verdict added = *from;
    added.ns = ns;
    added.carried_ns = carried_ns;
    if (i == p->count) {
        p->part[p->count++] = added;
        return;
    }
    bool is_larger = ns > part->ns; /* it gives the words */
    struct tac_verdict both = is_larger ? added : *part;
    both.confidence =
        is_larger ? tac_claim_confidence(&added, part) : tac_claim_confidence(part, &added);
    both.ns = part->ns + ns;
    both.carried_ns = part->carried_ns + carried_ns;
    *part = both;
}

/* The largest go into the miss; what the list has no room for is added to the first. */
static void keep_largest(struct parts *p, struct tac_miss *miss)
{
    qsort(p->part, p->count, sizeof *p->part, compare_verdicts);
    for (unsigned i = TAC_VERDICTS_MAX; i < p->count; i++) {
        p->part[0].ns += p->part[i].ns;
        p->part[0].carried_ns += p->part[i].carried_ns;
    }
    miss->count = p->count < TAC_VERDICTS_MAX ? p->count : TAC_VERDICTS_MAX;
    memcpy(miss->verdict, p->part, miss->count * sizeof *miss->verdict);
}

static uint64_t scale(uint64_t part, uint64_t whole, uint64_t to)
{
    return whole ? (uint64_t)((double)to * ((double)part / (double)whole)) : 0;
}

/* Rule a of the book-keeping: time that came from the cycle before has that one's causes. */
static void inherit(struct parts *p, const struct tac_miss *root, uint64_t ns)
{
    uint64_t given = 0;
    for (unsigned i = 0; i < root->count; i++) {
        uint64_t part =
            i + 1 == root->count ? ns - given : scale(root->verdict[i].ns, root->late_ns, ns);
        add_part(p, &root->verdict[i], part, part);
        given += part;
    }
}

static void share_out(struct tac_case *c, const struct tac_miss *before, uint64_t excess,
                      uint64_t carried, struct tac_miss *miss)
{
    struct parts p = {.count = 0};
    uint64_t left = c->late_ns;
    if (before && carried) {
        miss->carried_ns = c->claims ? scale(carried, excess, c->late_ns) : c->late_ns;
        inherit(&p, before, miss->carried_ns);
        left -= miss->carried_ns;
    }
    qsort(c->claim, c->claims, sizeof *c->claim, compare_verdicts);
    for (unsigned i = c->claims; i-- > 0;) { /* the largest last: it takes the rounding */
        uint64_t ns = i == 0 ? left : scale(c->claim[i].ns, excess, c->late_ns);
        ns = ns < left ? ns : left;
        if (ns)
            add_part(&p, &c->claim[i], ns, 0);
        left -= ns;
    }
    keep_largest(&p, miss);
}

static struct tac_miss *miss_of(const struct tac_work *w, uint32_t cycle)
{
    return cycle == TAC_CAPTURE_NONE || w->miss_of[cycle] == TAC_CAPTURE_NONE
               ? NULL
               : &w->diagnosis->misses[w->miss_of[cycle]];
}

static int judge(struct tac_work *w, size_t cycle, struct tac_layout *layout)
{
    struct tac_diagnosis *d = w->diagnosis;
    int has = tac_work_layout(w, cycle, layout);
    if (has < 0)
        return has;
    const struct tac_capture_cycle *cc = layout->cycle;
    static const struct tac_nominal none = {.fault_ns = TAC_FAULT_NS, .major_ns = TAC_MAJOR_NS};
    const struct tac_nominal *nominal =
        cc->source < d->sources_count ? &w->nominal[cc->source] : &none;
    tac_layout_settle(layout, nominal, (unsigned)has);
    for (int a = 0; a < TAC_ACCOUNTS; a++)
        d->cycle_account[cycle][a] = (float)layout->ns[a];

    struct tac_case c = {.diagnosis = d,
                         .capture = d->capture,
                         .cycle = cc,
                         .layout = layout,
                         .nominal = nominal,
                         .has = (unsigned)has,
                         .late_ns = tac_capture_late_ns(cc)};
    struct tac_miss *miss = &d->misses[d->misses_count];
    *miss = (struct tac_miss){
        .cycle = (uint32_t)cycle, .root = (uint32_t)d->misses_count, .late_ns = c.late_ns};
    const struct tac_miss *before = miss_of(w, w->before[cycle]);
    uint64_t excess = open_accounts(&c);
    uint64_t carried = before ? c.open_ns[TAC_ACCOUNT_CARRIED] : 0;
    c.open_ns[TAC_ACCOUNT_CARRIED] -= carried;
    ask_rules(&c);
    share_out(&c, before, excess, carried, miss);
    if (before && miss->carried_ns * 2 > miss->late_ns)
        miss->root = before->root;
    w->miss_of[cycle] = (uint32_t)d->misses_count++;
    return 0;
}

static int judge_all(struct tac_work *w)
{
    struct tac_diagnosis *d = w->diagnosis;
    struct tac_layout layout = {0};
    int r = 0;
    for (size_t i = 0; i < d->cycles && r == 0; i++)
        if (d->cycle_verdict[i] == 1)
            r = judge(w, i, &layout);
    tac_layout_fini(&layout);
    return r;
}

/* ---- putting it together ---- */

static void *array(size_t count, size_t size)
{
    return calloc(count ? count : 1, size);
}

static int make_work(struct tac_diagnosis *d)
{
    struct tac_work *w = calloc(1, sizeof *w);
    d->work = w;
    if (!w)
        return -ENOMEM;
    w->diagnosis = d;
    w->before = array(d->cycles, sizeof *w->before);
    w->own_faults = array(d->cycles, sizeof *w->own_faults);
    w->miss_of = array(d->cycles, sizeof *w->miss_of);
    w->nominal = array(d->sources_count, sizeof *w->nominal);
    if (!w->before || !w->own_faults || !w->miss_of || !w->nominal)
        return -ENOMEM;
    memset(w->miss_of, 0xff, d->cycles * sizeof *w->miss_of);
    int r = tac_witness_init(d->capture, &w->witness);
    d->has = w->witness.has;
    return r ? r : find_before(w);
}

static int make_arrays(struct tac_diagnosis *d, const char *name)
{
    size_t late = 0;
    for (size_t i = 0; i < d->cycles; i++)
        late += tac_capture_late_ns(&d->capture->cycles[i]) ? 1 : 0;
    d->name = strdup(name);
    d->misses = array(late, sizeof *d->misses);
    d->sources = array(d->sources_count, sizeof *d->sources);
    d->causes = array(tac_rules_count, sizeof *d->causes);
    d->cycle_verdict = array(d->cycles, sizeof *d->cycle_verdict);
    d->cycle_account = array(d->cycles, sizeof *d->cycle_account);
    return d->name && d->misses && d->sources && d->causes && d->cycle_verdict && d->cycle_account
               ? 0
               : -ENOMEM;
}

static int make_forks(struct tac_diagnosis *d)
{
    d->kin = calloc(1, sizeof *d->kin);
    d->forks = calloc(1, sizeof *d->forks);
    int r = d->kin && d->forks ? tac_kin_find(d->capture, d->kin) : -ENOMEM;
    return r ? r : tac_forks_find(d->capture, d->kin, d->forks);
}

static int make_halts(struct tac_diagnosis *d)
{
    d->halts = calloc(1, sizeof *d->halts);
    return d->halts ? tac_halts_find(&d->work->witness.halts, d->halts) : -ENOMEM;
}

int tac_diagnosis_new(const struct tac_capture *capture, const char *name,
                      struct tac_diagnosis **ret_diagnosis)
{
    struct tac_diagnosis *d = calloc(1, sizeof *d);
    if (!d)
        return -ENOMEM;
    d->capture = capture;
    d->cycles = capture->cycles_count;
    d->sources_count = capture->sources_count;
    int r = make_arrays(d, name);
    if (r == 0)
        r = make_work(d);
    if (r == 0)
        r = tac_places_open(capture, &d->places);
    if (r == 0)
        r = make_forks(d);
    if (r == 0)
        r = make_halts(d);
    if (r == 0)
        r = lay_out_all(d->work);
    if (r == 0)
        r = find_nominal(d->work);
    if (r == 0)
        r = judge_all(d->work);
    if (r == 0)
        r = tac_diagnosis_sum(d);
    if (r) {
        tac_diagnosis_free(d);
        return r;
    }
    *ret_diagnosis = d;
    return 0;
}

void tac_diagnosis_free(struct tac_diagnosis *d)
{
    if (!d)
        return;
    if (d->work) {
        if (d->work->witness.capture)
            tac_witness_fini(&d->work->witness);
        free(d->work->before);
        free(d->work->own_faults);
        free(d->work->miss_of);
        free(d->work->nominal);
        free(d->work);
    }
    tac_places_close(d->places);
    if (d->halts)
        tac_halts_fini(d->halts);
    free(d->halts);
    if (d->forks)
        tac_forks_fini(d->forks);
    free(d->forks);
    if (d->kin)
        tac_kin_fini(d->kin);
    free(d->kin);
    free((void *)(uintptr_t)d->name);
    free(d->misses);
    free(d->sources);
    free(d->causes);
    free(d->hazards);
    free(d->cycle_verdict);
    free(d->cycle_account);
    free(d);
}

int tac_diagnosis_layout(const struct tac_diagnosis *diagnosis, size_t cycle,
                         struct tac_layout *layout)
{
    int r = tac_work_layout(diagnosis->work, cycle, layout);
    return r < 0 ? r : 0;
}

double tac_diagnosis_fault_ns(const struct tac_diagnosis *diagnosis, size_t cycle)
{
    uint32_t source = diagnosis->capture->cycles[cycle].source;
    return source < diagnosis->sources_count ? diagnosis->work->nominal[source].fault_ns
                                             : TAC_FAULT_NS;
}
