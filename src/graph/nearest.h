/* SPDX-License-Identifier: MIT
 * nearest.h - which known name was probably meant by one that is not known.
 *
 * The one with the smallest edit distance (insertions, deletions and substitutions; V. I.
 * Levenshtein 1966, Soviet Physics Doklady 10:707-710), if that is at most about a third of the
 * length. Cost: product of the lengths, for each name. Threads: any. */
#ifndef TAC_GRAPH_NEAREST_H
#define TAC_GRAPH_NEAREST_H

#include <stdio.h>
#include <string.h>

enum { TAC_NEAREST_LENGTH_MAX = 32, TAC_NEAREST_TEXT_MAX = 64 };

struct tac_nearest {
    const char *wanted, *name; /* name: the best so far, or NULL */
    size_t distance;           /* of it */
};

static inline size_t tac_nearest_distance(const char *a, const char *b)
{
    size_t row[TAC_NEAREST_LENGTH_MAX + 1], length = strlen(b);
    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            size_t change = corner + (a[i - 1] != b[j - 1]);
            size_t skip = 1 + (row[j] < row[j - 1] ? row[j] : row[j - 1]);
            corner = row[j];
            row[j] = change < skip ? change : skip;
        }
    }
    return row[length];
}

static inline struct tac_nearest tac_nearest_begin(const char *wanted)
{
    return (struct tac_nearest){wanted, NULL, (strlen(wanted) + 1) / 3 + 1};
}

static inline void tac_nearest_try(struct tac_nearest *n, const char *name)
{
    if (strlen(n->wanted) > TAC_NEAREST_LENGTH_MAX || strlen(name) > TAC_NEAREST_LENGTH_MAX)
        return;
    size_t distance = tac_nearest_distance(n->wanted, name);
    if (distance < n->distance) {
        n->distance = distance;
        n->name = name;
    }
}

/* "; is svf meant?", or "" when none is near. Returns text. */
static inline const char *tac_nearest_ask(const struct tac_nearest *n,
                                          char text[TAC_NEAREST_TEXT_MAX])
{
    text[0] = 0;
    if (n->name)
        snprintf(text, TAC_NEAREST_TEXT_MAX, "; is %s meant?", n->name);
    return text;
}

#endif
