/* SPDX-License-Identifier: MIT
 * backend_cycle.h - what every backend does alike: channel buffers, the thread, counting of cycles.
 *
 * Threads: open, close, spawn: control. run: the backend's thread, real-time. */
#ifndef TAC_BACKEND_BACKEND_CYCLE_H
#define TAC_BACKEND_BACKEND_CYCLE_H

#include "backend/backend.h"
#include "base/region.h"

#include <pthread.h>
#include <stdatomic.h>

/* Counted by the backend's thread, read by any. */
struct tac_cycle_counts {
    _Atomic uint64_t cycles, frames, late, late_begin, skipped, xruns;
    _Atomic uint64_t losses;
    _Atomic uint64_t worst_late_ns, worst_wake_ns, worst_busy_ns, busy_ns;
};

struct tac_cycle_runner {
    uint32_t frames_max;                       /* of a call of process */
    struct tac_region region;                  /* the channel buffers, locked where permitted */
    const float *in[TAC_BACKEND_CHANNELS_MAX]; /* the same memory as in_data */
    float *in_data[TAC_BACKEND_CHANNELS_MAX], *out[TAC_BACKEND_CHANNELS_MAX];
    uint32_t inputs, outputs;
    uint64_t index;
    tac_cycle_function process;
    tac_thread_function enter;
    void *user;
    struct tac_cycle_counts counts;
};

/* Check the ranges of a configuration; one line when they are not kept. */
int tac_cycle_check(const struct tac_backend_config *config, struct tac_error *err);

int tac_cycle_open(struct tac_cycle_runner *runner, const struct tac_backend_config *config,
                   struct tac_error *err);
void tac_cycle_close(struct tac_cycle_runner *runner);

/* Call process once and count. deadline_ns 0: none. Returns the time at the end. */
uint64_t tac_cycle_run(struct tac_cycle_runner *runner, uint32_t frames, uint64_t due_ns,
                       uint64_t deadline_ns);

/* The same for a device that hands over its own buffers, of any number of frames: in and out have
 * an array for each channel of the runner, NULL where a channel is not there now. The runner must
 * have been opened for config.frames or more. */
void tac_cycle_run_on(struct tac_cycle_runner *runner, const float *const *in, float *const *out,
                      uint32_t frames, uint64_t due_ns, uint64_t deadline_ns);

void tac_cycle_stats(const struct tac_cycle_runner *runner, struct tac_backend_stats *ret_stats);

/* Start a thread with a stack that is touched and SCHED_FIFO where permitted. *ret_realtime says
 * whether it was. notice gets a line when it was not (size as in tac_backend_stream). */
int tac_cycle_spawn(const struct tac_backend_config *config, const char *name, void *(*run)(void *),
                    void *user, pthread_t *ret_thread, bool *ret_realtime, char notice[256],
                    struct tac_error *err);

/* Lock the process' memory; later mappings too where no limit would then refuse them. False: not
 * permitted. */
bool tac_cycle_lock_process(void);

/* First of all on the thread that will run cycles: touch its stack, so that no later depth of it
 * faults, and let the client prepare (config.enter). */
void tac_cycle_enter(struct tac_cycle_runner *runner);

#endif
