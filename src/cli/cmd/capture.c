/* SPDX-License-Identifier: MIT
 * capture.c - `tactus capture`: a program and the machine under it, in one recording.
 *
 * The program is watched by the preload library (or records by itself), on its own heap. Meanwhile
 * the kernel's account goes to FILE.kernel, because the library makes FILE when the first stream
 * opens; at the end the two rows of chunks become one. */
#include "cli/cmd.h"

#include "capture/kernel.h"
#include "cli/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPT_OUTPUT, OPT_NO_KERNEL };

/* An absolute path, and the place free: the library does not write over a file. */
static int prepare(const char *path, char *full, size_t size)
{
    char folder[PATH_MAX] = "";
    if (path[0] != '/' && !getcwd(folder, sizeof folder))
        return tac_cmd_fail(TAC_EXIT_FAILED, "the current folder: %s", strerror(errno));
    int n = snprintf(full, size, "%s%s%s", folder, folder[0] ? "/" : "", path);
    if (n < 0 || (size_t)n >= size || strpbrk(full, ","))
        return tac_cmd_fail(TAC_EXIT_FAILED, "%s: the path is too long, or holds a comma", path);
    int fd = open(full, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    if (fd < 0)
        return tac_cmd_fail(TAC_EXIT_FAILED, "%s: cannot be written: %s", path, strerror(errno));
    close(fd);
    unlink(full);
    return 0;
}

/* Append the second file to the first and remove it. 0 or -errno. */
static int join(const char *path, const char *more)
{
    static char buffer[1 << 16];
    int from = open(more, O_RDONLY | O_CLOEXEC);
    int to = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    int error = from < 0 || to < 0 ? -errno : 0;
    ssize_t n = 0;
    while (!error && (n = read(from, buffer, sizeof buffer)) > 0)
        if (write(to, buffer, (size_t)n) != n)
            error = errno ? -errno : -ENOSPC;
    error = n < 0 ? -errno : error;
    if (from >= 0)
        close(from);
    if (to >= 0)
        close(to);
    if (!error)
        unlink(more);
    return error;
}

static int finish(const char *full, const char *extra, struct tac_kernel *kernel, int status)
{
    struct tac_kernel_stats stats = {0};
    int error = tac_kernel_stop(kernel, &stats);
    if (access(full, R_OK)) {
        unlink(extra);
        return tac_cmd_fail(
            TAC_EXIT_FAILED,
            "nothing was recorded: the program opened no audio stream that is known "
            "(JACK, ALSA, PipeWire, PortAudio) and did not record by itself");
    }
    error = error || !kernel ? error : join(full, extra);
    if (error)
        return tac_cmd_fail(TAC_EXIT_FAILED, "%s: kernel events: %s", extra,
                            tac_error_sentence(error));
    fprintf(stderr, "tactus capture: recorded to %s, %" PRIu64 " kernel events, %" PRIu64 " lost\n",
            full, stats.events, stats.lost);
    return status;
}

static int run(const struct tac_cmd_args *args)
{
    char full[PATH_MAX], extra[PATH_MAX + 8], watch[PATH_MAX + 64];
    struct tac_error err = {0};
    struct tac_kernel *kernel = NULL;
    if (!args->option[OPT_OUTPUT])
        return tac_cmd_fail(TAC_EXIT_USAGE, "say where to: -o FILE");
    if (prepare(args->option[OPT_OUTPUT], full, sizeof full))
        return TAC_EXIT_FAILED;
    snprintf(extra, sizeof extra, "%s.kernel", full);
    snprintf(watch, sizeof watch, "TACTUS_WATCH=heap=system,record=%s", full);
    unlink(extra);
    if (!args->option[OPT_NO_KERNEL] &&
        tac_kernel_start(&(struct tac_kernel_config){.path = extra}, &err, &kernel) < 0) {
        fprintf(stderr, "tactus capture: %s\n", err.text);
        unlink(extra);
    }
    const char *const env[] = {watch, NULL};
    struct tac_launch launch = {
        .argv = (const char *const *)args->operand, .preload = TAC_PRELOAD_WATCH, .env = env};
    int status = 0;
    if (tac_launch_run(&launch, &status, &err) < 0) {
        (void)!tac_kernel_stop(kernel, NULL);
        unlink(extra);
        return tac_cmd_fail_error(&err);
    }
    return finish(full, extra, kernel, status);
}

TAC_CMD(capture) = {
    .name = "capture",
    .summary = "record a program, and what the machine did meanwhile",
    .synopsis = "-o FILE [--] PROGRAM [ARGUMENT...]",
    .text =
        "Runs a program on its own heap, watches its audio streams as tactus run --record does, "
        "and, as root, records beside it which thread ran on which core, who woke whom, "
        "interrupts, memory reclaim and more. With that, tactus doctor can name who pre-empted "
        "an audio thread. Without privilege it says so and records what is left.\n\n"
        "The private tracefs instance that it uses is removed at the end, even when it is "
        "killed.",
    .exits = "The program's own status, or 128 + the signal that ended it; 2 wrong usage; 3 it "
             "could not be done, one line on standard error says why.",
    .option = {{"output", 'o', "FILE", "The recording to write."},
               {"no-kernel", 0, NULL, "Leave the kernel's account out."}},
    .operands_min = 1,
    .operands_max = -1,
    .options_first = 1,
    .run = run,
};
