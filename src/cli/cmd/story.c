/* SPDX-License-Identifier: MIT
 * story.c - `tactus story`: one run of the founding story; `tactus demo` makes
 * two of them.
 *
 * A patch plays in real time on the timer backend inside the imitated framework
 * (cli/framework.h), the recorder runs with the evidence that the doctor needs,
 * and what is heard goes to a WAV file. Which heap serves the process is not
 * known here: that is decided from outside, by what was preloaded. Prints "key
 * value" lines, which demo reads. */
#include "cli/cmd.h"

#include "backend/backend.h"
#include "base/clock.h"
#include "cli/framework.h"
#include "engine/wav_writer.h"
#include "tactus/cycle.h"
#include "tactus/engine.h"
#include "tactus/trace.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_SECONDS, OPT_MESSAGES, OPT_FRAMES, OPT_RATE, OPT_WAV, OPT_RECORD, OPT_LABEL };

/* How often the program plots its memory. */
enum { PLOT_NS = 10000000 };

struct story {
    double seconds, messages, frames, rate_hz;
    const char *wav_path, *record_path, *label;
    struct tac_framework framework;
    struct tac_engine *engine;
    struct tac_wav_writer *writer;
    int source;
    uint64_t checksum;
};

static volatile sig_atomic_t stop_asked;

static void ask_stop(int signal)
{
    (void)signal;
    stop_asked = 1;
}

/* Audio thread, before its first cycle. */
static void enter(void *user)
{
    (void)user;
    tac_thread_register("audio", 1u << 16);
}

/* Audio thread. */
static void process(void *user, const struct tac_cycle *cycle)
{
    struct story *story = user;
    tac_cycle_begin(story->source, cycle->deadline_ns, cycle->frames);
    tac_framework_post(&story->framework);
    {
        TAC_ZONE("engine: process");
        tac_engine_process(story->engine, cycle->in, cycle->out, cycle->frames);
    }
    story->checksum += tac_framework_deliver(&story->framework);
    {
        TAC_ZONE("wav: push");
        tac_wav_writer_push(story->writer, (const float *const *)cycle->out, cycle->frames);
    }
    tac_cycle_end(story->source);
}

static int start_recorder(const struct story *story, const char *patch)
{
    char program[] = "program=tactus story", run[256], patch_line[512], framework[512], text[400];
    snprintf(run, sizeof run, "run=%s", story->label);
    snprintf(patch_line, sizeof patch_line, "patch=%s", patch);
    snprintf(framework, sizeof framework, "config.framework=%s",
             tac_framework_describe(&story->framework, text, sizeof text));
    const char *meta[] = {program, run, patch_line, framework, NULL};
    struct tac_trace_config config = {
        .path = story->record_path,
        .evidence = TAC_EVIDENCE_PERF | TAC_EVIDENCE_CLOCK,
        .meta = meta,
    };
    return tac_trace_start(&config);
}

static int play(struct story *story, const struct tac_engine_info *info)
{
    const struct tac_backend *timer = tac_backend_find("timer");
    struct tac_backend_config config = {
        .rate_hz = story->rate_hz,
        .frames = (uint32_t)story->frames,
        .inputs = info->inputs,
        .outputs = info->outputs,
        .process = process,
        .enter = enter,
        .user = story,
    };
    struct tac_backend_stream *stream;
    struct tac_error err;
    int r = timer->open(&config, &stream, &err);
    if (r < 0)
        return tac_cmd_fail_error(&err);
    r = timer->start(stream, &err);
    if (r < 0) {
        timer->close(stream);
        return tac_cmd_fail_error(&err);
    }
    if (stream->notice[0])
        printf("notice %s\n", stream->notice);
    uint64_t end = tac_clock_ns() + (uint64_t)(story->seconds * 1e9);
    while (!stop_asked && tac_clock_ns() < end) {
        TAC_PLOT("memory in use", "B",
                 (double)atomic_load_explicit(&story->framework.live_bytes, memory_order_relaxed));
        tac_clock_sleep_until(tac_clock_ns() + PLOT_NS);
    }
    timer->stop(stream);
    struct tac_backend_stats stats;
    timer->stats(stream, &stats);
    printf("cycles %llu\nlate %llu\nworst_late_ns %llu\nrealtime %d\nlocked %d\n",
           (unsigned long long)stats.cycles, (unsigned long long)stats.late,
           (unsigned long long)stats.worst_late_ns, stats.realtime, stats.locked);
    timer->close(stream);
    return TAC_EXIT_OK;
}

