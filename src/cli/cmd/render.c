/* SPDX-License-Identifier: MIT
 * render.c - `tactus render`: a patch into a sound file, faster than real time. */
#include "base/clock.h"
#include "base/text.h"
#include "cli/cmd.h"
#include "cli/patch_player.h"
#include "cli/readings.h"
#include "graph/graph.h"

#include <stdio.h>
#include <unistd.h>

enum { O_OUTPUT, O_INPUT, O_SECONDS, O_RATE, O_BLOCK, O_QUIET };

static void print_bar(uint64_t done, uint64_t all)
{
    enum { WIDTH = 40 };
    int filled = all ? (int)(done * WIDTH / all) : 0;
    filled = filled > WIDTH ? WIDTH : filled;
    fprintf(stderr, "\r[%.*s%.*s] %3d %%", filled, "########################################",
            WIDTH - filled, "........................................",
            all ? (int)(done * 100 / all) : 0);
}

/* Until the file is complete or somebody interrupts. */
static struct tac_backend_stats wait_for_end(struct tac_player *p, uint64_t frames, bool bar)
{
    struct tac_backend_stats stats;
    for (;;) {
        p->stream->backend->stats(p->stream, &stats);
        if (bar)
            print_bar(stats.frames, frames);
        if (stats.done || tac_player_is_interrupted())
            break;
        tac_clock_sleep_until(tac_clock_ns() + (bar ? 50000000 : 2000000));
    }
    if (bar)
        fprintf(stderr, "\r%*s\r", 52, "");
    return stats;
}

static int render(struct tac_player *p, const char *output, uint64_t frames, bool quiet,
                  struct tac_error *err)
{
    uint64_t begin = tac_clock_ns();
    int code = p->stream->backend->start(p->stream, err);
    if (code < 0)
        return code;
    wait_for_end(p, frames, !quiet && isatty(STDERR_FILENO));
    p->stream->backend->stop(p->stream);
    struct tac_backend_stats stats;
    p->stream->backend->stats(p->stream, &stats);
    double wall_s = (double)(tac_clock_ns() - begin) / 1e9;
    double sound_s = (double)stats.frames / p->stream->rate_hz;
    if (!quiet && stats.frames)
        printf("%s: %.2f s of sound, %u channels, in %.2f s: %.1f times as fast as real time\n",
               output, sound_s, p->stream->outputs, wall_s, sound_s / wall_s);
    if (!quiet)
        tac_readings_print(p);
    return tac_player_is_interrupted() ? 1 : 0;
}

/* The longest of the lengths that the patches name; known before they are loaded. */
static int find_length(const struct tac_player_config *config, double *ret_seconds,
                       struct tac_error *err)
{
    double longest = 0;
    for (uint32_t i = 0; i < config->patches; i++) {
        struct tac_graph *graph;
        int code = tac_graph_open(config->patch[i], &graph, err);
        if (code < 0)
            return code;
        longest = graph->length_s > longest ? graph->length_s : longest;
        tac_graph_free(graph);
    }
    *ret_seconds = longest > 0 ? longest : 10;
    return 0;
}

static int run(const struct tac_cmd_args *args)
{
    double seconds = 0, rate = 48000, block = 256;
    if (!args->option[O_OUTPUT])
        return tac_cmd_fail(TAC_EXIT_USAGE, "say where the sound goes: -o FILE");
    if (!tac_cmd_number("seconds", args->option[O_SECONDS], 0.001, 864000, &seconds) ||
        !tac_cmd_whole("rate", args->option[O_RATE], 8000, 768000, &rate) ||
        !tac_cmd_whole("block", args->option[O_BLOCK], 1, TAC_BACKEND_FRAMES_MAX, &block))
        return TAC_EXIT_USAGE;
    struct tac_player_config config = {.patch = (const char *const *)args->operand,
                                       .patches = (uint32_t)args->count,
                                       .backend = tac_backend_find("file"),
                                       .stream = {.rate_hz = rate,
                                                  .frames = (uint32_t)block,
                                                  .device = args->option[O_OUTPUT],
                                                  .capture = args->option[O_INPUT]}};
    struct tac_error err = {0};
    struct tac_player player;
    if (seconds <= 0 && find_length(&config, &seconds, &err) < 0)
        return tac_cmd_fail_error(&err);
    config.stream.frames_end = (uint64_t)(seconds * config.stream.rate_hz + 0.5);
    tac_player_catch_signals();
    if (tac_player_open(&player, &config, &err) < 0)
        return tac_cmd_fail_error(&err);
    if (player.info.inputs && !args->option[O_INPUT])
        fprintf(stderr,
                "tactus render: the patch takes in %u channels, which are silent without -i FILE\n",
                player.info.inputs);
    int code = render(&player, args->option[O_OUTPUT], config.stream.frames_end,
                      args->option[O_QUIET] != NULL, &err);
    int closed = tac_player_close(&player, &err);
    if (code < 0 || closed < 0)
        return tac_cmd_fail_error(&err);
    if (code > 0)
        return tac_cmd_fail(TAC_EXIT_FAILED, "interrupted; %s holds what was done so far",
                            args->option[O_OUTPUT]);
    return TAC_EXIT_OK;
}

TAC_CMD(render) = {
    .name = "render",
    .summary = "play a patch into a sound file, faster than real time",
    .synopsis = "PATCH... -o FILE [options]",
    .text =
        "Computes the patch as `tactus play` would, but waits for nobody, and writes the sound "
        "to FILE: .wav (32-bit float), .flac, .aiff, .caf or .ogg. The same patch gives the "
        "same bits each time, whatever the block size. Several patches are mixed as `tactus play` "
        "does, for the longest of their lengths.\n\nOn a terminal a bar shows how far "
        "it is. When it is interrupted or the disk is full, what was computed so far is kept "
        "and the file is whole.\n\nWhat the meters in the patch read in the end is printed.",
    .option = {[O_OUTPUT] = {"output", 'o', "FILE", "The sound file to write."},
               [O_INPUT] = {"input", 'i', "FILE",
                            "A sound file for the channels that the patch takes in, with the same "
                            "number of channels and the same rate."},
               [O_SECONDS] = {"seconds", 's', "N",
                              "How much sound; otherwise the length that the patch names, else 10 "
                              "s."},
               [O_RATE] = {"rate", 'r', "HZ", "Frames per second; 48000 when not given."},
               [O_BLOCK] = {"block", 'b', "N", "Frames per cycle, 1 to 4096; 256 when not given."},
               [O_QUIET] = {"quiet", 'q', NULL, "Print nothing but errors."}},
    .operands_min = 1,
    .operands_max = TAC_MIXER_STRIPS_MAX,
    .run = run,
};
