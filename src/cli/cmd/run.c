/* SPDX-License-Identifier: MIT
 * run.c - `tactus run -- PROGRAM ...`: any program on the Tactus heap, or watched and recorded. */
#include "cli/cmd.h"

#include "cli/launch.h"
#include "cli/preloadable.h"
#include "cli/recording_file.h"
#include "tactus/mem.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPTION_HEAP, OPTION_SIZE, OPTION_STATS, OPTION_DEBUG, OPTION_RECORD, OPTION_QUIET };

/* The environment of the program; the strings live here. */
struct setting {
    char heap[512];
    char watch[PATH_MAX + 64];
    const char *line[3];
};

/* The heap's own parser judges it here, so that no program is started on another arena. */
static bool size_is_good(const char *size)
{
    struct tac_heap_config config = {0};
    char word[128];
    int n = snprintf(word, sizeof word, "size=%s", size ? size : "1M");
    if (n < (int)sizeof word && tac_heap_config_parse(&config, word, NULL) == 0)
        return true;
    tac_cmd_fail(
        0, "--size: '%s' is not a size: write bytes, or a number with K, M or G, 1M to 64G", size);
    return false;
}

static void add(struct setting *s, const char *text)
{
    int n = 0;
    while (s->line[n])
        n++;
    s->line[n] = text;
}

static void set_heap(const struct tac_cmd_args *args, struct setting *s)
{
    const char *before = getenv("TACTUS_HEAP"), *size = args->option[OPTION_SIZE];
    const char *stats = args->option[OPTION_STATS]   ? "stats=full"
                        : args->option[OPTION_QUIET] ? "stats=no"
                                                     : "stats=exit";
    snprintf(s->heap, sizeof s->heap, "TACTUS_HEAP=%s%s%s%s%s%s", before ? before : "",
             before && *before ? "," : "", size ? "size=" : "", size ? size : "", size ? "," : "",
             stats);
    add(s, s->heap);
}

static int report_recording(const char *path, bool recorded)
{
    if (recorded) {
        fprintf(stderr, "tactus: recorded to %s; tactus doctor %s reads it\n", path, path);
        return TAC_EXIT_OK;
    }
    return tac_cmd_fail(TAC_EXIT_FAILED,
                        "nothing was recorded: the program opened no audio stream that is known "
                        "(JACK, ALSA, PipeWire, PortAudio) and registered no thread");
}

static int run(const struct tac_cmd_args *args)
{
    const char *heap = args->option[OPTION_HEAP] ? args->option[OPTION_HEAP] : "tactus";
    const char *record = args->option[OPTION_RECORD];
    bool tactus = !strcmp(heap, "tactus");
    struct tac_error err = {0};
    struct setting s = {.heap = ""};
    struct tac_recording_file file;
    if (!tactus && strcmp(heap, "system") != 0)
        return tac_cmd_fail(TAC_EXIT_USAGE, "--heap: '%s' is neither tactus nor system", heap);
    if (!size_is_good(args->option[OPTION_SIZE]))
        return TAC_EXIT_USAGE;
    if (!tactus && (args->option[OPTION_SIZE] || args->option[OPTION_STATS]))
        return tac_cmd_fail(TAC_EXIT_USAGE, "--size and --stats are for --heap tactus");
    if (args->option[OPTION_DEBUG] && (record || !tactus))
        return tac_cmd_fail(TAC_EXIT_USAGE, "--debug goes with neither --record nor --heap system");
    if (tac_preloadable_check(args->operand[0], &err) < 0)
        return tac_cmd_fail_error(&err);
    if (record && tac_recording_file_prepare(&file, record, &err) < 0)
        return tac_cmd_fail_error(&err);
    if (tactus)
        set_heap(args, &s);
    if (record) {
        snprintf(s.watch, sizeof s.watch, "TACTUS_WATCH=heap=%s,record=%s", heap, file.path);
        add(&s, s.watch);
    }
    struct tac_launch launch = {
        .argv = (const char *const *)args->operand,
        .preload = record                       ? TAC_PRELOAD_WATCH
                   : args->option[OPTION_DEBUG] ? TAC_PRELOAD_MEM_DEBUG
                   : tactus                     ? TAC_PRELOAD_MEM
                                                : TAC_PRELOAD_NONE,
        .env = s.line,
    };
    int status, launched = tac_launch_run(&launch, &status, &err);
    bool recorded = record && !access(file.path, R_OK);
    if (record)
        tac_recording_file_settle(&file, recorded);
    if (launched < 0)
        return tac_cmd_fail_error(&err);
    int code = record ? report_recording(file.path, recorded) : TAC_EXIT_OK;
    return status ? status : code;
}

TAC_CMD(run) = {
    .name = "run",
    .summary = "run any program on the Tactus heap",
    .synopsis = "[options] [--] PROGRAM [ARGUMENT...]",
    .text = "Runs an unmodified, dynamically linked program with malloc, free and the C++ "
            "operators answered by Tactus' real-time heap, and prints the heap's statistics on "
            "standard error when it ends. Other processes that the program starts have the same "
            "heap each.\n\n"
            "With --record the program is watched as well: the callbacks and writes of JACK, "
            "ALSA, PipeWire and PortAudio become cycles with deadlines, and what happens in them "
            "(memory, locks, files, sleeps) is recorded with the way to it. tactus doctor reads "
            "the recording.\n\n"
            "TACTUS_HEAP in the environment tunes the heap further, for example\n\n"
            "  TACTUS_HEAP=lock=yes tactus run --size 256M -- ardour7",
    .exits = "That of the program; 128 + N when signal N ended it. 2 wrong usage; 3 the program "
             "could not be started, or nothing was recorded.",
    .option =
        {
            [OPTION_HEAP] = {"heap", 0, "tactus|system",
                             "Who answers malloc. system is for comparison (default tactus)."},
            [OPTION_SIZE] = {"size", 0, "BYTES",
                             "Take so much memory at the start and fill it (K, M, G); without it "
                             "the heap grows on use."},
            [OPTION_RECORD] = {"record", 'o', "FILE",
                               "Watch the program and record it; the recording of a further "
                               "process of the program goes to FILE.PID."},
            [OPTION_STATS] = {"stats", 0, NULL,
                              "Statistics in full at the end: sizes of blocks, threads, pools."},
            [OPTION_DEBUG] = {"debug", 0, NULL,
                              "The checked heap: writes outside of blocks and to freed ones, "
                              "double frees end the program with the call sites; lost blocks are "
                              "listed at the end."},
            [OPTION_QUIET] = {"quiet", 'q', NULL, "No statistics at the end."},
        },
    .operands_min = 1,
    .operands_max = -1,
    .options_first = 1,
    .run = run,
};
