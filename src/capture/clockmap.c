/* SPDX-License-Identifier: MIT
 * clockmap.c - see clockmap.h. */
#include "capture/clockmap.h"

#include "capture/capture.h"

#include <math.h>
#include <string.h>

enum { SUSPEND_NS = 1000000, RATE_NS = 50000000, PUSHED = 8 };
static const double RATE_TOLERANCE = 500e-6; /* NTP slews by at most 500 ppm */

static const struct tac_format_clock *pair(const struct tac_clockmap *map, size_t i)
{
    return (const struct tac_format_clock *)map->pairs.data + i;
}

static double ticks_per_ns(const struct tac_format_clock *a, const struct tac_format_clock *b)
{
    return (double)(b->counter - a->counter) / (double)(b->ns - a->ns);
}

/* Keep only pairs that move forward on both clocks. */
static void keep_monotonic(struct tac_clockmap *map)
{
    struct tac_format_clock *p = map->pairs.data;
    size_t kept = 0;
    for (size_t i = 0; i < map->pairs.count; i++) {
        if (kept && (p[i].counter <= p[kept - 1].counter || p[i].ns <= p[kept - 1].ns)) {
            map->problems |= TAC_CAPTURE_CLOCK_POOR;
            continue;
        }
        p[kept++] = p[i];
    }
    map->pairs.count = kept;
}

/* Pieces of less than RATE_NS are too short for a statement about the rate. */
static void check_pieces(struct tac_clockmap *map)
{
    for (size_t i = 1; i < map->pairs.count; i++) {
        const struct tac_format_clock *a = pair(map, i - 1), *b = pair(map, i);
        if ((int64_t)(b->boot_ns - a->boot_ns) > SUSPEND_NS)
            map->problems |= TAC_CAPTURE_SUSPENDED;
        if (b->ns - a->ns > RATE_NS &&
            fabs(ticks_per_ns(a, b) * 1e9 / map->hz - 1) > RATE_TOLERANCE)
            map->problems |= TAC_CAPTURE_FREQUENCY;
    }
}

void tac_clockmap_init(struct tac_clockmap *map, struct tac_list *pairs)
{
    *map = (struct tac_clockmap){.pairs = *pairs};
    *pairs = (struct tac_list){0};
    keep_monotonic(map);
    size_t n = map->pairs.count;
    if (n < 2) {
        map->problems |= TAC_CAPTURE_CLOCK_POOR;
        return;
    }
    map->hz = ticks_per_ns(pair(map, 0), pair(map, n - 1)) * 1e9;
    check_pieces(map);
}

void tac_clockmap_push(struct tac_clockmap *map, const struct tac_format_clock *added)
{
    struct tac_format_clock *p = map->pairs.data;
    size_t n = map->pairs.count;
    if (n && (added->counter <= p[n - 1].counter || added->ns <= p[n - 1].ns)) {
        map->problems |= TAC_CAPTURE_CLOCK_POOR;
        return;
    }
    if (n == PUSHED) {
        memmove(p, p + 1, (n - 1) * sizeof *p);
        p[n - 1] = *added;
    } else if ((p = tac_list_add(&map->pairs, sizeof *p))) {
        *p = *added;
    }
    map->hint = 0;
    n = map->pairs.count;
    if (n > 1)
        map->hz = ticks_per_ns(pair(map, 0), pair(map, n - 1)) * 1e9;
}

void tac_clockmap_fini(struct tac_clockmap *map)
{
    tac_list_fini(&map->pairs);
}

/* The piece [i, i + 1] that holds or is nearest to the counter; there are two pairs at least. */
static size_t find(struct tac_clockmap *map, uint64_t counter)
{
    size_t i = map->hint, last = map->pairs.count - 2;
    if (counter >= pair(map, i)->counter && counter < pair(map, i + 1)->counter)
        return i;
    size_t low = 0, high = last;
    while (low < high) {
        size_t mid = (low + high + 1) / 2;
        if (pair(map, mid)->counter <= counter)
            low = mid;
        else
            high = mid - 1;
    }
    return map->hint = low;
}

/* The pair up to which the counter is taken as linear from pair i on. What lies before the first,
 * maybe by hours, needs the rate of more than a short piece. */
static const struct tac_format_clock *partner(const struct tac_clockmap *map, size_t i,
                                              uint64_t counter)
{
    size_t to = i + 1;
    while (counter < pair(map, i)->counter && to + 1 < map->pairs.count &&
           pair(map, to)->ns - pair(map, i)->ns < RATE_NS)
        to++;
    return pair(map, to);
}

uint64_t tac_clockmap_ns(struct tac_clockmap *map, uint64_t counter)
{
    if (map->pairs.count < 2) /* one pair: take ticks as nanoseconds, and have said so */
        return map->pairs.count ? pair(map, 0)->ns + (counter - pair(map, 0)->counter) : counter;
    size_t i = find(map, counter);
    const struct tac_format_clock *a = pair(map, i), *b = partner(map, i, counter);
    double offset = (double)(int64_t)(counter - a->counter) / ticks_per_ns(a, b);
    /* what no machine can have been up for is damage; keep the conversion defined */
    if (!(offset > -9e18 && offset < 9e18))
        return a->ns;
    return a->ns + (uint64_t)(int64_t)llround(offset);
}

uint64_t tac_clockmap_span_ns(struct tac_clockmap *map, uint64_t end, uint64_t ticks)
{
    uint64_t to = tac_clockmap_ns(map, end), from = tac_clockmap_ns(map, end - ticks);
    return from <= to ? to - from : 0;
}
