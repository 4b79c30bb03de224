/* SPDX-License-Identifier: MIT
 * zones.c - `tactus zones`: what each zone costs, how it is distributed, and how two recordings
 * differ. One pass over the file, in memory that does not grow with it. */
#include "cli/cmd.h"

#include "base/text.h"
#include "capture/walk.h"
#include "capture/zonestat.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { OPT_COMPARE, OPT_HISTOGRAM, OPT_CATEGORIES };
enum { BAR = 50 };

struct reading {
    struct tac_zonestats stats;
    struct tac_walk *walk;
    const struct tac_capture *c;
};

static int read_zones(const char *path, struct reading *r)
{
    struct tac_error err;
    if (tac_zonestats_read(path, &r->stats, &r->walk, &err) < 0)
        return tac_cmd_fail_error(&err);
    r->c = tac_walk_capture(r->walk);
    return 0;
}

static void done(struct reading *r)
{
    tac_zonestats_fini(&r->stats);
    tac_walk_close(r->walk);
}

static const char *us(uint64_t ns, char *buffer, size_t size)
{
    return tac_text_duration((double)ns, buffer, size);
}

static void print_row(const char *name, const struct tac_zonestat *s)
{
    char total[16], self[16], p50[16], p99[16], max[16];
    printf("%-28.28s %9" PRIu64 " %10s %10s %10s %10s %10s\n", name, s->count,
           us(s->total_ns, total, sizeof total), us(s->self_ns, self, sizeof self),
           us(tac_histogram_quantile(s->histogram, 0.5), p50, sizeof p50),
           us(tac_histogram_quantile(s->histogram, 0.99), p99, sizeof p99),
           us(s->histogram->max, max, sizeof max));
}

static void print_head(const char *what)
{
    printf("%-28s %9s %10s %10s %10s %10s %10s\n", what, "count", "total", "self", "p50", "p99",
           "max");
}

static void print_loss(const struct reading *r)
{
    if (r->stats.lost)
        printf("%" PRIu64 " events were lost: counts and times are too small by what they held\n",
               r->stats.lost);
    uint64_t open = 0;
    for (size_t i = 0; i < r->stats.stats.count; i++)
        open += tac_zonestats_get(&r->stats, i)->open;
    if (open)
        printf("%" PRIu64 " zones had not ended, and are not in the times\n", open);
}

static void print_all(const struct reading *r)
{
    print_head("zone");
    for (size_t i = 0; i < r->stats.stats.count; i++) {
        const struct tac_zonestat *s = tac_zonestats_get(&r->stats, i);
        print_row(r->c->sites[s->site].name, s);
    }
    print_loss(r);
}

/* ---- by category ---- */

static const char *category_name(uint32_t category, char *buffer, size_t size)
{
    static const char *const name[] = {"app",  "cycle", "node", "task",   "memory",
                                       "lock", "call",  "plot", "control"};
    if (category < sizeof name / sizeof *name)
        return name[category];
    snprintf(buffer, size, "user %u", category);
    return buffer;
}

static void merge(struct tac_zonestat *sum, const struct tac_zonestat *s)
{
    sum->count += s->count;
    sum->total_ns += s->total_ns;
    sum->self_ns += s->self_ns;
    struct tac_histogram *to = sum->histogram;
    const struct tac_histogram *from = s->histogram;
    to->count += from->count;
    to->sum += from->sum;
    to->min = from->min < to->min ? from->min : to->min;
    to->max = from->max > to->max ? from->max : to->max;
    for (int i = 0; i < TAC_HISTOGRAM_BUCKETS; i++)
        to->bucket[i] += from->bucket[i];
}

static void print_categories(const struct reading *r)
{
    static struct tac_histogram histogram;
    print_head("category");
    for (uint32_t category = 0; category < 256; category++) {
        struct tac_zonestat sum = {.histogram = &histogram};
        char name[16];
        tac_histogram_init(&histogram);
        for (size_t i = 0; i < r->stats.stats.count; i++) {
            const struct tac_zonestat *s = tac_zonestats_get(&r->stats, i);
            if (r->c->sites[s->site].category == category)
                merge(&sum, s);
        }
        if (sum.count)
            print_row(category_name(category, name, sizeof name), &sum);
    }
    print_loss(r);
}

/* ---- the distribution of one ---- */

static const struct tac_zonestat *named(const struct reading *r, const char *name)
{
    for (size_t i = 0; i < r->stats.stats.count; i++) {
        const struct tac_zonestat *s = tac_zonestats_get(&r->stats, i);
        if (!strcmp(r->c->sites[s->site].name, name))
            return s;
    }
    return NULL;
}

