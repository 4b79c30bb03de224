/* SPDX-License-Identifier: MIT
 * play.c - `tactus play`: a patch in real time on a backend, until a signal or the end of time. */
#include "base/clock.h"
#include "cli/cmd.h"
#include "cli/notify.h"
#include "cli/play_report.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    O_BACKEND,
    O_DEVICE,
    O_RATE,
    O_BLOCK,
    O_SECONDS,
    O_THREADS,
    O_RECORD,
    O_TRACE,
    O_FLIGHT,
    O_PRIORITY,
    O_CPU,
    O_WATCH,
    O_LIST
};

static void print_device(void *user, const char *device, const char *doc)
{
    printf("  %-10s %-24s %s\n", (const char *)user, device, doc);
}

static int list_backends(void)
{
    for (const struct tac_backend *const *b = tac_backends; *b; b++) {
        printf("%-10s %s\n", (*b)->name, (*b)->doc);
        if ((*b)->list)
            (*b)->list(print_device, (void *)(uintptr_t)(*b)->name);
    }
    return TAC_EXIT_OK;
}

static struct timespec changed(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? st.st_mtim : (struct timespec){0};
}

/* The patch was written again: play the new one, or say why not and go on. */
static void reload(struct tac_player *p, uint32_t index, const char *path, struct timespec *last)
{
    struct timespec now = changed(path);
    if (!now.tv_sec || (now.tv_sec == last->tv_sec && now.tv_nsec == last->tv_nsec))
        return;
    *last = now;
    struct tac_error err = {0};
    char line[TAC_ERROR_FILE_MAX + TAC_ERROR_TEXT_MAX + 64];
    if (tac_engine_load(p->engine[index], path, &err) < 0) {
        fprintf(stderr, "\n%s\n", tac_error_format(&err, line, sizeof line));
        return;
    }
    fprintf(stderr, "\n%s: loaded again\n", path);
}

static void play(struct tac_player *p, const char *const *patch, double seconds, bool watch)
{
    bool terminal = isatty(STDERR_FILENO);
    char line[1024];
    struct tac_play_pace pace = {0};
    struct timespec last[TAC_MIXER_STRIPS_MAX];
    for (uint32_t i = 0; i < p->engines; i++)
        last[i] = changed(patch[i]);
    uint64_t end = tac_clock_ns() + (uint64_t)(seconds * 1e9);
    struct tac_backend_stats stats = {0};
    while (!tac_player_is_interrupted() && !stats.done && (seconds <= 0 || tac_clock_ns() < end)) {
        uint64_t next = tac_clock_ns() + 200000000; // also the sign of life, five a second
        tac_clock_sleep_until(seconds > 0 && next > end ? end : next);
        uint64_t cycles = stats.cycles;
        p->stream->backend->stats(p->stream, &stats);
        // an audio thread that hangs must not look alive; one that has nothing to do is
        bool alive = stats.cycles > cycles || stats.away || stats.idle;
        tac_notify_status(tac_play_status(p, &pace, line, sizeof line), alive);
        if (terminal)
            fprintf(stderr, "\r%s\033[K", line);
        for (uint32_t i = 0; i < p->engines && watch; i++)
            reload(p, i, patch[i], &last[i]);
        if (watch) // also when what an edit takes out has faded
            tac_player_renew(p);
    }
    if (terminal)
        fputc('\n', stderr);
}

/* What was asked for and is not so. */
static void say_differences(const struct tac_player *p, const struct tac_player_config *c)
{
    const struct tac_backend_stream *s = p->stream;
    struct rlimit limit;
    if (c->stream.frames && c->stream.frames != s->frames)
        fprintf(stderr, "tactus play: %s runs with %u frames a cycle, not the %u asked for\n",
                c->backend->name, s->frames, c->stream.frames);
    if (c->stream.rate_hz > 0 && c->stream.rate_hz != s->rate_hz)
        fprintf(stderr, "tactus play: %s runs at %g Hz, not the %g asked for\n", c->backend->name,
                s->rate_hz, c->stream.rate_hz);
    if (s->notice[0])
        fprintf(stderr, "tactus play: %s\n", s->notice);
    if (!c->backend->realtime || p->info.memory_locked || strstr(s->notice, "memory"))
        return;
    bool limited = getrlimit(RLIMIT_MEMLOCK, &limit) < 0 || limit.rlim_cur != RLIM_INFINITY;
    fprintf(stderr, "tactus play: memory is not locked: %s\n",
            limited ? "raise the memlock limit in /etc/security/limits.d"
                    : "the system refuses it, though the user may; a container may not");
}

static int play_patch(const struct tac_player_config *config, double seconds, bool watch)
{
    struct tac_player player;
    struct tac_error err = {0};
    tac_player_catch_signals();
    if (tac_player_open(&player, config, &err) < 0)
        return tac_cmd_fail_error(&err);
    int code = player.stream->backend->start(player.stream, &err);
    if (code >= 0) {
        printf("%s%s: %u nodes, %u voices, %u out, %s, %g Hz, %u frames on %s%s\n",
               player.info.name, player.engines > 1 ? " and others" : "", player.info.nodes,
               player.info.voices, player.info.outputs, player.info.variant, player.stream->rate_hz,
               player.stream->frames, config->backend->name,
               config->backend->realtime && !player.info.memory_locked ? ", memory not locked"
                                                                       : "");
        say_differences(&player, config);
        fflush(stdout);
        tac_notify_ready();
        play(&player, config->patch, seconds, watch);
        tac_notify_stopping();
        player.stream->backend->stop(player.stream);
        tac_play_summary(&player);
    }
    int closed = tac_player_close(&player, code < 0 ? NULL : &err);
    return code < 0 || closed < 0 ? tac_cmd_fail_error(&err) : TAC_EXIT_OK;
}

