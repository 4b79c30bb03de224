/* SPDX-License-Identifier: MIT
 * refuge.c - see refuge.h. */
#include "trace/refuge.h"

#include "trace/lane.h"

#include <unistd.h>

void tac_refuge_init(struct tac_refuge *refuge)
{
    refuge->is_known = !sched_getaffinity(0, sizeof refuge->chosen, &refuge->chosen) &&
                       !sched_getaffinity(getpid(), sizeof refuge->own, &refuge->own);
    CPU_OR(&refuge->own, &refuge->own, &refuge->chosen);
    refuge->is_stale = true;
}

static bool is_real_time(pid_t tid)
{
    int policy = sched_getscheduler(tid) & ~SCHED_RESET_ON_FORK; /* rtkit and PipeWire set it */
    return policy == SCHED_FIFO || policy == SCHED_RR;
}

/* Take the CPU of a thread out that is bound to one. */
static void leave(cpu_set_t *free, pid_t tid)
{
    cpu_set_t its;
    if (sched_getaffinity(tid, sizeof its, &its) || CPU_COUNT(&its) != 1)
        return;
    CPU_XOR(&its, &its, free); /* without it, when it was there */
    if (CPU_COUNT(&its) < CPU_COUNT(free))
        *free = its;
}

void tac_refuge_look(struct tac_refuge *refuge)
{
    cpu_set_t free = refuge->own;
    refuge->is_stale = false;
    uint32_t count = atomic_load(&tac_lanes_count);
    for (uint32_t i = 0; i < count && refuge->is_known; i++) {
        const struct tac_lane *lane = tac_lanes[i];
        if (lane->state == TAC_LANE_LIVE && is_real_time((pid_t)lane->tid))
            leave(&free, (pid_t)lane->tid);
    }
    if (!refuge->is_known || CPU_EQUAL(&free, &refuge->chosen))
        return;
    const cpu_set_t *to = CPU_COUNT(&free) ? &free : &refuge->own;
    if (!sched_setaffinity(0, sizeof *to, to))
        refuge->chosen = *to;
}
