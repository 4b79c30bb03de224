/* SPDX-License-Identifier: MIT
 * patch_player.c - engine, backend and recording, opened and closed together; see patch_player.h.
 */
#include "cli/patch_player.h"

#include "cli/clashes.h"
#include "tactus/cycle.h"

#include <errno.h>
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
    signal(SIGPIPE, SIG_IGN); /* who reads the words or a pipe may go: the sound goes on */
}

int tac_player_is_interrupted(void)
{
    return interrupted;
}

/* The audio thread, before its first cycle. */
static void enter(void *user)
{
    struct tac_player *p = user;
    if (p->cycles >= 0)
        tac_thread_register("audio", 0);
}

void tac_player_process(void *user, const struct tac_cycle *cycle)
{
    struct tac_player *p = user;
    tac_cycle_begin(p->cycles, cycle->deadline_ns, cycle->frames);
    if (p->mixer)
        tac_mixer_process(p->mixer, cycle->in, cycle->out, cycle->frames);
    else
        tac_engine_process(p->engine[0], cycle->in, cycle->out, cycle->frames);
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
    p->cycles = tac_cycle_source_open(p->name, (uint64_t)period_ns);
    if (!c->trace)
        return 0;
    char patch[512], backend[64];
    snprintf(patch, sizeof patch, "patch=%s", c->patch[0]);
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

/* What the first is, with what all of them need. */
static void add_info(struct tac_engine_info *sum, const struct tac_engine_info *info)
{
    sum->inputs = info->inputs > sum->inputs ? info->inputs : sum->inputs;
    sum->outputs = info->outputs > sum->outputs ? info->outputs : sum->outputs;
    sum->length_s = info->length_s > sum->length_s ? info->length_s : sum->length_s;
    if (info->latency_frames > sum->latency_frames)
        sum->latency_frames = info->latency_frames;
    sum->nodes += info->nodes;
    sum->banks += info->banks;
    sum->cables += info->cables;
    sum->voices += info->voices;
    sum->memory_bytes += info->memory_bytes;
    sum->memory_locked = sum->memory_locked && info->memory_locked;
}

static void read_infos(struct tac_player *p)
{
    tac_engine_info(p->engine[0], &p->info);
    for (uint32_t i = 1; i < p->engines; i++) {
        struct tac_engine_info info;
        tac_engine_info(p->engine[i], &info);
        add_info(&p->info, &info);
    }
}

static int load_patches(struct tac_player *p, const struct tac_player_config *c,
                        struct tac_error *err)
{
    int code = 0;
    for (uint32_t i = 0; i < p->engines && code >= 0; i++)
        code = tac_engine_load(p->engine[i], c->patch[i], err);
    if (code < 0)
        return code;
    read_infos(p);
    p->name = strdup(p->info.name);
    return p->name ? 0 : tac_error_set(err, -ENOMEM, NULL, 0, 0, "out of memory");
}

void tac_player_renew(struct tac_player *p)
{
    uint32_t before = p->info.latency_frames;
    read_infos(p);
    if (p->info.latency_frames != before && p->stream->backend->relate)
        p->stream->backend->relate(p->stream, p->info.latency_frames);
}

static int open_mixer(struct tac_player *p, const struct tac_player_config *c,
                      struct tac_error *err)
{
    struct tac_mixer_config config = {.rate_hz = p->info.rate_hz,
                                      .inputs = p->info.inputs,
                                      .outputs = p->info.outputs,
                                      .no_lock = !c->backend->realtime};
    int code = p->engines > 1 ? tac_mixer_new(&config, &p->mixer) : 0;
    for (uint32_t i = 0, strip; p->mixer && i < p->engines && code >= 0; i++)
        code = tac_mixer_add(p->mixer, p->engine[i], &strip);
    return code < 0 ? tac_error_set(err, code, NULL, 0, 0, "the patches cannot be mixed: %s",
                                    tac_error_sentence(code))
                    : 0;
}

static int open_parts(struct tac_player *p, const struct tac_player_config *c,
                      struct tac_backend_config stream, struct tac_error *err)
{
    int code = load_patches(p, c, err);
    if (code >= 0)
        code = open_mixer(p, c, err);
    if (code < 0)
        return code;
    stream.inputs = p->info.inputs;
    stream.outputs = p->info.outputs;
    stream.latency_frames = p->info.latency_frames;
    stream.name = p->name;
    stream.process = tac_player_process;
    stream.enter = enter;
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
    for (; p->engines < c->patches && code >= 0; p->engines += code >= 0) {
        code = tac_engine_new(&engine, &p->engine[p->engines]);
        engine.beside = p->engine[0];
    }
    if (code < 0)
        tac_error_set(err, code, NULL, 0, 0, "the engine cannot start: %s",
                      tac_error_sentence(code));
    else
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
        const char *left = p->stream->notice[0] ? p->stream->notice : "what was written is kept";
        if (code < 0)
            tac_error_set(err, code, p->file, 0, 0, "%s stopped: %s%s%s",
                          p->file ? "writing" : "the sound", tac_error_sentence(code),
                          p->file ? "; " : "", p->file ? left : "");
        p->stream->backend->close(p->stream);
    }
    int recorded = tac_wav_writer_close(p->record, code < 0 ? NULL : err);
    code = code < 0 ? code : recorded;
    int traced = p->traces ? tac_trace_stop() : 0;
    if (traced < 0 && code >= 0)
        code = tac_error_set(err, traced, p->trace, 0, 0,
                             "the trace stopped: %s; what was written is kept",
                             tac_error_sentence(traced));
    tac_mixer_free(p->mixer);
    for (uint32_t i = 0; i < p->engines; i++)
        tac_engine_free(p->engine[i]);
    free(p->name);
    *p = (struct tac_player){.cycles = -1};
    return code;
}

