/* SPDX-License-Identifier: MIT
 * engine.h - plays patches: load, process, set, notes, meters, statistics.
 *
 * The engine owns no audio device and no audio thread: the caller calls tac_engine_process() from
 * whatever callback it has, with whatever number of frames, and may do its own work around it.
 *
 *     struct tac_engine *engine;
 *     struct tac_error err;
 *     if (tac_engine_new(&(struct tac_engine_config){.rate_hz = 48000}, &engine) < 0 ||
 *         tac_engine_load(engine, "patch.yaml", &err) < 0)
 *         ...
 *     in the callback:  tac_engine_process(engine, in, out, frames);
 *
 * Threads   "control" functions may be called from any thread but the audio thread; they lock among
 *           themselves. "events" may come from any thread and never wait. "audio" functions are
 *           called from one thread at a time, and never wait for a control thread. Loading while
 *           the sound runs is an edit: the new plan is built by the caller of load, and the audio
 *           thread takes it over at the edge of a cycle, once what the edit before it changed has
 *           been cross-faded (20 ms of sound). Of edits that wait the newest is taken, and what is
 *           sent to its nodes and sections meanwhile is kept for them until then.
 * Real time audio functions obey the law: no allocation, lock, system call, fault or log.
 * Sameness  the output has the same bits for every length of the process calls (feedback cables and
 *           parameter events included), because the engine cuts time into slices of
 *           TAC_ENGINE_SLICE_FRAMES at fixed places. */
#ifndef TACTUS_ENGINE_H
#define TACTUS_ENGINE_H

#include "tactus/error.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TAC_ENGINE_SLICE_FRAMES 64
#define TAC_ENGINE_CHANNELS_MAX 64
#define TAC_ENGINE_THREADS_MAX 64

struct tac_engine;

struct tac_engine_config {
    double rate_hz;   /* 8 000 .. 768 000; 0: 48 000 */
    uint32_t offline; /* 1: nobody waits for the sound: files are read inside process, complete and
                         repeatable, and no helper thread runs. process is not real-time then */
    uint32_t no_lock; /* 1: do not try to lock memory */
    /* Threads that compute: the caller of process and threads - 1 helpers that the engine starts;
     * 0: 1. Helpers are called only where it is faster, and nothing ever waits for one that does
     * not show up. The sound has the same bits for every number. */
    uint32_t threads;
    /* NULL, or an engine that is called by the same thread: its helpers serve both (threads,
     * priority and always_help are its own), for as long as either of them lives. */
    struct tac_engine *beside;
    int32_t priority; /* SCHED_FIFO of the helpers, 1 .. 99, where permitted; 0: none */
    uint32_t no_shed; /* 1: never give anything up when there is not enough time */
    /* 1: voices go on computing when they cannot be heard any more. Otherwise they stand still
     * until the next note: oscillators and filters go on from where they were. */
    uint32_t no_sleep;
    uint32_t
        always_help; /* 1: call the helpers however little there is to do (tests, benchmarks) */
};

/* What is loaded. Strings belong to the engine and hold until the next load. */
struct tac_engine_info {
    const char *name; /* of the patch */
    double rate_hz, tempo_bpm;
    double length_s;          /* how long the patch says it plays; 0: it does not say */
    uint32_t inputs, outputs; /* channels of process; 0 before the first load */
    uint32_t nodes, banks, cables, voices;
    uint32_t latency_frames; /* by which what comes in is late when it goes out, by the longest way
                                through blocks that look ahead; delays in the patch do not count */
    size_t memory_bytes;     /* plan, buffers, states, streams; what is kept for the next plan */
    uint32_t memory_locked;  /* 1: all of it */
    const char *variant;     /* the widest variant in use: "avx512_16" */
};

