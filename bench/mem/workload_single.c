/* SPDX-License-Identifier: MIT
 * workload_single.c - throughput and memory of one thread.
 *
 * Shapes follow the published ones. simple: glibc's bench-malloc-simple (batches of one size).
 * algebra: cfrac of D. Detlefs, A. Dosser and B. Zorn's collection (1994): numbers of a few words
 * that live for one or two operations. minimize: espresso of the same collection: sets of cubes
 * that are built, grown and thrown away. fragment and burst: what makes heaps keep memory: every
 * other block freed and another size asked for; everything freed and another mix asked for. */
#include "workload.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static uint64_t seed = RANDOM_SEED;

void run_simple(void)
{
    void *slot[1600];
    for (int round = 0; round < 4000; round++) {
        size_t bytes = 16 + (size_t)(round % 16) * 32;
        for (int i = 0; i < 1600; i++)
            slot[i] = malloc(bytes);
        for (int i = 0; i < 1600; i++)
            free(slot[i * 7 % 1600]);
    }
}

/* ---- numbers of any length, each result in a block of its own ---- */

struct number {
    unsigned words;
    uint32_t word[];
};

static struct number *number_new(unsigned words)
{
    struct number *n = malloc(sizeof *n + words * sizeof(uint32_t));
    n->words = words;
    return n;
}

static struct number *number_trim(struct number *n)
{
    while (n->words > 1 && !n->word[n->words - 1])
        n->words--;
    return n;
}

/* a * by + b */
static struct number *multiply_add(const struct number *a, uint32_t by, const struct number *b)
{
    unsigned words = a->words > b->words ? a->words : b->words;
    struct number *r = number_new(words + 1);
    uint64_t carry = 0;
    for (unsigned i = 0; i < words; i++) {
        carry += i < a->words ? (uint64_t)a->word[i] * by : 0;
        carry += i < b->words ? b->word[i] : 0;
        r->word[i] = (uint32_t)carry;
        carry >>= 32;
    }
    r->word[words] = (uint32_t)carry;
    return number_trim(r);
}

/* *ret_rest is a modulo by. */
static struct number *divide(const struct number *a, uint32_t by, uint32_t *ret_rest)
{
    struct number *r = number_new(a->words);
    uint64_t rest = 0;
    for (unsigned i = a->words; i--;) {
        rest = rest << 32 | a->word[i];
        r->word[i] = (uint32_t)(rest / by);
        rest %= by;
    }
    *ret_rest = (uint32_t)rest;
    return number_trim(r);
}

/* The convergents of a continued fraction, cut down when they grow past some ten words; a hundred
 * factors found on the way are kept. */
void run_algebra(void)
{
    struct number *kept[100] = {NULL}, *p = number_new(1), *before = number_new(1);
    p->word[0] = 1;
    before->word[0] = 0;
    for (unsigned k = 0; k < 1500000; k++) {
        uint32_t rest, term = 1 + (uint32_t)(random_next(&seed) % 1000);
        struct number *next = multiply_add(p, term, before);
        struct number *quotient = divide(next, 2 + term, &rest);
        free(before);
        before = p;
        p = next;
        if (rest % 64 == 0) {
            free(kept[k % 100]);
            kept[k % 100] = quotient;
        } else {
            free(quotient);
        }
        while (p->words > 12) {
            struct number *shorter = divide(p, 0x7fffffff, &rest);
            free(p);
            p = shorter;
        }
    }
    for (int i = 0; i < 100; i++)
        free(kept[i]);
    free(p);
    free(before);
}

/* ---- sets of cubes ---- */

struct cover {
    unsigned count, room;
    uint64_t **cube;
};

static void cover_add(struct cover *cover, uint64_t *cube)
{
    if (cover->count == cover->room) {
        cover->room = cover->room ? 2 * cover->room : 4;
        cover->cube = realloc(cover->cube, cover->room * sizeof *cover->cube);
    }
    cover->cube[cover->count++] = cube;
}

