/* SPDX-License-Identifier: MIT
 * zones.c - `tactus zones`: what each zone costs, and how two recordings differ. */
#include "cli/cmd.h"

#include "base/text.h"
#include "capture/zonestat.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { OPT_COMPARE };

static const char *us(uint64_t ns, char *buffer, size_t size)
{
    return tac_text_duration((double)ns, buffer, size);
}

static void print_row(const struct tac_capture *c, const struct tac_zonestat *s)
{
    char total[16], self[16], p50[16], p99[16], max[16];
    printf("%-28.28s %9" PRIu64 " %10s %10s %10s %10s %10s\n", c->sites[s->site].name, s->count,
           us(s->total_ns, total, sizeof total), us(s->self_ns, self, sizeof self),
           us(tac_histogram_quantile(s->histogram, 0.5), p50, sizeof p50),
           us(tac_histogram_quantile(s->histogram, 0.99), p99, sizeof p99),
           us(s->histogram->max, max, sizeof max));
}

static const struct tac_zonestat *same(const struct tac_capture *c, const struct tac_zonestat *list,
                                       size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(c->sites[list[i].site].name, name))
            return &list[i];
    return NULL;
}

static void print_difference(const struct tac_zonestat *a, const struct tac_zonestat *b,
                             const char *name)
{
    char old[16], new[16], old99[16], new99[16];
    uint64_t x = tac_histogram_quantile(a->histogram, 0.5);
    uint64_t y = tac_histogram_quantile(b->histogram, 0.5);
    printf("%-28.28s %10s %10s %7.2fx %10s %10s\n", name, us(x, old, sizeof old),
           us(y, new, sizeof new), x ? (double)y / (double)x : 0.0,
           us(tac_histogram_quantile(a->histogram, 0.99), old99, sizeof old99),
           us(tac_histogram_quantile(b->histogram, 0.99), new99, sizeof new99));
}

static int compare(const struct tac_capture *c, const struct tac_zonestat *stats, size_t count,
                   const char *path)
{
    struct tac_error err;
    struct tac_capture *other;
    struct tac_zonestat *before;
    size_t before_count;
    if (tac_capture_open(path, &err, &other) < 0)
        return tac_cmd_fail_error(&err);
    if (tac_zonestat_new(other, &before, &before_count)) {
        tac_capture_close(other);
        return tac_cmd_fail(TAC_EXIT_FAILED, "not enough memory");
    }
    printf("%-28s %10s %10s %8s %10s %10s\n", "zone", "p50 then", "p50 now", "ratio", "p99 then",
           "p99 now");
    for (size_t i = 0; i < count; i++) {
        const char *name = c->sites[stats[i].site].name;
        const struct tac_zonestat *old = same(other, before, before_count, name);
        if (old)
            print_difference(old, &stats[i], name);
        else
            printf("%-28.28s is new\n", name);
    }
    for (size_t i = 0; i < before_count; i++)
        if (!same(c, stats, count, other->sites[before[i].site].name))
            printf("%-28.28s is gone\n", other->sites[before[i].site].name);
    tac_zonestat_free(before, before_count);
    tac_capture_close(other);
    return TAC_EXIT_OK;
}

static int run(const struct tac_cmd_args *args)
{
    struct tac_error err;
    struct tac_capture *c;
    struct tac_zonestat *stats;
    size_t count;
    if (tac_capture_open(args->operand[0], &err, &c) < 0)
        return tac_cmd_fail_error(&err);
    int code = TAC_EXIT_OK;
    if (tac_zonestat_new(c, &stats, &count)) {
        code = tac_cmd_fail(TAC_EXIT_FAILED, "not enough memory");
    } else if (args->option[OPT_COMPARE]) {
        code = compare(c, stats, count, args->option[OPT_COMPARE]);
        tac_zonestat_free(stats, count);
    } else {
        printf("%-28s %9s %10s %10s %10s %10s %10s\n", "zone", "count", "total", "self", "p50",
               "p99", "max");
        for (size_t i = 0; i < count; i++)
            print_row(c, &stats[i]);
        tac_zonestat_free(stats, count);
    }
    tac_capture_close(c);
    return code;
}

TAC_CMD(zones) = {
    .name = "zones",
    .summary = "print what each zone of a recording costs, or compare two recordings",
    .synopsis = "RECORDING [--compare EARLIER]",
    .text = "One line for each zone name, the largest total first: how often, the time in it, the "
            "time in it without the zones inside, and the median, the 99th percentile and the "
            "maximum of one zone. Quantiles are exact to 3 %.",
    .option = {{"compare", 0, "EARLIER",
                "Print medians and 99th percentiles beside those of another recording."}},
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
