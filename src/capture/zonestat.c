/* SPDX-License-Identifier: MIT
 * zonestat.c - see zonestat.h. */
#include "capture/zonestat.h"

#include "capture/walk.h"

#include <errno.h>
#include <stdlib.h>

struct open_zone {
    uint64_t begin_ns, inside_ns;
    uint32_t site;
};

static struct tac_zonestat *stat_of(struct tac_zonestats *z, uint32_t site)
{
    while (z->stats.count <= site && !z->stats.failed)
        tac_list_add(&z->stats, sizeof(struct tac_zonestat));
    struct tac_zonestat *s =
        site < z->stats.count ? (struct tac_zonestat *)z->stats.data + site : NULL;
    if (s && !s->histogram) {
        s->site = site;
        s->histogram = malloc(sizeof *s->histogram);
        if (!s->histogram)
            return NULL;
        tac_histogram_init(s->histogram);
    }
    return s;
}

static struct tac_list *open_of(struct tac_zonestats *z, uint32_t thread)
{
    while (z->threads.count <= thread && !z->threads.failed)
        tac_list_add(&z->threads, sizeof(struct tac_list));
    return thread < z->threads.count ? (struct tac_list *)z->threads.data + thread : NULL;
}

static void begin(struct tac_zonestats *z, const struct tac_event *e, struct tac_list *open)
{
    struct open_zone *added = tac_list_add(open, sizeof *added);
    if (!added) {
        z->failed = true;
        return;
    }
    *added = (struct open_zone){e->ns, 0, e->site};
}

/* Whether the zone behind the last that is open is open among those before it. Recursion is rare,
 * and then as deep as the nesting of zones. */
static bool is_within_itself(const struct tac_list *open)
{
    const struct open_zone *o = open->data;
    for (size_t i = open->count; i > 0; i--)
        if (o[i - 1].site == o[open->count].site)
            return true;
    return false;
}

static void end(struct tac_zonestats *z, uint64_t ns, struct tac_list *open)
{
    if (!open->count)
        return;
    struct open_zone *o = (struct open_zone *)open->data + --open->count;
    uint64_t took = ns > o->begin_ns ? ns - o->begin_ns : 0;
    struct tac_zonestat *s = stat_of(z, o->site);
    if (!s) {
        z->failed = true;
        return;
    }
    s->count++;
    s->total_ns += is_within_itself(open) ? 0 : took;
    s->self_ns += took > o->inside_ns ? took - o->inside_ns : 0;
    tac_histogram_add(s->histogram, took);
    if (open->count)
        o[-1].inside_ns += took;
}

/* Nothing that is open will be ended. */
static void cut(struct tac_zonestats *z, struct tac_list *open)
{
    const struct open_zone *o = open->data;
    for (size_t i = 0; i < open->count; i++) {
        struct tac_zonestat *s = stat_of(z, o[i].site);
        z->failed = z->failed || !s;
        if (s) {
            s->count++;
            s->open++;
        }
    }
    open->count = 0;
}

void tac_zonestats_event(void *me, const struct tac_capture *c, const struct tac_event *e)
{
    struct tac_zonestats *z = me;
    (void)c;
    if (e->type == TAC_REC_GAP)
        z->lost += e->gap.dropped + e->gap.suppressed + e->gap.damaged;
    if (e->type != TAC_REC_ZONE_BEGIN && e->type != TAC_REC_ZONE_END && e->type != TAC_EVENT_CUT)
        return;
    struct tac_list *open = open_of(z, e->thread);
    if (!open)
        z->failed = true;
    else if (e->type == TAC_REC_ZONE_BEGIN)
        begin(z, e, open);
    else if (e->type == TAC_REC_ZONE_END)
        end(z, e->ns, open);
    else
        cut(z, open);
}

static int by_total(const void *a, const void *b)
{
    const struct tac_zonestat *x = a, *y = b;
    if (x->total_ns != y->total_ns)
        return x->total_ns < y->total_ns ? 1 : -1;
    return x->site < y->site ? -1 : x->site > y->site;
}

int tac_zonestats_finish(struct tac_zonestats *z)
{
    struct tac_list *open = z->threads.data;
    for (size_t i = 0; i < z->threads.count; i++)
        cut(z, &open[i]);
    struct tac_zonestat *s = z->stats.data;
    size_t n = 0;
    for (size_t i = 0; i < z->stats.count; i++)
        if (s[i].count)
            s[n++] = s[i];
        else
            free(s[i].histogram);
    z->stats.count = n;
    if (n)
        qsort(s, n, sizeof *s, by_total);
    return z->failed || z->stats.failed || z->threads.failed ? -ENOMEM : 0;
}

void tac_zonestats_fini(struct tac_zonestats *z)
{
    struct tac_zonestat *s = z->stats.data;
    struct tac_list *open = z->threads.data;
    for (size_t i = 0; i < z->stats.count; i++)
        free(s[i].histogram);
    for (size_t i = 0; i < z->threads.count; i++)
        tac_list_fini(&open[i]);
    tac_list_fini(&z->stats);
    tac_list_fini(&z->threads);
}

int tac_zonestats_read(const char *path, struct tac_zonestats *z, struct tac_walk **ret_walk,
                       struct tac_error *err)
{
    struct tac_walk *walk;
    *z = (struct tac_zonestats){0};
    int error = tac_walk_open(&(struct tac_event_taker){z, tac_zonestats_event}, &walk);
    if (error)
        return tac_error_set(err, error, path, 0, 0, "not enough memory");
    error = tac_walk_file(walk, path, err);
    if (!error && tac_zonestats_finish(z))
        error = tac_error_set(err, -ENOMEM, path, 0, 0, "not enough memory");
    if (error) {
        tac_zonestats_fini(z);
        tac_walk_close(walk);
        return error;
    }
    *ret_walk = walk;
    return 0;
}
