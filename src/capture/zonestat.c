/* SPDX-License-Identifier: MIT
 * zonestat.c - see zonestat.h; and the CSV of it. Self time is the duration without the zones
 * directly inside. */
#include "capture/zonestat.h"

#include "capture/export.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

static int by_total(const void *a, const void *b)
{
    const struct tac_zonestat *x = a, *y = b;
    if (x->total_ns != y->total_ns)
        return x->total_ns < y->total_ns ? 1 : -1;
    return x->site < y->site ? -1 : x->site > y->site;
}

static uint64_t duration(const struct tac_capture_zone *z)
{
    return z->end_ns == TAC_CAPTURE_OPEN ? 0 : z->end_ns - z->begin_ns;
}

static void add(struct tac_zonestat *s, const struct tac_capture *c,
                const struct tac_capture_zone *z, struct tac_zonestat *all)
{
    s->count++;
    if (z->end_ns == TAC_CAPTURE_OPEN) {
        s->open++;
        return;
    }
    s->total_ns += duration(z);
    s->self_ns += duration(z);
    tac_histogram_add(s->histogram, duration(z));
    if (z->parent != TAC_CAPTURE_NONE && duration(&c->zones[z->parent]))
        all[c->zones[z->parent].site].self_ns -= duration(z);
}

static int collect(const struct tac_capture *c, struct tac_zonestat *all)
{
    for (size_t i = 0; i < c->zones_count; i++) {
        struct tac_zonestat *s = &all[c->zones[i].site];
        if (!s->histogram) {
            s->histogram = malloc(sizeof *s->histogram);
            if (!s->histogram)
                return -ENOMEM;
            tac_histogram_init(s->histogram);
            s->site = c->zones[i].site;
        }
        add(s, c, &c->zones[i], all);
    }
    return 0;
}

int tac_zonestat_new(const struct tac_capture *c, struct tac_zonestat **ret_stats,
                     size_t *ret_count)
{
    struct tac_zonestat *all = calloc(c->sites_count + 1, sizeof *all);
    int error = all ? collect(c, all) : -ENOMEM;
    if (error) {
        tac_zonestat_free(all, all ? c->sites_count : 0);
        return error;
    }
    size_t n = 0;
    for (size_t i = 0; i < c->sites_count; i++)
        if (all[i].count)
            all[n++] = all[i];
    qsort(all, n, sizeof *all, by_total);
    *ret_stats = all;
    *ret_count = n;
    return 0;
}

void tac_zonestat_free(struct tac_zonestat *stats, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(stats[i].histogram);
    free(stats);
}

/* A quoted field; quotes inside are doubled (RFC 4180). */
static void write_field(FILE *file, const char *text)
{
    fputc('"', file);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', file);
        fputc(*text, file);
    }
    fputs("\",", file);
}

int tac_export_csv(const struct tac_capture *capture, FILE *file)
{
    struct tac_zonestat *stats;
    size_t count;
    int error = tac_zonestat_new(capture, &stats, &count);
    if (error)
        return error;
    fprintf(file, "name,file,line,count,total_ns,self_ns,min_ns,mean_ns,p50_ns,p99_ns,max_ns\n");
    for (size_t i = 0; i < count; i++) {
        const struct tac_capture_site *s = &capture->sites[stats[i].site];
        const struct tac_histogram *h = stats[i].histogram;
        write_field(file, s->name);
        write_field(file, s->file);
        fprintf(file,
                "%u,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%.0f,%" PRIu64 ",%" PRIu64
                ",%" PRIu64 "\n",
                s->line, stats[i].count, stats[i].total_ns, stats[i].self_ns, h->count ? h->min : 0,
                tac_histogram_mean(h), tac_histogram_quantile(h, 0.5),
                tac_histogram_quantile(h, 0.99), h->max);
    }
    tac_zonestat_free(stats, count);
    return fflush(file) || ferror(file) ? -EIO : 0;
}
