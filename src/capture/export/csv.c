/* SPDX-License-Identifier: MIT
 * csv.c - the statistics of zones as CSV (RFC 4180), one line a name; what was lost is the
 * last line. */
#include "capture/export.h"
#include "capture/zonestat.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct csv {
    FILE *file;
    struct tac_zonestats stats;
};

static int open_file(const char *path, const struct tac_export_options *options, void **ret_me)
{
    struct csv *o = calloc(1, sizeof *o);
    (void)options;
    if (!o)
        return -ENOMEM;
    o->file = fopen(path, "wbe");
    if (!o->file) {
        int error = -errno;
        free(o);
        return error;
    }
    *ret_me = o;
    return 0;
}

static void event(void *me, const struct tac_capture *c, const struct tac_event *e)
{
    tac_zonestats_event(&((struct csv *)me)->stats, c, e);
}

/* A quoted field; quotes inside are doubled. */
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

static void write_line(FILE *file, const struct tac_capture_site *site,
                       const struct tac_zonestat *z)
{
    const struct tac_histogram *h = z->histogram;
    write_field(file, site->name);
    write_field(file, site->file);
    fprintf(file,
            "%u,%u,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%.0f,%" PRIu64
            ",%" PRIu64 ",%" PRIu64 "\n",
            site->line, site->category, z->count, z->open, z->total_ns, z->self_ns,
            h->count ? h->min : 0, tac_histogram_mean(h), tac_histogram_quantile(h, 0.5),
            tac_histogram_quantile(h, 0.99), h->max);
}

static void write_all(struct csv *o, const struct tac_capture *c)
{
    fprintf(o->file, "name,file,line,category,count,unended,total_ns,self_ns,min_ns,mean_ns,p50_ns,"
                     "p99_ns,max_ns\n");
    for (size_t i = 0; i < o->stats.stats.count; i++) {
        const struct tac_zonestat *z = tac_zonestats_get(&o->stats, i);
        write_line(o->file, &c->sites[z->site], z);
    }
    if (o->stats.lost)
        fprintf(o->file, "\"(events lost)\",\"\",0,0,%" PRIu64 ",0,0,0,0,0,0,0,0\n", o->stats.lost);
}

static uint64_t bytes(const void *me)
{
    return tac_export_written(((const struct csv *)me)->file);
}

static int close_file(void *me, const struct tac_capture *c)
{
    struct csv *o = me;
    int error = tac_zonestats_finish(&o->stats);
    if (c && !error)
        write_all(o, c);
    if (ferror(o->file) && !error)
        error = -EIO;
    if (fclose(o->file) && !error)
        error = -errno;
    tac_zonestats_fini(&o->stats);
    free(o);
    return error;
}

TAC_EXPORT(csv) = {
    .name = "csv",
    .suffix = ".csv",
    .doc = "statistics of zones, one line a name",
    .open = open_file,
    .event = event,
    .bytes = bytes,
    .close = close_file,
};
