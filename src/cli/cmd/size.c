/* SPDX-License-Identifier: MIT
 * size.c - `tactus size -- PROGRAM`: which arena and which pools would have sufficed for a run.
 *
 * The program counts into a file (mem/sizing.h); what is read from it is taken for possibly wrong,
 * since the program may have crashed while it wrote. */
#include "cli/cmd.h"

#include "base/text.h"
#include "cli/launch.h"
#include "cli/preloadable.h"
#include "cli/program_map.h"
#include "mem/sizing.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { OPTION_MARGIN, OPTION_VERIFY, OPTION_JSON };
enum { SITES_SHOWN = 15 };

#define MIB ((uint64_t)1 << 20)
#define POOL_ALLOCATIONS_MIN 100 /* what is allocated less often is not worth a pool */

struct advice {
    const struct tac_sizing *run;
    double margin; /* 1.25: a quarter more */
    uint64_t arena_mib, threads;
    const struct tac_sizing_site *site[TAC_SIZING_SITES]; /* good for pools, the best first */
    unsigned sites;
    struct tac_program_map *map;
    struct tac_symbols *symbols;
};

static uint64_t with_margin(const struct advice *a, uint64_t n)
{
    return (uint64_t)((double)n * a->margin) + 1;
}

static int by_allocations(const void *x, const void *y)
{
    const struct tac_sizing_site *a = *(const struct tac_sizing_site *const *)x;
    const struct tac_sizing_site *b = *(const struct tac_sizing_site *const *)y;
    return (a->allocations < b->allocations) - (a->allocations > b->allocations);
}

/* Objects of one size from one place, allocated again and again. */
static void choose_sites(struct advice *a)
{
    for (unsigned i = 0; i < TAC_SIZING_SITES; i++) {
        const struct tac_sizing_site *s = &a->run->site[i];
        if (s->key && tac_sizing_bytes(s) && s->allocations >= POOL_ALLOCATIONS_MIN &&
            s->allocations >= 2 * s->live_peak)
            a->site[a->sites++] = s;
    }
    qsort(a->site, a->sites, sizeof *a->site, by_allocations);
}

static void open_symbols(struct advice *a)
{
    size_t bytes = a->run->maps_bytes < TAC_SIZING_MAPS ? a->run->maps_bytes : 0;
    FILE *maps = bytes ? fmemopen((void *)(uintptr_t)a->run->maps, bytes, "r") : NULL;
    a->map = maps ? tac_program_map_new(maps) : NULL;
    if (maps)
        fclose(maps);
    if (a->map && tac_symbols_open(&a->map->capture, NULL, &a->symbols))
        a->symbols = NULL;
}

/* The arena must hold the pages of the peak, a whole piece of the largest block's length, and what
 * is before the first multiple of an alignment and between the next ones. */
static void advise(struct advice *a)
{
    const struct tac_sizing *run = a->run;
    uint64_t most = run->taken_peak_bytes + run->largest_bytes / 2;
    most += run->alignment_bytes + run->gap_peak_bytes;
    a->arena_mib = (uint64_t)((double)most * a->margin) / MIB + 1;
    a->arena_mib = a->arena_mib < 4 ? 4 : a->arena_mib;
    a->threads = with_margin(a, a->run->threads_peak);
    choose_sites(a);
    open_symbols(a);
}

static const char *place(const struct advice *a, uint64_t site, char *buffer, size_t size)
{
    if (a->symbols)
        return tac_symbol_text(tac_symbols_find(a->symbols, site, TAC_SYMBOL_RETURN), buffer, size);
    snprintf(buffer, size, "0x%llx", (unsigned long long)site);
    return buffer;
}

/* ---- text ---- */

static void print_pools(const struct advice *a)
{
    const struct tac_sizing *run = a->run;
    unsigned n = run->pools < TAC_SIZING_POOLS ? run->pools : TAC_SIZING_POOLS;
    if (n)
        printf("\nPools of the program:\n");
    for (unsigned i = 0; i < n; i++) {
        const struct tac_sizing_pool *p = &run->pool[i];
        bool short_of = p->failures || p->steals;
        printf("  %-24.31s %u objects, at most %u in use: ", p->name, p->count, p->used_peak);
        if (short_of)
            printf("too few, %llu times\n", (unsigned long long)(p->failures + p->steals));
        else
            printf("%llu would do\n", (unsigned long long)with_margin(a, p->used_peak));
    }
}

