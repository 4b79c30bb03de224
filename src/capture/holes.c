/* SPDX-License-Identifier: MIT
 * holes.c - see holes.h. */
#include "capture/holes.h"

#include <errno.h>
#include <stdlib.h>

static int compare_holes(const void *a, const void *b)
{
    const struct tac_hole *x = a, *y = b;
    if (x->whose != y->whose)
        return x->whose < y->whose ? -1 : 1;
    if (x->begin_ns != y->begin_ns)
        return x->begin_ns < y->begin_ns ? -1 : 1;
    return x->end_ns < y->end_ns ? -1 : x->end_ns > y->end_ns;
}

static void join(struct tac_holes *h)
{
    size_t n = 0;
    for (size_t i = 0; i < h->count; i++) {
        struct tac_hole *last = n ? &h->hole[n - 1] : NULL, *next = &h->hole[i];
        if (!last || last->whose != next->whose || next->begin_ns > last->end_ns) {
            h->hole[n++] = *next;
            continue;
        }
        last->end_ns = next->end_ns > last->end_ns ? next->end_ns : last->end_ns;
        last->dropped += next->dropped;
    }
    h->count = n;
}

int tac_holes_find(const struct tac_capture_gap *gaps, size_t count, enum tac_holes_of of,
                   struct tac_holes *ret_holes)
{
    struct tac_holes h = {.hole = malloc((count + 1) * sizeof *h.hole)};
    if (!h.hole)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        bool of_kernel = gaps[i].thread == TAC_CAPTURE_NONE;
        if (of_kernel == (of == TAC_HOLES_OF_KERNEL))
            h.hole[h.count++] =
                (struct tac_hole){.begin_ns = gaps[i].begin_ns,
                                  .end_ns = gaps[i].end_ns,
                                  .dropped = gaps[i].dropped,
                                  .whose = of_kernel ? gaps[i].tid : gaps[i].thread};
    }
    qsort(h.hole, h.count, sizeof *h.hole, compare_holes);
    join(&h);
    *ret_holes = h;
    return 0;
}

void tac_holes_fini(struct tac_holes *holes)
{
    free(holes->hole);
    *holes = (struct tac_holes){0};
}

const struct tac_hole *tac_holes_within(const struct tac_holes *holes, uint32_t whose,
                                        uint64_t from_ns, uint64_t to_ns)
{
    size_t low = 0, high = holes->count;
    while (low < high) { /* the first of the buffer that ends after from */
        size_t middle = low + (high - low) / 2;
        const struct tac_hole *h = &holes->hole[middle];
        if (h->whose < whose || (h->whose == whose && h->end_ns <= from_ns))
            low = middle + 1;
        else
            high = middle;
    }
    const struct tac_hole *h = low < holes->count ? &holes->hole[low] : NULL;
    return h && h->whose == whose && h->begin_ns < to_ns ? h : NULL;
}
