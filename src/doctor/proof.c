/* SPDX-License-Identifier: MIT
 * proof.c - see proof.h. */
#include "doctor/proof.h"

#include "base/order.h"
#include "doctor/rule.h"

#include <math.h>
#include <stdlib.h>

#define TENFOLD 10.0

void tac_proof_take(const struct tac_diagnosis *d, struct tac_proof_run *run)
{
    *run =
        (struct tac_proof_run){.judged = d->judged, .missed = d->missed, .worst_ns = d->worst_ns};
    for (size_t r = 0; r < tac_rules_count && r < TAC_PROOF_RULES_MAX; r++) {
        for (size_t i = 0; i < d->misses_count; i++)
            run->roots[r] += d->misses[i].root == i && d->misses[i].verdict[0].rule == tac_rules[r];
        for (size_t i = 0; i < d->causes_count; i++)
            if (d->causes[i].rule == tac_rules[r])
                run->lost_ns[r] = d->causes[i].lost_ns;
    }
}

static bool is_machine(unsigned rule)
{
    return tac_rules[rule]->blame == TAC_BLAME_MACHINE;
}

static unsigned rules(void)
{
    return tac_rules_count < TAC_PROOF_RULES_MAX ? (unsigned)tac_rules_count : TAC_PROOF_RULES_MAX;
}

/* The upper median: one of two runs that differ is short, not both usual. */
static size_t usual_cycles(const struct tac_proof *p)
{
    uint64_t judged[2 * TAC_PROOF_RUNS_MAX];
    for (unsigned i = 0; i < p->runs; i++) {
        judged[2 * i] = p->before[i].judged;
        judged[2 * i + 1] = p->after[i].judged;
    }
    qsort(judged, 2 * (size_t)p->runs, sizeof *judged, tac_compare_u64);
    return p->runs ? (size_t)judged[p->runs] : 0;
}

bool tac_proof_is_short(const struct tac_proof *p, const struct tac_proof_run *run)
{
    return run->judged * 2 < usual_cycles(p);
}

static unsigned usable(const struct tac_proof *p, const struct tac_proof_run *side)
{
    unsigned count = 0;
    for (unsigned i = 0; i < p->runs; i++)
        count += !tac_proof_is_short(p, &side[i]);
    return count;
}

int tac_proof_cause(const struct tac_proof *p)
{
    int best = -1;
    uint64_t most = 0;
    for (unsigned r = 0; r < rules(); r++) {
        uint64_t lost = 0;
        size_t roots = 0;
        for (unsigned i = 0; i < p->runs; i++) {
            if (tac_proof_is_short(p, &p->before[i]))
                continue;
            lost += p->before[i].lost_ns[r];
            roots += p->before[i].roots[r];
        }
        if (lost > most && roots && !is_machine(r) && tac_rules[r]->blame != TAC_BLAME_NOBODY) {
            most = lost;
            best = (int)r;
        }
    }
    return best;
}

/* 95 % interval of a Poisson mean by its count; source: the usual approximation through the square
 * root, sqrt(n + 3/8) +- 0.98. */
static double poisson_low(size_t n)
{
    double root = sqrt((double)n + 0.375) - 0.98;
    return n == 0 || root < 0 ? 0 : root * root;
}

static double poisson_high(size_t n)
{
    double root = sqrt((double)n + 0.375) + 0.98;
    return root * root + 0.625;
}

struct side {
    double least, most, mean, low, high; /* in a thousand cycles; low, high: of chance */
    size_t misses, cycles;
};

static struct side side_of(const struct tac_proof *p, const struct tac_proof_run *run,
                           unsigned rule)
{
    struct side s = {.least = usable(p, run) ? (double)INFINITY : 0};
    for (unsigned i = 0; i < p->runs; i++) {
        if (tac_proof_is_short(p, &run[i]))
            continue;
        double n = run[i].judged ? (double)run[i].judged : 1;
        double rate = 1000 * (double)run[i].roots[rule] / n;
        s.least = fmin(s.least, rate);
        s.most = fmax(s.most, rate);
        s.misses += run[i].roots[rule];
        s.cycles += run[i].judged;
    }
    double cycles = s.cycles ? (double)s.cycles / 1000 : 1;
    s.mean = (double)s.misses / cycles;
    s.low = poisson_low(s.misses) / cycles;
    s.high = poisson_high(s.misses) / cycles;
    return s;
}