/* Buckets of a quarter of a power of two. */
static int print_histogram(const struct reading *r, const char *name)
{
    const struct tac_zonestat *s = named(r, name);
    enum { STEP = TAC_HISTOGRAM_SUB / 4, ROWS = TAC_HISTOGRAM_BUCKETS / STEP };
    uint64_t row[ROWS] = {0}, most = 1;
    if (!s)
        return tac_cmd_fail(TAC_EXIT_FAILED, "the recording has no zone '%s'", name);
    for (int i = 0; i < TAC_HISTOGRAM_BUCKETS; i++)
        row[i / STEP] += s->histogram->bucket[i];
    int first = ROWS, last = 0;
    for (int i = 0; i < ROWS; i++)
        if (row[i]) {
            first = i < first ? i : first;
            last = i;
            most = row[i] > most ? row[i] : most;
        }
    print_head("zone");
    print_row(name, s);
    printf("\n%12s %9s\n", "from", "count");
    for (int i = first; i <= last; i++) {
        char from[16];
        int bar = (int)((row[i] * BAR + most - 1) / most);
        printf("%12s %9" PRIu64 " %.*s\n",
               us(tac_histogram_bucket_low((unsigned)(i * STEP)), from, sizeof from), row[i], bar,
               "##################################################");
    }
    return TAC_EXIT_OK;
}

/* ---- two recordings ---- */

static void print_difference(const struct tac_zonestat *a, const struct tac_zonestat *b,
                             const char *name)
{
    char old[16], new[16], old99[16], new99[16];
    uint64_t x = tac_histogram_quantile(a->histogram, 0.5);
    uint64_t y = tac_histogram_quantile(b->histogram, 0.5);
    printf("%-28.28s %9" PRIu64 " %9" PRIu64 " %10s %10s %7.2fx %10s %10s\n", name, a->count,
           b->count, us(x, old, sizeof old), us(y, new, sizeof new),
           x ? (double)y / (double)x : 0.0,
           us(tac_histogram_quantile(a->histogram, 0.99), old99, sizeof old99),
           us(tac_histogram_quantile(b->histogram, 0.99), new99, sizeof new99));
}

static int compare(const struct reading *now, const char *path)
{
    struct reading before;
    int code = read_zones(path, &before);
    if (code)
        return code;
    printf("%-28s %9s %9s %10s %10s %8s %10s %10s\n", "zone", "then", "now", "p50 then", "p50 now",
           "ratio", "p99 then", "p99 now");
    for (size_t i = 0; i < now->stats.stats.count; i++) {
        const struct tac_zonestat *s = tac_zonestats_get(&now->stats, i);
        const char *name = now->c->sites[s->site].name;
        const struct tac_zonestat *old = named(&before, name);
        if (old)
            print_difference(old, s, name);
        else
            printf("%-28.28s is new\n", name);
    }
    for (size_t i = 0; i < before.stats.stats.count; i++) {
        const char *name = before.c->sites[tac_zonestats_get(&before.stats, i)->site].name;
        if (!named(now, name))
            printf("%-28.28s is gone\n", name);
    }
    print_loss(now);
    done(&before);
    return TAC_EXIT_OK;
}

static int run(const struct tac_cmd_args *args)
{
    struct reading r;
    if ((args->option[OPT_COMPARE] != NULL) + (args->option[OPT_HISTOGRAM] != NULL) +
            (args->option[OPT_CATEGORIES] != NULL) >
        1)
        return tac_cmd_fail(TAC_EXIT_USAGE,
                            "--compare, --histogram and --categories are one or the other");
    int code = read_zones(args->operand[0], &r);
    if (code)
        return code;
    if (args->option[OPT_COMPARE])
        code = compare(&r, args->option[OPT_COMPARE]);
    else if (args->option[OPT_HISTOGRAM])
        code = print_histogram(&r, args->option[OPT_HISTOGRAM]);
    else if (args->option[OPT_CATEGORIES])
        print_categories(&r);
    else
        print_all(&r);
    bool damaged = r.c->problems & (TAC_CAPTURE_TRUNCATED | TAC_CAPTURE_DAMAGED);
    done(&r);
    if (damaged && code == TAC_EXIT_OK)
        return tac_cmd_fail(TAC_EXIT_FOUND, "%s is cut off or damaged; counted what could be read",
                            args->operand[0]);
    return code;
}

TAC_CMD(zones) = {
    .name = "zones",
    .summary = "what each zone of a recording costs, or two compared",
    .synopsis = "RECORDING [--compare EARLIER | --histogram ZONE | --categories]",
    .text = "One line for each zone name, the largest total first: how often, the time in it, the "
            "time in it without the zones inside (of one that is open within itself, "
            "the outermost counts for the first), and the median, the 99th percentile and the "
            "maximum of one zone. Quantiles are exact to 3 %. Where events were lost, a line says "
            "how many.",
    .option = {{"compare", 0, "EARLIER",
                "Print counts, medians and 99th percentiles beside those of another recording."},
               {"histogram", 0, "ZONE", "Print how the times of one zone are distributed."},
               {"categories", 0, NULL, "One line for each category instead of each zone."}},
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
