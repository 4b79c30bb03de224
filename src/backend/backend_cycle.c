/* SPDX-License-Identifier: MIT
 * backend_cycle.c - channel buffers, real-time threads and the counting of cycles; see
 * backend_cycle.h. */
#include "backend/backend_cycle.h"

#include "base/bits.h"
#include "base/clock.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

enum { STACK_BYTES = 2 << 20, STACK_TOUCH_BYTES = 1 << 18, PRIORITY = 70 };

int tac_cycle_check(const struct tac_backend_config *c, struct tac_error *err)
{
    if (!(c->rate_hz >= 8000 && c->rate_hz <= 768000))
        return tac_error_set(err, -TAC_E_RANGE, NULL, 0, 0,
                             "the rate goes from 8000 to 768000 Hz, not %g", c->rate_hz);
    if (c->frames < 1 || c->frames > TAC_BACKEND_FRAMES_MAX)
        return tac_error_set(err, -TAC_E_RANGE, NULL, 0, 0, "a block has 1 to %d frames, not %u",
                             TAC_BACKEND_FRAMES_MAX, c->frames);
    if (c->inputs > TAC_BACKEND_CHANNELS_MAX || c->outputs > TAC_BACKEND_CHANNELS_MAX)
        return tac_error_set(err, -TAC_E_RANGE, NULL, 0, 0, "at most %d channels each way",
                             TAC_BACKEND_CHANNELS_MAX);
    return 0;
}

int tac_cycle_open(struct tac_cycle_runner *r, const struct tac_backend_config *c,
                   struct tac_error *err)
{
    size_t bytes = tac_align_up(c->frames * sizeof(float), 64);
    int code = tac_cycle_check(c, err);
    if (code < 0)
        return code;
    code = tac_region_open((c->inputs + c->outputs + 1) * bytes, TAC_REGION_TRY_LOCK, &r->region);
    if (code < 0)
        return tac_error_set(err, code, NULL, 0, 0, "no memory for the channels");
    unsigned char *at = r->region.base;
    for (uint32_t i = 0; i < c->inputs; i++, at += bytes)
        r->in[i] = r->in_data[i] = (float *)(void *)at;
    for (uint32_t i = 0; i < c->outputs; i++, at += bytes)
        r->out[i] = (float *)(void *)at;
    r->frames_max = c->frames;
    r->inputs = c->inputs;
    r->outputs = c->outputs;
    r->process = c->process;
    r->enter = c->enter;
    r->user = c->user;
    return 0;
}

void tac_cycle_close(struct tac_cycle_runner *r)
{
    tac_region_close(&r->region);
}

static void raise_to(_Atomic uint64_t *worst, uint64_t value)
{
    if (value > atomic_load_explicit(worst, memory_order_relaxed))
        atomic_store_explicit(worst, value, memory_order_relaxed);
}

static void add(_Atomic uint64_t *count, uint64_t n)
{
    atomic_fetch_add_explicit(count, n, memory_order_relaxed);
}

uint64_t tac_cycle_run(struct tac_cycle_runner *r, uint32_t frames, uint64_t due_ns,
                       uint64_t deadline_ns)
{
    struct tac_cycle cycle = {.frames = frames,
                              .inputs = r->inputs,
                              .outputs = r->outputs,
                              .in = r->in,
                              .out = r->out,
                              .index = r->index++,
                              .due_ns = due_ns,
                              .begin_ns = tac_clock_ns(),
                              .deadline_ns = deadline_ns};
    r->process(r->user, &cycle);
    uint64_t end = tac_clock_ns();
    if (due_ns && cycle.begin_ns > due_ns)
        raise_to(&r->counts.worst_wake_ns, cycle.begin_ns - due_ns);
    raise_to(&r->counts.worst_busy_ns, end - cycle.begin_ns);
    add(&r->counts.busy_ns, end - cycle.begin_ns);
    if (deadline_ns && end > deadline_ns) {
        add(&r->counts.late, 1);
        add(&r->counts.late_begin, cycle.begin_ns > deadline_ns);
        raise_to(&r->counts.worst_late_ns, end - deadline_ns);
    }
    add(&r->counts.frames, frames);
    add(&r->counts.cycles, 1);
    return end;
}

static void copy_in(struct tac_cycle_runner *r, const float *const *in, uint32_t at, uint32_t n)
{
    for (uint32_t c = 0; c < r->inputs; c++)
        if (in[c])
            memcpy(r->in_data[c], in[c] + at, n * sizeof(float));
        else
            memset(r->in_data[c], 0, n * sizeof(float));
}