struct tac_proof_change tac_proof_compare(const struct tac_proof *p, unsigned rule)
{
    struct side b = side_of(p, p->before, rule), a = side_of(p, p->after, rule);
    return (struct tac_proof_change){
        .before = b.misses,
        .after = a.misses,
        .before_cycles = b.cycles,
        .after_cycles = a.cycles,
        .before_least = b.least,
        .before_most = b.most,
        .before_mean = b.mean,
        .after_least = a.least,
        .after_most = a.most,
        .after_mean = a.mean,
        .fell = b.misses && a.mean * TENFOLD <= b.mean,
        .apart = a.most < b.least && a.high<b.low, .grew = a.low> b.high && a.mean > b.mean,
    };
}

enum tac_proof_result tac_proof_judge(const struct tac_proof *p, int cause, int *ret_other)
{
    int other = -1;
    if (ret_other)
        *ret_other = -1;
    if (p->runs && (!usable(p, p->before) || !usable(p, p->after)))
        return TAC_PROOF_TOO_SHORT;
    if (cause < 0)
        return TAC_PROOF_NOTHING;
    struct tac_proof_change c = tac_proof_compare(p, (unsigned)cause);
    for (unsigned r = 0; r < rules(); r++)
        if (r != (unsigned)cause && !is_machine(r) && tac_proof_compare(p, r).grew)
            other = (int)r;
    if (ret_other)
        *ret_other = other;
    return !c.fell      ? TAC_PROOF_NOT_CURED
           : !c.apart   ? TAC_PROOF_OVERLAP
           : other >= 0 ? TAC_PROOF_OTHERS_GREW
                        : TAC_PROOF_CURED;
}

const char *tac_proof_result_name(enum tac_proof_result result)
{
    static const char *const name[] = {"nothing_to_prove", "cured",       "not_cured",
                                       "not_proved",       "others_grew", "not_proved"};
    return name[result];
}

/* ---- reports ---- */

static void add_change(const struct tac_proof_change *c, unsigned rule, struct tac_text *t)
{
    static const char none[] = "";
    const char *what = c->grew               ? "grew"
                       : c->fell && c->apart ? (c->after ? "fell tenfold" : "gone")
                       : c->fell             ? "fell, may be chance"
                                             : none;
    tac_text_addf(t, "  %-42s %7.3g .. %-7.3g %7.3g .. %-7.3g %s\n", tac_rules[rule]->title,
                  c->before_least, c->before_most, c->after_least, c->after_most, what);
}

static void add_conclusion(const struct tac_proof *p, int cause, struct tac_text *t)
{
    int other;
    enum tac_proof_result result = tac_proof_judge(p, cause, &other);
    const char *title = cause >= 0 ? tac_rules[cause]->title : "";
    struct tac_proof_change c = {0};
    if (cause >= 0)
        c = tac_proof_compare(p, (unsigned)cause);
    char change[96]; /* runs that are left out make the sides differ in length */
    snprintf(change, sizeof change, "from %zu in %zu cycles to %zu in %zu", c.before,
             c.before_cycles, c.after, c.after_cycles);
    switch (result) {
    case TAC_PROOF_NOTHING:
        tac_text_add(t, "Nothing to prove: before the change no deadline was missed that the "
                        "program or its set-up could be blamed for.\n");
        break;
    case TAC_PROOF_CURED:
        tac_text_addf(t, "Cured by %s: %s fell %s, and nothing else grew.\n", p->setting, title,
                      change);
        break;
    case TAC_PROOF_NOT_CURED:
        tac_text_addf(t, "Not cured by %s: %s went %s; tenfold less is asked for.\n", p->setting,
                      title, change);
        break;
    case TAC_PROOF_OVERLAP:
        tac_text_addf(t,
                      "Not proved: %s fell %s, but so few misses can differ by chance. "
                      "Run longer, or more rounds.\n",
                      title, change);
        break;
    case TAC_PROOF_TOO_SHORT:
        tac_text_addf(t, "Not proved: no run %s %s had enough cycles to compare.\n",
                      usable(p, p->before) ? "with" : "without", p->setting);
        break;
    case TAC_PROOF_OTHERS_GREW:
        tac_text_addf(t, "Not a cure: %s fell %s, but %s grew.\n", title, change,
                      tac_rules[other]->title);
        break;
    }
}

