/* SPDX-License-Identifier: MIT
 * prove.c - see prove.h. Recordings live in a temporary folder and are dropped run by run. */
#include "cli/prove.h"

#include "cli/cmd.h"
#include "cli/runs.h"
#include "cli/watching.h"
#include "doctor/rule.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROUNDS = 3, HEAPS = 2, RULES_MAX = 64 };

static const char *const heap_name[HEAPS] = {"system", "tactus"};

struct trial {
    size_t judged, missed;
    uint64_t worst_ns;
    size_t roots[RULES_MAX];  /* misses by verdict, carried-over ones left out */
    uint64_t lost[RULES_MAX]; /* ns */
};

static void take(const struct tac_diagnosis *d, struct trial *t)
{
    *t = (struct trial){.judged = d->judged, .missed = d->missed, .worst_ns = d->worst_ns};
    for (size_t i = 0; i < d->misses_count; i++)
        for (size_t r = 0; r < tac_rules_count && r < RULES_MAX; r++)
            t->roots[r] += d->misses[i].root == i && d->misses[i].verdict[0].rule == tac_rules[r];
    for (size_t i = 0; i < d->causes_count; i++)
        for (size_t r = 0; r < tac_rules_count && r < RULES_MAX; r++)
            if (d->causes[i].rule == tac_rules[r])
                t->lost[r] = d->causes[i].lost_ns;
}

static int one(char *const *argv, int heap, const char *folder, struct trial *t)
{
    char path[PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/recording", folder);
    struct tac_watching watching = {.argv = argv, .heap = heap_name[heap], .path = path};
    struct tac_error err = {0};
    struct tac_runs runs = {.count = 0};
    int status, r = tac_watching_run(&watching, &status, &err);
    if (r == 0)
        r = tac_runs_add(&runs, path, heap_name[heap], &err);
    if (r == 0)
        take(runs.diagnosis[0], t);
    tac_runs_fini(&runs);
    unlink(path);
    if (r < 0)
        return tac_cmd_fail_error(&err);
    char worst[16];
    printf("%s heap: %zu of %zu deadlines missed, worst by %s\n", heap_name[heap], t->missed,
           t->judged, tac_text_duration((double)t->worst_ns, worst, sizeof worst));
    fflush(stdout);
    return 0;
}

/* The rule that lost most on the system's heap; -1 when nothing was missed there. */
static int leading(struct trial trial[HEAPS][ROUNDS])
{
    int best = -1;
    uint64_t most = 0;
    for (size_t r = 0; r < tac_rules_count && r < RULES_MAX; r++) {
        uint64_t lost = 0;
        for (int i = 0; i < ROUNDS; i++)
            lost += trial[0][i].lost[r];
        if (lost > most) {
            most = lost;
            best = (int)r;
        }
    }
    return best;
}

struct rates {
    double least, most, mean, other; /* misses a thousand cycles */
};

static struct rates rates_of(const struct trial trial[ROUNDS], int rule)
{
    struct rates x = {(double)INFINITY, 0, 0, 0};
    for (int i = 0; i < ROUNDS; i++) {
        double n = trial[i].judged ? (double)trial[i].judged : 1;
        double rate = 1000 * (double)trial[i].roots[rule] / n, all = 0;
        for (size_t r = 0; r < tac_rules_count && r < RULES_MAX; r++)
            all += 1000 * (double)trial[i].roots[r] / n;
        x.least = fmin(x.least, rate);
        x.most = fmax(x.most, rate);
        x.mean += rate / ROUNDS;
        x.other += (all - rate) / ROUNDS;
    }
    return x;
}

static int conclude(struct trial trial[HEAPS][ROUNDS])
{
    int rule = leading(trial);
    if (rule < 0) {
        printf("\nNothing to prove: on the system's heap no deadline was missed.\n");
        return TAC_EXIT_OK;
    }
    struct rates before = rates_of(trial[0], rule), after = rates_of(trial[1], rule);
    size_t cycles = 0;
    for (int i = 0; i < ROUNDS; i++)
        cycles += trial[0][i].judged;
    double chance = 3 * sqrt((before.other + 0.001) * 1000 / (double)(cycles ? cycles : 1));
    bool fell = after.mean * 10 <= before.mean, apart = after.most < before.least;
    bool others = after.other <= before.other + chance;
    printf("\nMain cause on the system's heap: %s\n"
           "  system  %.3g to %.3g in a thousand cycles; other causes %.3g\n"
           "  tactus  %.3g to %.3g in a thousand cycles; other causes %.3g\n%s\n",
           tac_rules[rule]->title, before.least, before.most, before.other, after.least, after.most,
           after.other,
           fell && apart && others ? "Cured by Tactus' heap."
           : !fell || !apart       ? "Not cured: it did not fall tenfold in every run."
                                   : "Not proved: it fell, but other causes grew.");
    return fell && apart && others ? TAC_EXIT_OK : TAC_EXIT_FOUND;
}

int tac_prove(char *const *argv)
{
    const char *base = getenv("TMPDIR");
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s/tactus-prove-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(folder))
        return tac_cmd_fail(TAC_EXIT_FAILED, "%s: %s", folder, strerror(errno));
    struct trial(*trial)[ROUNDS] = calloc(HEAPS, sizeof *trial);
    int r = trial ? 0 : tac_cmd_fail(TAC_EXIT_FAILED, "%s", tac_error_sentence(-ENOMEM));
    for (int round = 0; round < ROUNDS && r == 0; round++)
        for (int heap = 0; heap < HEAPS && r == 0; heap++)
            r = one(argv, heap, folder, &trial[heap][round]);
    if (r == 0)
        r = conclude(trial);
    free(trial);
    rmdir(folder);
    return r;
}
