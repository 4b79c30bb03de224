/* SPDX-License-Identifier: MIT
 * halt.h - halts a helper of an engine at a chosen instruction of a slice, for tests.
 *
 * How it works: the processor's trap flag raises SIGTRAP after each instruction. The thread that
 * calls halt_process() steps until the number of the slice has been published and what the helper's
 * next task reads from is done, and waits there; from then on the helper is stepped and stays at
 * the chosen instruction, until halt_release(). Before that, the calling thread steps on only while
 * the helper waits for it. So where it is stopped does not depend on the scheduler.
 *
 * halt_in_task: the helper halts in a task, the chosen instruction or some behind it. halt_early:
 * so it does, and goes on as soon as that has been taken from it, before the calling thread has
 * read the copies that it left; and has done what it does before that one goes on.
 *
 * One engine with two threads at a time. x86-64 only, not under an emulator, valgrind or
 * ThreadSanitizer (which delays signals): halt_supported() says so. Cost: 1 to 30 us a step. */
#ifndef TAC_TESTS_HALT_H
#define TAC_TESTS_HALT_H

#include "engine/crew.h"
#include "engine/internal.h"
#include "test.h"

#include <limits.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

enum halt_state {
    HALT_OFF,
    HALT_ARMED,    /* the helper steps and waits for the slice */
    HALT_COUNTING, /* it is in the slice */
    HALT_HALTED,   /* it stays where it is */
    HALT_GONE_ON,  /* and was released */
    HALT_THROUGH,  /* it got through the slice before it was to halt */
};

static struct {
    struct tac_crew *crew;
    uint64_t before; /* number of the slice before */
    long at, count;
    bool waited; /* the calling thread did, in the slice: it had called the helper */
    const struct tac_task *task; /* in which the helper has halted, or NULL */
    _Atomic int state, released;
    _Atomic pid_t helper;
} halt;

/* Called once while the other thread waits in the slice, or NULL. */
static void (*halt_meanwhile)(void);

static bool halt_early, halt_in_task;

static void halt_nap(void)
{
    nanosleep(&(struct timespec){0, 20000}, NULL);
}

#if defined(__x86_64__)
enum { HALT_TRAP_FLAG = 0x100 };

static pid_t halt_tid(void)
{
    return (pid_t)syscall(SYS_gettid);
}

static void halt_wait_for(enum halt_state least)
{
    while (atomic_load(&halt.state) < (int)least)
        halt_nap();
}

static bool halt_is_done(const struct tac_task *task, uint64_t slice)
{
    return atomic_load(&task->word) >= tac_task_word(slice, TAC_TASK_AUDIO_DONE);
}

/* The helper needs the calling thread: there is no slice yet, or it is between two tasks and the
 * next reads from one of that thread's that is not done. */
static bool halt_is_stuck(void)
{
    const struct tac_plan *plan = atomic_load(&halt.crew->plan);
    uint64_t slice = atomic_load(&halt.crew->go);
    if (slice == halt.before)
        return true;
    const uint32_t *list = plan->worker_task + plan->worker[1].first;
    uint32_t i = 0;
    while (i < plan->worker[1].count &&
           (halt_is_done(&plan->task[list[i]], slice) ||
            atomic_load(&plan->task[list[i]].word) == tac_task_word(slice, TAC_TASK_AUDIO)))
        i++;
    if (i == plan->worker[1].count || atomic_load(&plan->task[list[i]].word) >> 4 == slice)
        return false;
    struct tac_range pred = plan->task[list[i]].pred;
    for (const uint32_t *p = plan->pred + pred.first; p < plan->pred + pred.first + pred.count; p++)
        if (!plan->task[*p].worker && !halt_is_done(&plan->task[*p], slice))
            return true;
    return false;
}

static const struct tac_task *halt_find_task(void)
{
    const struct tac_plan *plan = atomic_load(&halt.crew->plan);
    uint64_t word = tac_task_word(atomic_load(&halt.crew->go), TAC_TASK_HELPER);
    for (uint32_t t = 0; t < plan->tasks; t++)
        if (atomic_load(&plan->task[t].word) == word)
            return &plan->task[t];
    return NULL;
}