static void cover_free(struct cover *cover)
{
    for (unsigned i = 0; i < cover->count; i++)
        free(cover->cube[i]);
    free(cover->cube);
    free(cover);
}

static uint64_t *cube_new(unsigned words, const uint64_t *a, const uint64_t *b)
{
    uint64_t *cube = malloc(words * sizeof *cube);
    for (unsigned w = 0; w < words; w++)
        cube[w] = a ? a[w] & b[w] : random_next(&seed) | random_next(&seed);
    return cube;
}

static bool cube_is_empty(const uint64_t *cube, unsigned words)
{
    for (unsigned w = 0; w < words; w++)
        if (cube[w])
            return false;
    return true;
}

/* Those intersections of the cubes that are not empty. */
static struct cover *intersect(const struct cover *a, const struct cover *b, unsigned words)
{
    struct cover *r = calloc(1, sizeof *r);
    for (unsigned i = 0; i < a->count; i++)
        for (unsigned j = i % 4; j < b->count; j += 4) {
            uint64_t *cube = cube_new(words, a->cube[i], b->cube[j]);
            if (cube_is_empty(cube, words) || random_next(&seed) % 2)
                free(cube);
            else
                cover_add(r, cube);
        }
    return r;
}

static struct cover *cover_new(unsigned cubes, unsigned words)
{
    struct cover *cover = calloc(1, sizeof *cover);
    while (cover->count < cubes)
        cover_add(cover, cube_new(words, NULL, NULL));
    return cover;
}

void run_minimize(void)
{
    enum { COVERS = 40 };
    struct cover *cover[COVERS];
    for (int i = 0; i < COVERS; i++)
        cover[i] = cover_new(10 + (unsigned)i, 1 + (unsigned)i % 6);
    for (int round = 0; round < 12000; round++) {
        int i = (int)(random_next(&seed) % COVERS), j = (i + 6) % COVERS; /* of the same width */
        unsigned words = 1 + (unsigned)i % 6;
        if (j < i)
            continue;
        struct cover *product = intersect(cover[i], cover[j], words);
        cover_free(cover[i]);
        bool keep = product->count >= 10 && product->count <= 60;
        cover[i] = keep ? product : cover_new(10 + (unsigned)i, words);
        if (!keep)
            cover_free(product);
    }
    for (int i = 0; i < COVERS; i++)
        cover_free(cover[i]);
}

/* ---- what makes heaps keep memory ---- */

static void *written(size_t bytes)
{
    void *block = malloc(bytes);
    memset(block, 1, bytes);
    return block;
}

/* Six generations, each of another size; of each, every other block stays to the end. */
void run_fragment(void)
{
    enum { BLOCKS = 120000, GENERATIONS = 6 };
    static void *slot[GENERATIONS][BLOCKS];
    for (int g = 0; g < GENERATIONS; g++) {
        size_t bytes = 40 + (size_t)g * 56;
        for (int i = 0; i < BLOCKS; i++)
            slot[g][i] = written(bytes);
        for (int i = g & 1; i < BLOCKS; i += 2) {
            free(slot[g][i]);
            slot[g][i] = NULL;
        }
    }
    for (int g = 0; g < GENERATIONS; g++)
        for (int i = 0; i < BLOCKS; i++)
            free(slot[g][i]);
}

/* A block in a hundred stays until the next burst but one. */
void run_burst(void)
{
    enum { BLOCKS = 60000, BURSTS = 16 };
    static void *slot[2][BLOCKS];
    for (int b = 0; b < BURSTS; b++) {
        size_t range = 32u << b % 6;
        void **now = slot[b & 1];
        for (int i = 0; i < BLOCKS; i++) {
            free(now[i]);
            now[i] = written(16 + (size_t)(random_next(&seed) % range));
        }
        for (int i = 0; i < BLOCKS; i++)
            if (i % 100) {
                free(now[i]);
                now[i] = NULL;
            }
    }
    for (int i = 0; i < 2 * BLOCKS; i++)
        free(slot[i / BLOCKS][i % BLOCKS]);
}
