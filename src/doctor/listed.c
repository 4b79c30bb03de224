/* SPDX-License-Identifier: MIT
 * listed.c - see listed.h. */
#include "doctor/listed.h"

#include <errno.h>
#include <stdlib.h>

enum { WORST_MAX = 10 };

struct late {
    uint64_t ns;
    size_t miss;
};

static int compare_late(const void *a, const void *b)
{
    const struct late *x = a, *y = b;
    if (x->ns != y->ns)
        return x->ns < y->ns ? 1 : -1;
    return x->miss < y->miss ? -1 : x->miss > y->miss;
}

static bool has(const size_t *list, size_t count, size_t miss)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == miss)
            return true;
    return false;
}

/* The latest root that is not in the list yet; misses_count: there is none. */
static size_t next_worst(const struct tac_diagnosis *d, const size_t *list, size_t count)
{
    size_t worst = d->misses_count;
    for (size_t i = 0; i < d->misses_count; i++)
        if (d->misses[i].root == i && !has(list, count, i) &&
            (worst == d->misses_count || d->misses[i].late_ns > d->misses[worst].late_ns))
            worst = i;
    return worst;
}

size_t tac_listed_drawn(const struct tac_diagnosis *d, size_t list[TAC_DRAWN_MAX])
{
    size_t count = 0;
    for (size_t worst; count < WORST_MAX && (worst = next_worst(d, list, count)) < d->misses_count;)
        list[count++] = worst;
    for (size_t i = 0; i < d->causes_count && count < TAC_DRAWN_MAX; i++)
        if (!has(list, count, d->causes[i].worst))
            list[count++] = d->causes[i].worst;
    return count;
}

static size_t list_drawn(const struct tac_diagnosis *d, bool *listed)
{
    size_t drawn[TAC_DRAWN_MAX], count = tac_listed_drawn(d, drawn);
    for (size_t i = 0; i < count; i++)
        listed[drawn[i]] = true;
    return count;
}

int tac_listed_new(const struct tac_diagnosis *d, bool **ret_listed, size_t *ret_count)
{
    struct late *late = malloc((d->misses_count + 1) * sizeof *late);
    bool *listed = calloc(d->misses_count + 1, sizeof *listed);
    if (!late || !listed) {
        free(late);
        free(listed);
        return -ENOMEM;
    }
    size_t count = list_drawn(d, listed);
    for (size_t i = 0; i < d->misses_count; i++)
        late[i] = (struct late){d->misses[i].late_ns, i};
    qsort(late, d->misses_count, sizeof *late, compare_late);
    for (size_t i = 0; i < d->misses_count && count < TAC_LISTED_MAX; i++) {
        count += !listed[late[i].miss];
        listed[late[i].miss] = true;
    }
    free(late);
    *ret_listed = listed;
    *ret_count = count;
    return 0;
}
