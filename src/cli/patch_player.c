/* SPDX-License-Identifier: MIT
 * patch_player.c - engine, backend and recording, opened and closed together; see patch_player.h.
 */
#include "cli/patch_player.h"

#include "cli/clashes.h"
#include "tactus/cycle.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile sig_atomic_t interrupted;

static void on_signal(int signal)
{
    interrupted = signal;
}

void tac_player_catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART: sleeps end */
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], &action, NULL);
}

int tac_player_is_interrupted(void)
{
    return interrupted;
}

void tac_player_process(void *user, const struct tac_cycle *cycle)
{
    struct tac_player *p = user;
    if (p->cycles >= 0 && !p->registered) {
        p->registered = true; // the first cycle; nothing is heard yet
        tac_thread_register("audio", 0);
    }
    tac_cycle_begin(p->cycles, cycle->deadline_ns, cycle->frames);
    tac_engine_process(p->engine, cycle->in, cycle->out, cycle->frames);
    if (p->record)
        tac_wav_writer_push(p->record, (const float *const *)cycle->out, cycle->frames);
    tac_cycle_end(p->cycles);
}

/* Cycles of the timer are known to nobody else; those of a device or a server are seen by the watch
 * library, and are marked here only when the recording is ours. */
static int mark_cycles(struct tac_player *p, const struct tac_player_config *c,
                       struct tac_error *err)
{
    bool watched = getenv("TACTUS_WATCH") && !strcmp(c->backend->name, "timer");
    if (!c->trace && !watched)
        return 0;
    double period_ns = (double)p->stream->frames * 1e9 / p->stream->rate_hz;
    p->cycles = tac_cycle_source_open(p->info.name, (uint64_t)period_ns);
    if (!c->trace)
        return 0;
    char patch[512], backend[64];
    snprintf(patch, sizeof patch, "patch=%s", c->patch);
    snprintf(backend, sizeof backend, "config.backend=%s", c->backend->name);
    const char *const meta[] = {"program=tactus play", patch, backend, NULL};
    struct tac_trace_config trace = {.path = c->trace,
                                     .evidence = TAC_EVIDENCE_PERF | TAC_EVIDENCE_CLOCK,
                                     .flight_s = c->flight_s,
                                     .meta = meta};
    int code = tac_trace_start(&trace);
    p->traces = code >= 0;
    return code < 0 ? tac_error_set(err, code, c->trace, 0, 0, "cannot be recorded: %s",
                                    tac_error_sentence(code))
                    : 0;
}

static int open_parts(struct tac_player *p, const struct tac_player_config *c,
                      struct tac_backend_config stream, struct tac_error *err)
{
    int code = tac_engine_load(p->engine, c->patch, err);
    if (code < 0)
        return code;
    tac_engine_info(p->engine, &p->info);
    stream.inputs = p->info.inputs;
    stream.outputs = p->info.outputs;
    stream.latency_frames = p->info.latency_frames;
    stream.name = p->info.name;
    stream.process = tac_player_process;
    stream.user = p;
    if (c->record)
        code = tac_wav_writer_open(c->record, stream.rate_hz, stream.outputs, &p->record, err);
    if (code >= 0)
        code = c->backend->open(&stream, &p->stream, err);
    return code < 0 ? code : mark_cycles(p, c, err);
}

/* Helpers run just below the audio thread, so that it is never they who keep it from its core. */
static int helper_priority(const struct tac_backend_config *stream)
{
    int audio = stream->priority > 0 ? stream->priority : 70;
    return stream->priority < 0 ? 0 : audio > 1 ? audio - 1 : 1;
}

int tac_player_open(struct tac_player *p, const struct tac_player_config *c, struct tac_error *err)
{
    struct tac_backend_config stream = c->stream;
    *p = (struct tac_player){
        .cycles = -1, .file = c->backend->realtime ? NULL : c->stream.device, .trace = c->trace};
    int code = tac_clashes_refuse(c, err);
    if (code >= 0)
        code = tac_backend_ask(c->backend, &stream, err);
    if (code < 0)
        return code;
    struct tac_engine_config engine = {.rate_hz = stream.rate_hz,
                                       .threads = c->threads,
                                       .priority = helper_priority(&stream),
                                       .offline = !c->backend->realtime,
                                       .no_lock = !c->backend->realtime};
    code = tac_engine_new(&engine, &p->engine);
    if (code < 0)
        return tac_error_set(err, code, NULL, 0, 0, "the engine cannot start: %s",
                             tac_error_sentence(code));
    code = open_parts(p, c, stream, err);
    if (code < 0)
        tac_player_close(p, NULL);
    return code;
}

int tac_player_close(struct tac_player *p, struct tac_error *err)
{
    int code = 0;
    if (p->stream) {
        code = p->stream->backend->stop(p->stream);
        if (code < 0)
            tac_error_set(err, code, p->file, 0, 0,
                          p->file ? "writing stopped: %s; what was written is kept"
                                  : "the sound stopped: %s",
                          tac_error_sentence(code));
        p->stream->backend->close(p->stream);
    }
    int recorded = tac_wav_writer_close(p->record, code < 0 ? NULL : err);
    code = code < 0 ? code : recorded;
    int traced = p->traces ? tac_trace_stop() : 0;
    if (traced < 0 && code >= 0)
        code = tac_error_set(err, traced, p->trace, 0, 0,
                             "the trace stopped: %s; what was written is kept",
                             tac_error_sentence(traced));
    tac_engine_free(p->engine);
    *p = (struct tac_player){.cycles = -1};
    return code;
}
