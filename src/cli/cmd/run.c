/* SPDX-License-Identifier: MIT
 * run.c - `tactus run -- PROGRAM ...`: any program on the Tactus heap, or watched and recorded. */
#include "cli/cmd.h"

#include "cli/launch.h"
#include "cli/preloadable.h"

#include <errno.h>
#include <fcntl.h>
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

/* An absolute path for the recording, whose place is made free: the library in the program refuses
 * to write over a file, since programs start others that record too. */
static int prepare_recording(const char *path, char *full, size_t size)
{
    char folder[PATH_MAX] = "";
    if (path[0] != '/' && !getcwd(folder, sizeof folder))
        return tac_cmd_fail(TAC_EXIT_FAILED, "the current folder: %s", strerror(errno));
    int n = snprintf(full, size, "%s%s%s", folder, folder[0] ? "/" : "", path);
    if (n < 0 || (size_t)n >= size)
        return tac_cmd_fail(TAC_EXIT_FAILED, "%s: the path is too long", path);
    int fd = open(full, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    if (fd < 0)
        return tac_cmd_fail(TAC_EXIT_FAILED, "%s: cannot be written: %s", path, strerror(errno));
    close(fd);
    unlink(full);
    return 0;
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

static int report_recording(const char *path)
{
    if (!access(path, R_OK)) {
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
    char full[PATH_MAX] = "";
    if (!tactus && strcmp(heap, "system") != 0)
        return tac_cmd_fail(TAC_EXIT_USAGE, "--heap: '%s' is neither tactus nor system", heap);
    if (args->option[OPTION_DEBUG] && (record || !tactus))
        return tac_cmd_fail(TAC_EXIT_USAGE, "--debug goes with neither --record nor --heap system");
    if (tac_preloadable_check(args->operand[0], &err) < 0)
        return tac_cmd_fail_error(&err);
    if (record && prepare_recording(record, full, sizeof full))
        return TAC_EXIT_FAILED;
    if (tactus)
        set_heap(args, &s);
    if (record) {
        snprintf(s.watch, sizeof s.watch, "TACTUS_WATCH=heap=%s,record=%s", heap, full);
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
    int status;
    if (tac_launch_run(&launch, &status, &err) < 0)
        return tac_cmd_fail_error(&err);
    int code = record ? report_recording(full) : TAC_EXIT_OK;
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