/* Counted since tac_engine_new. Each number is exact; together they may be one cycle apart. */
struct tac_engine_stats {
    uint64_t cycles, frames;
    uint64_t notes, notes_dropped, voices_stolen;
    uint64_t events_dropped;    /* parameter changes and notes that found the queue full */
    uint64_t stream_underruns;  /* frames that a sound file could not deliver in time */
    uint64_t plans;             /* plans taken over by the audio thread */
    uint64_t worst_ns, last_ns; /* time inside process: largest since the last reset, latest */
    uint64_t busy_ns;           /* sum */
    uint32_t voices_active;
    uint32_t banks_asleep; /* banks of voices that nobody hears and that are not run */
    /* Helpers, which other engines may share. Degraded: helpers_away > 0, or helping < threads - 1
     * while alone is 0. */
    uint32_t threads, helping; /* as configured; helpers that took part lately */
    uint32_t helpers_away;     /* stopped in the middle of a task, somewhere outside of our power */
    uint32_t alone;            /* 1: helpers are not called at present: it would not be faster */
    uint64_t tasks_given;      /* that helpers computed */
    uint64_t tasks_taken; /* that the audio thread computed because their helper was not there */
    uint64_t tasks_lost;  /* that it computed again because their helper did not finish */
    double answer_ns;     /* from the latest call for helpers until one saw it */
    /* Values that were replaced by 0: fed back at more than +120 dBFS (a loop that gains more than
     * it loses), or no number where they were fed back or would have gone out. */
    uint64_t runaways;
    const char *runaway; /* the node that gave the latest of them, when it is known; else "" */
};

/* Cost of a node, from slices that are timed node by node (one in 64, and some before a step is
 * taken against overload); 0 before two were. */
struct tac_engine_cost {
    const char *node, *block;
    uint32_t lanes;
    double mean_ns, worst_ns; /* per slice of TAC_ENGINE_SLICE_FRAMES */
};

/* A task: nodes, or parts of them, that are computed by one thread in one go. Of slices whose tasks
 * are timed, every other one. */
struct tac_engine_task {
    uint32_t thread;    /* whose it is when helpers take part; 0: the one that calls process */
    double estimate_ns; /* when the plan was made */
    double mean_ns, worst_ns; /* of a slice; mean: of the latest few */
};

/* A thread's share of the work since tac_engine_new; thread 0 is the one that calls process. What
 * helpers have done is of all engines that share them. */
struct tac_engine_thread {
    uint64_t tasks, slices;   /* computed; in which it had a part */
    double mean_ns, worst_ns; /* of a slice, without waiting for other threads */
    double busy_ns;           /* sum: mean_ns times slices */
};

/* When process calls are about to take longer than their frames last, the engine gives up, step by
 * step, what the patch lists under overload:, then what costs most; and takes it back later. Names
 * hold for the life of the engine. */
struct tac_engine_overload {
    uint32_t level;     /* steps in force; 0: all is computed */
    uint64_t steps;     /* taken so far */
    float load;         /* running mean of process time by the time its frames last */
    const char *guilty; /* the node that cost most when the latest step was taken; "" */
    double guilty_ns;   /* what it took in a slice then: mean of a few */
    const char *action; /* of the latest step: "set", "voices", "mute"; "" */
    const char *target; /* its node */
};

/* Level of an output channel. peak: since the last reading; rms: about the last 300 ms; 1 = 0 dBFS.
 */
struct tac_engine_meter {
    float peak, rms;
    uint32_t mended; /* values since the last reading that were no number and went out as 0 */
};

/* Description of a parameter as it is in the patch. Strings hold until the next load. */
struct tac_engine_param {
    const char *node, *name, *doc, *unit; /* unit: "Hz", "dB", ... */
    float min, max, fallback, value;      /* in the unit; a percentage is 0..1 */
    const char *const *choices; /* names of the values of a switch, ends with NULL; or NULL */
};

/* ---- control ------------------------------------------------------------------------------- */

/* -EINVAL: a value of config is out of range; -ENOMEM. config may be NULL. */
TAC_API TAC_MUST_CHECK int tac_engine_new(const struct tac_engine_config *config,
                                          struct tac_engine **ret_engine);

/* Not while process runs. NULL is fine. */
TAC_API void tac_engine_free(struct tac_engine *engine);

/* Read, check and build a patch (docs/patch-format.md). On failure the sound that was loaded goes
 * on unchanged and *err says in one line, with file, line and column, what is wrong. Sound files
 * are looked for relative to the patch's folder. An earlier load that the audio thread has not
 * taken over yet is dropped in favour of this one. An edit may not change the number of channels
 * (-EINVAL). */
TAC_API TAC_MUST_CHECK int tac_engine_load(struct tac_engine *engine, const char *path,
                                           struct tac_error *err);

/* The same for text in memory; name stands in errors for the file, folder is where sound files are
 * looked for (NULL: the current one). */
TAC_API TAC_MUST_CHECK int tac_engine_load_text(struct tac_engine *engine, const char *text,
                                                size_t bytes, const char *name, const char *folder,
                                                struct tac_error *err);