static int run_story(struct story *story, const char *patch)
{
    struct tac_error err;
    struct tac_engine_config config = {.rate_hz = story->rate_hz};
    tac_thread_register("main", 0);
    int r = tac_engine_new(&config, &story->engine);
    if (r < 0)
        return tac_cmd_fail(TAC_EXIT_FAILED, "the engine cannot start: %s", tac_error_sentence(r));
    r = tac_engine_load(story->engine, patch, &err);
    if (r < 0)
        return tac_cmd_fail_error(&err);
    struct tac_engine_info info;
    tac_engine_info(story->engine, &info);
    r = tac_wav_writer_open(story->wav_path, info.rate_hz, info.outputs, &story->writer, &err);
    if (r < 0)
        return tac_cmd_fail_error(&err);
    r = tac_framework_start(&story->framework, (uint32_t)story->messages, 1);
    if (r < 0)
        return tac_cmd_fail(TAC_EXIT_FAILED, "the loader cannot start: %s", tac_error_sentence(r));
    story->source = tac_cycle_source_open("timer", (uint64_t)(story->frames / info.rate_hz * 1e9));
    r = start_recorder(story, patch);
    if (r < 0)
        return tac_cmd_fail(TAC_EXIT_FAILED, "%s: %s", story->record_path, tac_error_sentence(r));
    int code = play(story, &info);
    tac_framework_stop(&story->framework);
    r = tac_trace_stop();
    if (r < 0)
        code = tac_cmd_fail(TAC_EXIT_FAILED, "%s: %s", story->record_path, tac_error_sentence(r));
    return code;
}

static int run(const struct tac_cmd_args *args)
{
    static struct story story;
    story = (struct story){.seconds = 8, .messages = 400, .frames = 64, .rate_hz = 48000};
    if (!tac_cmd_number("seconds", args->option[OPT_SECONDS], 0.1, 86400, &story.seconds) ||
        !tac_cmd_whole("messages", args->option[OPT_MESSAGES], 0, TAC_FRAMEWORK_MESSAGES_MAX,
                       &story.messages) ||
        !tac_cmd_whole("frames", args->option[OPT_FRAMES], 1, TAC_BACKEND_FRAMES_MAX,
                       &story.frames) ||
        !tac_cmd_whole("rate", args->option[OPT_RATE], 8000, 192000, &story.rate_hz))
        return TAC_EXIT_USAGE;
    story.wav_path = args->option[OPT_WAV] ? args->option[OPT_WAV] : "story.wav";
    story.record_path = args->option[OPT_RECORD] ? args->option[OPT_RECORD] : "story.tac";
    story.label = args->option[OPT_LABEL] ? args->option[OPT_LABEL] : "story";
    signal(SIGINT, ask_stop);
    signal(SIGTERM, ask_stop);
    int code = run_story(&story, args->operand[0]);
    struct tac_error err;
    if (story.writer && tac_wav_writer_close(story.writer, &err) < 0)
        code = tac_cmd_fail_error(&err);
    tac_engine_free(story.engine);
    return code;
}

TAC_CMD(story) = {
    .name = "story",
    .summary = "one run of the demo: a patch inside an allocating framework",
    .synopsis = "PATCH [options]",
    .text = "Plays PATCH in real time on the timer backend while the program "
            "around it allocates as "
            "a certain kind of framework does, and records what happens. "
            "tactus demo runs it twice, "
            "on two heaps.",
    .option =
        {
            [OPT_SECONDS] = {"seconds", 's', "N", "How long to play (8)."},
            [OPT_MESSAGES] = {"messages", 'm', "N", "Allocations in each callback (400)."},
            [OPT_FRAMES] = {"frames", 'b', "N", "Frames per cycle (64)."},
            [OPT_RATE] = {"rate", 'r', "HZ", "Sample rate (48000)."},
            [OPT_WAV] = {"wav", 'w', "FILE", "Where the sound goes (story.wav)."},
            [OPT_RECORD] = {"record", 0, "FILE", "Where the recording goes (story.tac)."},
            [OPT_LABEL] = {"label", 0, "TEXT", "What reports call this run."},
        },
    .operands_min = 1,
    .operands_max = 1,
    .hidden = 1,
    .run = run,
};