static unsigned add_short_runs(const struct tac_proof *p, const struct tac_proof_run *side,
                               const char *with, struct tac_text *t)
{
    unsigned count = 0;
    for (unsigned i = 0; i < p->runs; i++) {
        if (!tac_proof_is_short(p, &side[i]))
            continue;
        count++;
        tac_text_addf(t, "Left out: run %u %s %s had %zu cycles, where %zu are usual", i + 1, with,
                      p->setting, side[i].judged, usual_cycles(p));
        if (side[i].status)
            tac_text_addf(t, "; it ended with status %d", side[i].status);
        tac_text_add(t, ".\n");
    }
    return count;
}

static void add_left_out(const struct tac_proof *p, struct tac_text *t)
{
    unsigned count = add_short_runs(p, p->before, "without", t);
    count += add_short_runs(p, p->after, "with", t);
    if (count)
        tac_text_add(t,
                     "A program that ended early, or whose audio server stalled, proves nothing. "
                     "See what it\nprinted, look at its server, and run it again, longer "
                     "(--seconds) or in more rounds\n(--rounds).\n\n");
}

void tac_proof_text(const struct tac_proof *p, struct tac_text *t)
{
    int cause = tac_proof_cause(p);
    tac_text_addf(t,
                  "\nMisses in a thousand cycles, least and most of %u runs; without and with "
                  "%s:\n",
                  p->runs, p->setting);
    for (unsigned r = 0; r < rules(); r++) {
        struct tac_proof_change c = tac_proof_compare(p, r);
        if (c.before || c.after)
            add_change(&c, r, t);
    }
    tac_text_add(t, "\n");
    add_left_out(p, t);
    add_conclusion(p, cause, t);
}

static void add_short_run(const struct tac_proof_run *run, bool with, unsigned number, bool *first,
                          struct tac_text *t)
{
    tac_text_addf(t, "%s{\"with_change\":%s,\"run\":%u,\"cycles\":%zu,\"status\":%d}",
                  *first ? "" : ",", with ? "true" : "false", number, run->judged, run->status);
    *first = false;
}

static void add_left_out_json(const struct tac_proof *p, struct tac_text *t)
{
    bool first = true;
    tac_text_addf(t, "\"usual_cycles\":%zu,\"left_out\":[", usual_cycles(p));
    for (unsigned i = 0; i < p->runs; i++) {
        if (tac_proof_is_short(p, &p->before[i]))
            add_short_run(&p->before[i], false, i + 1, &first, t);
        if (tac_proof_is_short(p, &p->after[i]))
            add_short_run(&p->after[i], true, i + 1, &first, t);
    }
    tac_text_add(t, "],");
}

static void add_rule(int rule, struct tac_text *t)
{
    if (rule < 0)
        tac_text_add(t, "null");
    else
        tac_text_add_json(t, tac_rules[rule]->name);
}

void tac_proof_json(const struct tac_proof *p, struct tac_text *t)
{
    int cause = tac_proof_cause(p), other;
    enum tac_proof_result result = tac_proof_judge(p, cause, &other);
    tac_text_add(t, "{\"format\":\"tactus-proof\",\"version\":1,\"setting\":");
    tac_text_add_json(t, p->setting);
    tac_text_addf(t, ",\"runs\":%u,", p->runs);
    add_left_out_json(p, t);
    tac_text_addf(t, "\"result\":\"%s\",\"cause\":", tac_proof_result_name(result));
    add_rule(cause, t);
    tac_text_add(t, ",\"grew\":");
    add_rule(other, t);
    tac_text_add(t, ",\"causes\":[");
    bool first = true;
    for (unsigned r = 0; r < rules(); r++) {
        struct tac_proof_change c = tac_proof_compare(p, r);
        if (!c.before && !c.after)
            continue;
        tac_text_addf(t,
                      "%s{\"rule\":\"%s\",\"before\":%zu,\"after\":%zu,"
                      "\"before_per_thousand\":[%.4g,%.4g],\"after_per_thousand\":[%.4g,%.4g],"
                      "\"fell_tenfold\":%s,\"apart\":%s,\"grew\":%s}",
                      first ? "" : ",", tac_rules[r]->name, c.before, c.after, c.before_least,
                      c.before_most, c.after_least, c.after_most, c.fell ? "true" : "false",
                      c.apart ? "true" : "false", c.grew ? "true" : "false");
        first = false;
    }
    tac_text_add(t, "]}\n");
}