/* The helper, after an instruction. */
static void halt_step_helper(greg_t *flags)
{
    while (atomic_load(&halt.state) == HALT_ARMED && halt_is_stuck())
        halt_nap();
    if (atomic_load(&halt.state) == HALT_ARMED)
        atomic_store(&halt.state, HALT_COUNTING);
    if (atomic_load(&halt.state) == HALT_THROUGH)
        *flags &= ~HALT_TRAP_FLAG;
    if (atomic_load(&halt.state) != HALT_COUNTING)
        return;
    halt.count++;
    const struct tac_helper *h = &halt.crew->helper[1];
    bool through = atomic_load(&h->seen) == atomic_load(&halt.crew->go) && !atomic_load(&h->inside);
    if (halt.count < halt.at && !through)
        return;
    halt.task = through ? NULL : halt_find_task();
    if ((halt_early || halt_in_task) && !through && !halt.task)
        return;
    if (!through)
        atomic_store(&halt.state, HALT_HALTED);
    while (!through && !atomic_load(&halt.released))
        halt_nap();
    *flags &= ~HALT_TRAP_FLAG;
    atomic_store(&halt.state, through ? HALT_THROUGH : HALT_GONE_ON);
}

/* The calling thread, while the helper has halted in a task: true when that was taken. */
static bool halt_hurry(void)
{
    enum { NAPS = 1000 }; /* who waits for us in the slice would wait for ever */
    if ((atomic_load(&halt.task->word) & 15) == TAC_TASK_HELPER)
        return false;
    atomic_store(&halt.released, 1);
    for (int i = 0; i < NAPS && atomic_load(&halt.crew->helper[1].inside); i++)
        halt_nap();
    return true;
}

static void halt_step(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info;
    greg_t *flags = &((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL];
    if (halt_tid() == atomic_load(&halt.helper)) {
        halt_step_helper(flags);
    } else {
        while (!halt_is_stuck() && atomic_load(&halt.state) < HALT_HALTED)
            halt_nap();
        if (atomic_load(&halt.state) < HALT_HALTED)
            return;
        halt.waited = true;
        if (halt_meanwhile)
            halt_meanwhile();
        if (halt_early && halt.task && !halt_hurry())
            return;
        *flags &= ~HALT_TRAP_FLAG;
    }
}

static void halt_begin(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] |= HALT_TRAP_FLAG;
    atomic_store(&halt.helper, halt_tid());
    atomic_store(&halt.state, HALT_ARMED);
}

/* A call of tac_engine_process() in whose slice the helper halts at its at-th instruction, if it
 * does not get through the slice before: halt.count says how many it ran. */
static void halt_process(struct tac_engine *e, long at, float *const *out, uint32_t frames)
{
    halt.crew = e->workers->crew;
    halt.before = atomic_load(&halt.crew->go);
    halt.at = at;
    halt.count = 0;
    halt.waited = false;
    halt.task = NULL;
    atomic_store(&halt.state, HALT_OFF);
    atomic_store(&halt.released, 0);
    pthread_kill(halt.crew->helper[1].thread, SIGUSR2);
    halt_wait_for(HALT_ARMED);
    __asm__ volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\t"
                     "lea 128(%%rsp), %%rsp" ::
                         : "memory", "cc");
    tac_engine_process(e, NULL, out, frames);
    __asm__ volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq\n\t"
                     "lea 128(%%rsp), %%rsp" ::
                         : "memory", "cc");
}

/* Let it go on, and wait until it is a helper again. */
static void halt_release(void)
{
    atomic_store(&halt.released, 1);
    if (atomic_load(&halt.state) == HALT_ARMED) /* nobody called it in that slice */
        atomic_store(&halt.state, HALT_THROUGH);
    halt_wait_for(HALT_GONE_ON);
    while (atomic_load(&halt.crew->helper[1].inside))
        halt_nap();
}
#else /* halt_supported() says why nothing is halted here */
static void halt_process(struct tac_engine *e, long at, float *const *out, uint32_t frames)
{
    (void)at;
    tac_engine_process(e, NULL, out, frames);
}

static void halt_release(void)
{
}
#endif

/* Why it does not work here, or NULL. */
static const char *halt_supported(void)
{
#if defined(__x86_64__) && !TAC_SANITIZED_THREAD
    struct sigaction action = {.sa_sigaction = halt_step, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaddset(&action.sa_mask, SIGUSR2);
    sigaction(SIGTRAP, &action, NULL);
    action.sa_sigaction = halt_begin;
    sigaction(SIGUSR2, &action, NULL);
    return test_emulated() ? "an emulator has no trap flag" : NULL;
#else
    return "written for x86-64, and not for ThreadSanitizer";
#endif
}

#endif