static void print_sites(const struct advice *a)
{
    char text[200], size[16];
    if (!a->sites)
        return;
    printf("\nObjects of one size that come and go, and the pools that would serve them:\n"
           "  %10s %8s %8s %12s  %s\n",
           "object", "at once", "count", "allocations", "where");
    for (unsigned i = 0; i < a->sites && i < SITES_SHOWN; i++) {
        const struct tac_sizing_site *s = a->site[i];
        printf("  %10s %8llu %8llu %12llu  %s\n",
               tac_text_bytes((double)tac_sizing_bytes(s), size, sizeof size),
               (unsigned long long)s->live_peak, (unsigned long long)with_margin(a, s->live_peak),
               (unsigned long long)s->allocations,
               place(a, tac_sizing_address(s), text, sizeof text));
    }
    if (a->sites > SITES_SHOWN)
        printf("  and %u more\n", a->sites - SITES_SHOWN);
}

static void print_text(const struct advice *a)
{
    const struct tac_sizing *run = a->run;
    char peak[16], largest[16];
    printf("Arena: TACTUS_HEAP=size=%lluM would have sufficed, with %.0f %% margin.\n"
           "  at most %s of pages in use, largest block %s, %llu threads at once\n",
           (unsigned long long)a->arena_mib, (a->margin - 1) * 100,
           tac_text_bytes((double)run->taken_peak_bytes, peak, sizeof peak),
           tac_text_bytes((double)run->largest_bytes, largest, sizeof largest),
           (unsigned long long)run->threads_peak);
    if (!run->ended)
        printf("  The program did not come to its end: this is what it had used until then.\n");
    if (run->sites_lost)
        printf("  %llu allocations were not counted by place, for there were too many places.\n",
               (unsigned long long)run->sites_lost);
    print_pools(a);
    print_sites(a);
}

/* ---- JSON ---- */

static void add_number(struct tac_text *t, const char *key, uint64_t value)
{
    tac_text_addf(t, "\"%s\": %llu, ", key, (unsigned long long)value);
}

static void print_json(const struct advice *a)
{
    const struct tac_sizing *run = a->run;
    struct tac_text t = {0};
    char text[200];
    unsigned pools = run->pools < TAC_SIZING_POOLS ? run->pools : TAC_SIZING_POOLS;
    tac_text_add(&t, "{\"format\": \"tactus-size-1\",\n  ");
    add_number(&t, "arena_bytes", a->arena_mib * MIB);
    add_number(&t, "taken_peak_bytes", run->taken_peak_bytes);
    add_number(&t, "largest_bytes", run->largest_bytes);
    add_number(&t, "threads", a->threads);
    add_number(&t, "threads_peak", run->threads_peak);
    tac_text_addf(&t, "\"ended\": %s,\n  \"pools\": [", run->ended ? "true" : "false");
    for (unsigned i = 0; i < pools; i++) {
        char name[TAC_SIZING_NAME];
        snprintf(name, sizeof name, "%.31s", run->pool[i].name);
        tac_text_addf(&t, "%s\n    {", i ? "," : "");
        add_number(&t, "object_bytes", run->pool[i].object_bytes);
        add_number(&t, "count", run->pool[i].count);
        add_number(&t, "used_peak", run->pool[i].used_peak);
        add_number(&t, "failures", run->pool[i].failures + run->pool[i].steals);
        add_number(&t, "advised", with_margin(a, run->pool[i].used_peak));
        tac_text_add(&t, "\"name\": ");
        tac_text_add_json(&t, name);
        tac_text_add(&t, "}");
    }
    tac_text_add(&t, "],\n  \"sites\": [");
    for (unsigned i = 0; i < a->sites; i++) {
        const struct tac_sizing_site *s = a->site[i];
        tac_text_addf(&t, "%s\n    {", i ? "," : "");
        add_number(&t, "object_bytes", tac_sizing_bytes(s));
        add_number(&t, "live_peak", s->live_peak);
        add_number(&t, "advised", with_margin(a, s->live_peak));
        add_number(&t, "allocations", s->allocations);
        tac_text_add(&t, "\"place\": ");
        tac_text_add_json(&t, place(a, tac_sizing_address(s), text, sizeof text));
        tac_text_add(&t, "}");
    }
    tac_text_add(&t, "]}\n");
    tac_text_write(&t, stdout);
    tac_text_fini(&t);
}

/* ---- the run ---- */