static void add_stats(struct tac_engine_stats *sum, const struct tac_engine_stats *s)
{
    sum->notes += s->notes;
    sum->notes_dropped += s->notes_dropped;
    sum->voices_stolen += s->voices_stolen;
    sum->voices_active += s->voices_active;
    sum->events_dropped += s->events_dropped;
    sum->stream_underruns += s->stream_underruns;
    sum->plans += s->plans;
    sum->busy_ns += s->busy_ns;
    sum->alone = sum->alone && s->alone; /* the helpers are the same ones */
    sum->tasks_taken += s->tasks_taken;
    sum->banks_asleep += s->banks_asleep;
    if (s->runaways > sum->runaways)
        sum->runaway = s->runaway;
    sum->runaways += s->runaways;
    sum->worst_ns = s->worst_ns > sum->worst_ns ? s->worst_ns : sum->worst_ns;
}

void tac_player_stats(struct tac_player *p, struct tac_engine_stats *ret_stats)
{
    struct tac_engine_stats one;
    tac_engine_stats(p->engine[0], ret_stats);
    for (uint32_t i = 1; i < p->engines; i++) {
        tac_engine_stats(p->engine[i], &one);
        add_stats(ret_stats, &one);
    }
}

/* Of the patch that has given up most. */
void tac_player_overload(struct tac_player *p, struct tac_engine_overload *ret_overload)
{
    struct tac_engine_overload one;
    tac_engine_overload(p->engine[0], ret_overload);
    for (uint32_t i = 1; i < p->engines; i++) {
        tac_engine_overload(p->engine[i], &one);
        if (one.level > ret_overload->level ||
            (one.level == ret_overload->level && one.steps > ret_overload->steps))
            *ret_overload = one;
    }
}

float tac_player_peak(struct tac_player *p)
{
    struct tac_engine_meter m;
    float peak = 0;
    for (uint32_t c = 0; c < p->info.outputs; c++) {
        int code = p->mixer ? tac_mixer_meter(p->mixer, TAC_MIXER_MIX, c, &m)
                            : tac_engine_meter(p->engine[0], c, &m);
        peak = code >= 0 && m.peak > peak ? m.peak : peak;
    }
    return peak;
}
