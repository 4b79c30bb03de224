/* SPDX-License-Identifier: MIT
 * heap_view.h - what the heap of a running program looks like at one moment, as numbers and as
 * text, JSON and Prometheus metrics.
 *
 * Taken from outside (mem/outside.h): the program is not stopped and does nothing for it. Call
 * sites are summed over all moments since the view was opened. Threads: one. */
#ifndef TAC_CLI_HEAP_VIEW_H
#define TAC_CLI_HEAP_VIEW_H

#include "base/text.h"
#include "tactus/mem.h"
#include "tactus/pool.h"

#include <stdbool.h>
#include <sys/types.h>

enum {
    TAC_HEAP_VIEW_HEAPS =
        8, /* heaps in one process: the program's, and one of each library's own */
    TAC_HEAP_VIEW_CELLS = 64 * 4,
    TAC_HEAP_VIEW_THREADS = 4096,
    TAC_HEAP_VIEW_POOLS = 1024,
    TAC_HEAP_VIEW_SITES = 8192,
};

struct tac_heap_view_pool {
    char name[32];
    struct tac_pool_stats stats; /* stats.name is not set */
};

struct tac_heap_view_site {
    uint64_t site, weight_bytes, samples;
};

struct tac_heap_view {
    pid_t pid;
    char program[64];
    int heap; /* which of the process' heaps */
    uint64_t address;
    double ticks_per_us;
    bool sampling;
    uint64_t taken_ns, before_ns; /* of this moment and the one before; 0: there was none */
    struct tac_heap_stats stats, before;
    struct tac_heap_thread_stats thread[TAC_HEAP_VIEW_THREADS];
    unsigned threads;
    struct tac_heap_view_pool pool[TAC_HEAP_VIEW_POOLS];
    unsigned pools;
    struct tac_heap_map_cell cell[TAC_HEAP_VIEW_CELLS];
    size_t cell_bytes; /* 0: nothing was ever used */
    struct tac_heap_view_site site[TAC_HEAP_VIEW_SITES];
    unsigned sites;
    uint64_t samples_seen, samples_lost;
    struct tac_program_map *map;
    struct tac_symbols *symbols; /* NULL: no call sites are shown */
};

/* How many heaps the process has, their addresses in ret_address; or a negative code with a
 * sentence in *err. */
TAC_MUST_CHECK int tac_heap_view_find(pid_t pid, uint64_t ret_address[TAC_HEAP_VIEW_HEAPS],
                                      struct tac_error *err);

/* A view of the heap at that address. sample: allocations are sampled, one in so many bytes, while
 * the view is taken again and again; 0: none. NULL when there is no memory. */
struct tac_heap_view *tac_heap_view_new(pid_t pid, int heap, uint64_t address, uint32_t sample);
/* Switches sampling off. NULL is fine. */
void tac_heap_view_free(struct tac_heap_view *view);

/* Look now. 0, or a negative code with *err; -ESRCH: the program has ended. */
TAC_MUST_CHECK int tac_heap_view_take(struct tac_heap_view *view, uint32_t sample,
                                      struct tac_error *err);

void tac_heap_view_text(const struct tac_heap_view *view, struct tac_text *ret_text);
void tac_heap_view_json(const struct tac_heap_view *view, struct tac_text *ret_text);
/* views of all heaps, so that each metric is announced once. */
void tac_heap_view_prometheus(const struct tac_heap_view *const *views, int count,
                              struct tac_text *ret_text);

/* "module, function, file:line" of a call site. Returns buffer. */
const char *tac_heap_view_site_text(const struct tac_heap_view *view, uint64_t site, char *buffer,
                                    size_t size);

#endif