TAC_API void tac_engine_info(struct tac_engine *engine, struct tac_engine_info *ret_info);
TAC_API void tac_engine_stats(struct tac_engine *engine, struct tac_engine_stats *ret_stats);

/* Begin worst_ns anew. */
TAC_API void tac_engine_stats_reset(struct tac_engine *engine);

/* -ENOENT past the last output channel. */
TAC_API int tac_engine_meter(struct tac_engine *engine, uint32_t channel,
                             struct tac_engine_meter *ret_meter);

/* What the blocks that measure (meter) say, a call for each node, channel and measure, in the order
 * of the plan. Not while process runs. Strings hold until the next load. */
struct tac_engine_reading {
    const char *node, *block, *name, *unit; /* name: of the output; unit: "LUFS", "dB" */
    uint32_t channel, channels;             /* of the node, from 0 */
    float value;
};
TAC_API void tac_engine_readings(struct tac_engine *engine,
                                 void (*each)(void *user, const struct tac_engine_reading *reading),
                                 void *user);

/* Cost of node index, in the order of the plan; -ENOENT past the last. */
TAC_API int tac_engine_cost(struct tac_engine *engine, uint32_t index,
                            struct tac_engine_cost *ret_cost);

/* Cost of a task of the plan that was loaded last, and of a thread. -ENOENT past the last. */
TAC_API int tac_engine_task(struct tac_engine *engine, uint32_t index,
                            struct tac_engine_task *ret_task);
TAC_API int tac_engine_thread(struct tac_engine *engine, uint32_t index,
                              struct tac_engine_thread *ret_thread);

TAC_API void tac_engine_overload(struct tac_engine *engine,
                                 struct tac_engine_overload *ret_overload);

/* Look a parameter up: path is "node.param". The id is good for the life of the engine, also while
 * the node is away. -TAC_E_UNKNOWN. */
TAC_API int tac_engine_param_find(struct tac_engine *engine, const char *path, uint32_t *ret_id);

/* Ids count from 0, with gaps: -TAC_E_UNKNOWN for a gap and while the node is not in the patch,
 * -ENOENT past the last. */
TAC_API int tac_engine_param_get(struct tac_engine *engine, uint32_t id,
                                 struct tac_engine_param *ret_param);

/* ---- events: from any thread, the audio thread included; lock-free, real-time ---------------- */

#define TAC_ENGINE_EVERY_SECTION 0xffffffffu

/* Set a parameter, clamped to its range, smoothed unless it is a switch. delay_frames: from the
 * start of the next process call, sample-accurate. -EAGAIN when the queue is full (counted),
 * -EINVAL for what is no number, -ENOENT for an id that was never given. While the node is not in
 * the patch nothing happens. */
TAC_API int tac_engine_param_set(struct tac_engine *engine, uint32_t id, float value,
                                 uint32_t delay_frames);

/* Play a note on a voices section (tac_engine_section_find, or TAC_ENGINE_EVERY_SECTION). velocity
 * 0..1, 0 ends the note of that pitch. delay_frames as above. -EAGAIN, -EINVAL, -ENOENT for an id
 * that was never given. While the section is not in the patch nothing happens; before the first
 * patch is played notes and changes wait in the queue, and count from its first call. */
TAC_API int tac_engine_play_note(struct tac_engine *engine, uint32_t section, float pitch_semitones,
                                 float velocity, uint32_t delay_frames);

/* Control: the id of a voices section, good for the life of the engine. -TAC_E_UNKNOWN. */
TAC_API int tac_engine_section_find(struct tac_engine *engine, const char *name,
                                    uint32_t *ret_section);

/* Control: find and play in one; section NULL: every section. */
TAC_API int tac_engine_note(struct tac_engine *engine, const char *section, float pitch_semitones,
                            float velocity, uint32_t delay_frames);

/* ---- audio --------------------------------------------------------------------------------- */

/* Compute frames (0 or more) of sound. in: info.inputs channels (may be NULL when silent), out:
 * info.outputs channels, each an array of frames floats. What is no number in `in` (NaN,
 * infinities) counts as 0. Before the first load out is not touched. Sets and restores the FTZ/DAZ
 * bits of the calling thread. */
TAC_API void tac_engine_process(struct tac_engine *engine, const float *const *in,
                                float *const *out, uint32_t frames);

/* The same with interleaved frames. in may be NULL. */
TAC_API void tac_engine_process_interleaved(struct tac_engine *engine, const float *in, float *out,
                                            uint32_t frames);

#ifdef __cplusplus
}
#endif
#endif
