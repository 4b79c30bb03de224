/* SPDX-License-Identifier: MIT
 * halts.c - see halts.h. */
#include "doctor/halts.h"

#include "base/order.h"

#include <errno.h>
#include <stdlib.h>

/* Ends that were seen lay within 60 us of each other's grid; a witness comes some microseconds
 * after the end. Ends nearer than SAME are of one halt, told by several witnesses. */
enum { GRID_NS = 100 * 1000 * 1000, NEAR_NS = 200 * 1000, SAME_NS = 1000 * 1000, LEAST = 3 };

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

uint64_t tac_halts_expected(const struct tac_halts *halts, uint64_t from_ns, uint64_t to_ns)
{
    for (size_t i = 0; i < halts->count; i++) {
        uint64_t at = from_ns + phase(from_ns, halts->end_ns[i]);
        size_t agree = 0;
        for (size_t k = 0; k < halts->count && at <= to_ns; k++) {
            uint64_t apart = phase(halts->end_ns[i], halts->end_ns[k]);
            agree += apart <= NEAR_NS || apart >= GRID_NS - NEAR_NS;
        }
        if (agree >= LEAST)
            return at;
    }
    return 0;
}
