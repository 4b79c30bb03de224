/* SPDX-License-Identifier: MIT
 * backend.h - where audio comes from and goes to: the contract of a backend.
 *
 * A backend is one file NAME.c and one word in backend/meson.build; it defines
 * TAC_BACKEND(NAME) = { ... }. It calls the process function that it was given, from one thread of
 * its own, once a cycle, and knows nothing about who computes. All backends are found through
 * tac_backends[]; which one is used is chosen at run time.
 *
 * Life: open (negotiates, allocates, touches, locks) -> start -> cycles -> stop -> close.
 * Threads: open, start, stop, close, stats: one control thread. process: the backend's thread.
 * Real time: from start to stop the backend's thread obeys the real-time law around process; a
 * backend that serves a device may enter the kernel to wait for the device, and only for that. */
#ifndef TAC_BACKEND_BACKEND_H
#define TAC_BACKEND_BACKEND_H

#include "tactus/error.h"

#include <stdbool.h>
#include <stdint.h>

#define TAC_BACKEND_CHANNELS_MAX 64
#define TAC_BACKEND_FRAMES_MAX 4096

/* One cycle as process sees it. The arrays are the backend's, 64-byte aligned, and hold for the
 * call only. */
struct tac_cycle {
    uint32_t frames; /* 1 .. TAC_BACKEND_FRAMES_MAX: stream.frames, unless the device changed it */
    uint32_t inputs, outputs;
    const float *const *in; /* [inputs][frames] */
    float *const *out;      /* [outputs][frames], to be filled completely */
    uint64_t index;         /* of the cycle, counts from 0 */
    uint64_t due_ns;        /* CLOCK_MONOTONIC: when the cycle should have begun */
    uint64_t begin_ns;      /* when it did */
    uint64_t deadline_ns;   /* when process must have returned; 0: there is no deadline */
};

typedef void (*tac_cycle_function)(void *user, const struct tac_cycle *cycle);
typedef void (*tac_thread_function)(void *user);

/* The strings must hold until the stream is closed. */
struct tac_backend_config {
    double rate_hz;           /* wanted; see stream.rate_hz for what it became */
    uint32_t frames;          /* per cycle, 1 .. TAC_BACKEND_FRAMES_MAX */
    uint32_t latency_frames;  /* from in to out inside process, for those who align by it */
    uint32_t inputs, outputs; /* channels, 0 .. TAC_BACKEND_CHANNELS_MAX */
    const char *name;         /* what a server shows it as; NULL: tactus */
    const char *device;       /* NULL: the default. alsa: a PCM name; file: the file to write; jack:
                                 a client or pattern of ports, "none"; pipewire: a node */
    const char *capture;      /* NULL: the same device. file: the file to read */
    int priority;        /* SCHED_FIFO priority of the thread; 0: 70; < 0: do not ask for one */
    int cpu;             /* 1 + the core to run on; 0: any */
    uint64_t frames_end; /* file: stop after so many frames; 0: when the input file ends */
    tac_cycle_function process;
    tac_thread_function enter; /* on each thread that will call process, before it does; it may
                                  allocate and wait. NULL: nothing is to be done */
    void *user;
};

/* What a backend tells about itself while it runs; each number is exact, together they may be a
 * cycle apart. */
struct tac_backend_stats {
    uint64_t cycles, frames;
    uint64_t late;          /* cycles that ended after their deadline */
    uint64_t late_begin;    /* of these: begun after the deadline already */
    uint64_t skipped;       /* cycles that were left out because of lateness */
    uint64_t xruns;         /* reported by the device */
    uint64_t worst_late_ns; /* end minus deadline */
    uint64_t worst_wake_ns; /* begin minus due */
    uint64_t worst_busy_ns; /* end minus begin */
    uint64_t busy_ns;       /* sum of end minus begin */
    uint64_t losses;        /* times that the device or server went away */
    bool realtime;          /* the thread runs under SCHED_FIFO */
    bool locked;            /* the process' memory is locked */
    bool away;              /* the device is away now: no cycles, and it is looked for */
    bool idle;              /* it is there, but wants no cycles now (nothing is connected) */
    bool done;              /* the stream has ended by itself: end of file, device lost */
    int error;              /* why, negative; 0: nothing is wrong */
};

struct tac_backend;

/* An open stream. A device or server that goes away is looked for until it is back or the stream
 * is stopped; what was open is opened again as it was. A backend makes it the first member of its
 * own structure. */
struct tac_backend_stream {
    const struct tac_backend *backend;
    double rate_hz; /* what was agreed on */
    uint32_t frames, inputs, outputs;
    char notice[256]; /* one line that the user should know (no real-time permission ...), or "" */
};

struct tac_backend {
    const char *name; /* word on the command line; = file name */
    const char *doc;  /* one sentence */
    bool realtime;    /* false: runs as fast as it can (files) */
    /* Put what the device runs at into rate_hz and frames where these are 0. NULL: it runs at any
     * rate. Called through tac_backend_ask. */
    int (*ask)(struct tac_backend_config *config, struct tac_error *err);
    /* On failure nothing stays open, and err has one line that says what to do. */
    int (*open)(const struct tac_backend_config *config, struct tac_backend_stream **ret_stream,
                struct tac_error *err);
    int (*start)(struct tac_backend_stream *stream, struct tac_error *err);
    /* Returns when process is not running and will not be called again. */
    int (*stop)(struct tac_backend_stream *stream);
    void (*close)(struct tac_backend_stream *stream); /* also stops; NULL is fine */
    void (*stats)(struct tac_backend_stream *stream, struct tac_backend_stats *ret_stats);
    /* config.latency_frames has changed. NULL: nobody aligns by it. */
    void (*relate)(struct tac_backend_stream *stream, uint32_t latency_frames);
    /* Call each for every device; NULL: there is no list. */
    int (*list)(void (*each)(void *user, const char *device, const char *doc), void *user);
};

#define TAC_BACKEND(id)                                                                            \
    extern const struct tac_backend tac_backend_##id;                                              \
    const struct tac_backend tac_backend_##id

/* All backends that were built in, in the order of the word list, NULL-terminated. */
extern const struct tac_backend *const tac_backends[];

/* Fill in rate_hz and frames where they are 0: the device's own, else 48000 and 64. Negative with a
 * line in err when the device cannot be asked. */
int tac_backend_ask(const struct tac_backend *backend, struct tac_backend_config *config,
                    struct tac_error *err);

/* The backend of that name, or NULL. */
const struct tac_backend *tac_backend_find(const char *name);

#endif