/* Run with the given heap; the record is mapped, or NULL and a line has been printed. */
static const struct tac_sizing *record_run(const struct tac_cmd_args *args, const char *heap,
                                           int *ret_status)
{
    char path[] = "/tmp/tactus-size-XXXXXX", variable[64], setting[128];
    int fd = mkstemp(path);
    if (fd < 0) {
        tac_cmd_fail(0, "/tmp: no file can be made: %s", strerror(errno));
        return NULL;
    }
    snprintf(variable, sizeof variable, "TACTUS_HEAP_RECORD=%s", path);
    snprintf(setting, sizeof setting, "TACTUS_HEAP=%s", heap);
    const char *const env[] = {variable, setting, NULL};
    struct tac_launch launch = {.argv = (const char *const *)args->operand,
                                .preload = TAC_PRELOAD_MEM,
                                .env = env,
                                .stdout_fd = STDERR_FILENO};
    struct tac_error err = {0};
    int r = tac_launch_run(&launch, ret_status, &err);
    unlink(path);
    off_t length = lseek(fd, 0, SEEK_END);
    const struct tac_sizing *run = MAP_FAILED;
    if (r < 0)
        tac_cmd_fail_error(&err);
    else if (length == (off_t)sizeof *run)
        run = mmap(NULL, sizeof *run, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (r >= 0 && (run == MAP_FAILED || memcmp(run->magic, TAC_SIZING_MAGIC, sizeof run->magic))) {
        tac_cmd_fail(0, "%s: allocated nothing, so there is nothing to say", args->operand[0]);
        return NULL;
    }
    return run == MAP_FAILED ? NULL : run;
}

static int verify(const struct tac_cmd_args *args, const struct advice *a)
{
    char heap[64];
    int status;
    snprintf(heap, sizeof heap, "size=%lluM,lock=no,threads=%llu", (unsigned long long)a->arena_mib,
             (unsigned long long)(a->threads > 4096 ? 4096 : a->threads));
    const struct tac_sizing *run = record_run(args, heap, &status);
    if (!run)
        return TAC_EXIT_FAILED;
    unsigned long long refused = run->failures;
    if (!refused && run->ended) {
        fprintf(stderr, "tactus size: verified: with %s no call was refused\n", heap);
        return TAC_EXIT_OK;
    }
    return tac_cmd_fail(TAC_EXIT_FOUND, "with %s %s", heap,
                        refused ? "calls were refused: this run needed more"
                                : "the program did not come to its end");
}

static int run(const struct tac_cmd_args *args)
{
    static struct advice advice;
    struct tac_error err = {0};
    double margin = 25;
    int status;
    if (!tac_cmd_number("margin", args->option[OPTION_MARGIN], 0, 1000, &margin))
        return TAC_EXIT_USAGE;
    if (tac_preloadable_check(args->operand[0], &err) < 0)
        return tac_cmd_fail_error(&err);
    advice.margin = 1 + margin / 100;
    advice.run = record_run(args, "", &status);
    if (!advice.run)
        return TAC_EXIT_FAILED;
    if (status)
        fprintf(stderr, "tactus size: the program ended with status %d\n", status);
    advise(&advice);
    if (args->option[OPTION_JSON])
        print_json(&advice);
    else
        print_text(&advice);
    fflush(stdout);
    int code = args->option[OPTION_VERIFY] ? verify(args, &advice) : TAC_EXIT_OK;
    tac_symbols_close(advice.symbols);
    tac_program_map_free(advice.map);
    return code;
}

TAC_CMD(size) = {
    .name = "size",
    .summary = "which arena and pools would suffice for a program",
    .synopsis = "[options] [--] PROGRAM [ARGUMENT...]",
    .text = "Runs a program on the Tactus heap, counts what it allocates, and says at the end how "
            "large an arena would have sufficed, with a margin, and which places allocate objects "
            "of one size again and again, so that a pool (tactus/pool.h) would serve them. Pools "
            "that the "
            "program has are judged too. What the program prints goes to standard error.\n\n"
            "Give it the hardest run that you can: a heap with a fixed size does not grow. "
            "--verify runs the program once more with the advised arena.",
    .exits = "0 the advice was given; 1 with --verify: the advised arena did not suffice; 2 wrong "
             "usage; 3 the program could not be run.",
    .option =
        {
            [OPTION_MARGIN] = {"margin", 'm', "PERCENT", "On top of what was used (default 25)."},
            [OPTION_VERIFY] = {"verify", 0, NULL, "Run again with the advised arena."},
            [OPTION_JSON] = {"json", 0, NULL, "The advice as JSON."},
        },
    .operands_min = 1,
    .operands_max = -1,
    .options_first = 1,
    .run = run,
};
