/* SPDX-License-Identifier: MIT
 * halts.c - see halts.h. */
#include "doctor/halts.h"

#include "base/order.h"

#include <errno.h>
#include <stdlib.h>

/* Ends that were seen lay within 60 us of each other's grid; a witness comes some microseconds
 * after the end. Ends nearer than SAME are of one halt, told by several witnesses. The clocks of
 * host and machine drift apart by up to 50 us a second, so only the halts around count. Of more
 * than MOST of them no half can be on a grid. */
enum {
    GRID_NS = 100 * 1000 * 1000,
    NEAR_NS = 200 * 1000,
    SAME_NS = 1000 * 1000,
    LEAST = 3,
    GRIDS = 30, /* as far as this to either side */
    MOST = 2 * (2 * GRIDS + 2)
};

int tac_halts_find(const struct tac_sights *sights, struct tac_halts *ret_halts)
{
    size_t kept = 0;
    uint64_t *end = malloc((sights->count + 1) * sizeof *end);
    if (!end)
        return -ENOMEM;
    for (size_t i = 0; i < sights->count; i++)
        end[i] = sights->data[i].to_ns;
    qsort(end, sights->count, sizeof *end, tac_compare_u64);
    for (size_t i = 0; i < sights->count; i++)
        if (!kept || end[i] > end[kept - 1] + SAME_NS)
            end[kept++] = end[i];
    *ret_halts = (struct tac_halts){end, kept};
    return 0;
}

void tac_halts_fini(struct tac_halts *halts)
{
    free(halts->end_ns);
    *halts = (struct tac_halts){0};
}

/* How far the second lies from the grid of the first, forwards: 0 up to GRID. */
static uint64_t phase(uint64_t first, uint64_t second)
{
    return (second % GRID_NS + GRID_NS - first % GRID_NS) % GRID_NS;
}

static size_t first_behind(const struct tac_halts *halts, uint64_t ns)
{
    return tac_capture_lower(halts->end_ns, halts->count, sizeof *halts->end_ns, 0, ns);
}

/* How many of count halts lie on the grid of the one that ends at ns, itself included. */
static size_t agree_with(const uint64_t *end_ns, size_t count, uint64_t ns)
{
    size_t agree = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t apart = phase(ns, end_ns[i]);
        agree += apart <= NEAR_NS || apart >= GRID_NS - NEAR_NS;
    }
    return agree;
}

uint64_t tac_halts_expected(const struct tac_halts *halts, uint64_t from_ns, uint64_t to_ns)
{
    const uint64_t around_ns = (uint64_t)GRIDS * GRID_NS;
    size_t first = first_behind(halts, from_ns > around_ns ? from_ns - around_ns : 0);
    const uint64_t *end_ns = halts->end_ns + first;
    size_t count = first_behind(halts, to_ns + around_ns) - first;
    if (count < LEAST || count > MOST)
        return 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t at = from_ns + phase(from_ns, end_ns[i]);
        size_t agree = at <= to_ns ? agree_with(end_ns, count, end_ns[i]) : 0;
        if (agree >= LEAST && agree * 2 >= count)
            return at;
    }
    return 0;
}