static void copy_out(struct tac_cycle_runner *r, float *const *out, uint32_t at, uint32_t n)
{
    for (uint32_t c = 0; c < r->outputs; c++)
        if (out[c])
            memcpy(out[c] + at, r->out[c], n * sizeof(float));
}

void tac_cycle_run_on(struct tac_cycle_runner *r, const float *const *in, float *const *out,
                      uint32_t frames, uint64_t due_ns, uint64_t deadline_ns)
{
    for (uint32_t at = 0, n; at < frames; at += n) {
        n = frames - at < r->frames_max ? frames - at : r->frames_max;
        copy_in(r, in, at, n);
        tac_cycle_run(r, n, due_ns, deadline_ns);
        copy_out(r, out, at, n);
    }
}

void tac_cycle_stats(const struct tac_cycle_runner *r, struct tac_backend_stats *s)
{
    const struct tac_cycle_counts *c = &r->counts;
    s->cycles = atomic_load_explicit(&c->cycles, memory_order_relaxed);
    s->frames = atomic_load_explicit(&c->frames, memory_order_relaxed);
    s->late = atomic_load_explicit(&c->late, memory_order_relaxed);
    s->late_begin = atomic_load_explicit(&c->late_begin, memory_order_relaxed);
    s->skipped = atomic_load_explicit(&c->skipped, memory_order_relaxed);
    s->xruns = atomic_load_explicit(&c->xruns, memory_order_relaxed);
    s->losses = atomic_load_explicit(&c->losses, memory_order_relaxed);
    s->worst_late_ns = atomic_load_explicit(&c->worst_late_ns, memory_order_relaxed);
    s->worst_wake_ns = atomic_load_explicit(&c->worst_wake_ns, memory_order_relaxed);
    s->worst_busy_ns = atomic_load_explicit(&c->worst_busy_ns, memory_order_relaxed);
    s->busy_ns = atomic_load_explicit(&c->busy_ns, memory_order_relaxed);
}

static void touch_stack(void)
{
    unsigned char stack[STACK_TOUCH_BYTES];
    tac_region_touch(stack, sizeof stack);
}

void tac_cycle_enter(struct tac_cycle_runner *r)
{
    touch_stack();
    if (r->enter)
        r->enter(r->user);
}

static int spawn(const struct tac_backend_config *c, void *(*run)(void *), void *user,
                 bool realtime, pthread_t *ret_thread)
{
    pthread_attr_t attr;
    int code = pthread_attr_init(&attr);
    if (code)
        return code;
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    if (realtime) {
        struct sched_param param = {.sched_priority = c->priority > 0 ? c->priority : PRIORITY};
        pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
        pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
        code = pthread_attr_setschedparam(&attr, &param);
    }
    if (!code && c->cpu > 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((unsigned)c->cpu - 1, &set);
        code = pthread_attr_setaffinity_np(&attr, sizeof set, &set);
    }
    if (!code)
        code = pthread_create(ret_thread, &attr, run, user);
    pthread_attr_destroy(&attr);
    return code;
}

int tac_cycle_spawn(const struct tac_backend_config *c, const char *name, void *(*run)(void *),
                    void *user, pthread_t *ret_thread, bool *ret_realtime, char notice[256],
                    struct tac_error *err)
{
    int refused = c->priority < 0 ? -1 : spawn(c, run, user, true, ret_thread);
    *ret_realtime = refused == 0;
    int code = refused ? spawn(c, run, user, false, ret_thread) : 0;
    if (code == EINVAL && c->cpu > 0)
        return tac_error_set(err, -code, NULL, 0, 0,
                             "there is no core %d to play on; nproc says how many there are, the "
                             "first is 0",
                             c->cpu - 1);
    if (code)
        return tac_error_set(err, -code, NULL, 0, 0, "the audio thread cannot be started: %s",
                             strerror(code));
    pthread_setname_np(*ret_thread, name);
    if (refused > 0)
        snprintf(notice, 256,
                 "no real-time priority (%s): expect late cycles; give the user an rtprio limit of "
                 "%d in /etc/security/limits.d",
                 strerror(refused), c->priority > 0 ? c->priority : PRIORITY);
    return 0;
}

bool tac_cycle_lock_process(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        return mlockall(MCL_CURRENT) == 0;
    return mlockall(MCL_CURRENT | MCL_FUTURE) == 0;
}