static int run(const struct tac_cmd_args *args)
{
    double seconds = 0, rate = 0, block = 0, priority = 70, cpu = 0, flight = 0, threads = 1;
    const char *name = args->option[O_BACKEND] ? args->option[O_BACKEND] : "timer";
    if (args->option[O_LIST])
        return list_backends();
    if (!args->count)
        return tac_cmd_fail(TAC_EXIT_USAGE, "which patch? usage: tactus play PATCH... [options]");
    if (!tac_cmd_number("seconds", args->option[O_SECONDS], 0.001, 1e9, &seconds) ||
        !tac_cmd_whole("rate", args->option[O_RATE], 8000, 768000, &rate) ||
        !tac_cmd_whole("block", args->option[O_BLOCK], 1, TAC_BACKEND_FRAMES_MAX, &block) ||
        !tac_cmd_whole("priority", args->option[O_PRIORITY], 0, 99, &priority) ||
        !tac_cmd_whole("cpu", args->option[O_CPU], 0, 1023, &cpu) ||
        !tac_cmd_whole("threads", args->option[O_THREADS], 1, TAC_ENGINE_THREADS_MAX, &threads) ||
        !tac_cmd_whole("flight", args->option[O_FLIGHT], 1, 3600, &flight))
        return TAC_EXIT_USAGE;
    if (args->option[O_FLIGHT] && !args->option[O_TRACE])
        return tac_cmd_fail(TAC_EXIT_USAGE, "--flight needs --trace FILE");
    struct tac_player_config config = {.patch = (const char *const *)args->operand,
                                       .patches = (uint32_t)args->count,
                                       .backend = tac_backend_find(name),
                                       .threads = (uint32_t)threads,
                                       .record = args->option[O_RECORD],
                                       .trace = args->option[O_TRACE],
                                       .flight_s = (uint32_t)flight,
                                       .stream = {.rate_hz = rate,
                                                  .frames = (uint32_t)block,
                                                  .device = args->option[O_DEVICE],
                                                  .priority = priority > 0 ? (int)priority : -1,
                                                  .cpu = args->option[O_CPU] ? (int)cpu + 1 : 0}};
    if (!config.backend)
        return tac_cmd_fail(TAC_EXIT_USAGE,
                            "there is no backend '%s'; tactus play --list shows those built in",
                            name);
    if (!config.backend->realtime && !args->option[O_DEVICE])
        return tac_cmd_fail(TAC_EXIT_USAGE, "the backend %s needs --device FILE", name);
    if (!config.backend->realtime)
        config.stream.frames_end =
            (uint64_t)((seconds > 0 ? seconds : 10) * (rate > 0 ? rate : 48000) + 0.5);
    return play_patch(&config, config.backend->realtime ? seconds : 0,
                      args->option[O_WATCH] != NULL);
}

TAC_CMD(play) = {
    .name = "play",
    .summary = "play a patch in real time",
    .synopsis = "PATCH... [options]",
    .text =
        "Several patches are mixed, each as it is: its first channel to the first that goes out, a "
        "patch of one channel to the middle of the first two.\n\nPlays until it is interrupted "
        "(SIGINT, SIGTERM, SIGHUP) or the seconds are over, then "
        "says how well it went. The audio thread runs under SCHED_FIFO with locked memory where "
        "the system permits it; one line says so when it does not.\n\nOn a terminal a line "
        "shows the load, the longest cycle, late cycles, skipped cycles and xruns, the voices "
        "that sound, the engine's memory and the level, with several threads how busy each is; in "
        "an overload how many steps of what the "
        "patch may give up are in force, the latest of them and the node that cost most. Under a "
        "service manager that asks for it "
        "(Type=notify, WatchdogSec=) the same line is its status.",
    .option =
        {[O_BACKEND] = {"backend", 'B', "NAME", "Where the sound goes; timer when not given."},
         [O_DEVICE] = {"device", 'd', "NAME", "The device of the backend, or the file."},
         [O_RATE] = {"rate", 'r', "HZ",
                     "Frames per second; when not given the device's own, else 48000."},
         [O_BLOCK] = {"block", 'b', "N",
                      "Frames per cycle, 1 to 4096; when not given the device's own, else "
                      "64."},
         [O_SECONDS] = {"seconds", 's', "N", "Stop after so much time."},
         [O_RECORD] = {"record", 'R', "FILE", "Write what is played to a WAV file as well."},
         [O_THREADS] = {"threads", 'j', "N",
                        "Threads that compute, 1 to 64; 1 when not given. Helpers are used only "
                        "where that is faster, and the sound is the same."},
         [O_TRACE] =
             {"trace", 'T', "FILE",
              "Record cycles and zones for tactus doctor; or to a socket, as tac_trace_start "
              "takes them."},
         [O_FLIGHT] = {"flight", 0, "SECONDS",
                       "Of the trace, write only so much around each late cycle; for days."},
         [O_PRIORITY] = {"priority", 'p', "N",
                         "SCHED_FIFO priority of the audio thread, 1 to 99, or 0 for none; 70 "
                         "when not given."},
         [O_CPU] = {"cpu", 0, "N", "The core to play on."},
         [O_WATCH] = {"watch", 'w', NULL,
                      "Load the patch again whenever the file changes; notes and delays go "
                      "on. A patch with a mistake changes nothing."},
         [O_LIST] = {"list", 'l', NULL, "List backends and devices."}},
    .operands_min = 0,
    .operands_max = TAC_MIXER_STRIPS_MAX,
    .run = run,
};
