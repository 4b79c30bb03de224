/* SPDX-License-Identifier: MIT
 * switches.bpf.c - runs in the kernel: one record for each switch and each wake-up, in the
 * recording's own form (struct tac_format_kernel), into a ring for each CPU that nobody is woken
 * for and that the reader has mapped. (BPF's own ring buffer takes a lock and two calls an event,
 * which cost as much again as all the rest.)
 *
 * Fields of the kernel's structures are found by their names when it is loaded (CO-RE), so it runs
 * on kernels other than the one it was built on; Linux 5.8 or later with BTF. What does not fit
 * into the ring is counted. Offered to the kernel under both of its licences, which it asks for. */
#include <linux/types.h>

#include <linux/bpf.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

enum { EVENTS = 1 << 14, SWITCH = 1, WAKING = 4, PREEMPTED = 0x100, STATES = 0xff };

/* Only what is read; the loader finds the places. */
struct thread_info {
    __u32 cpu;
} __attribute__((preserve_access_index));

struct task_struct {
    struct thread_info thread_info;
    unsigned int __state;
    int pid, prio;
} __attribute__((preserve_access_index));

/* The same before Linux 5.14. */
struct task_struct___old {
    long state;
} __attribute__((preserve_access_index));

/* As in the recording, but for the CPU, which the ring tells: there stands the lap, from 1, in
 * which the ring is written. `what` (type, lap << 16, tid << 32) is written last. Two events share
 * a line of the cache, and a ring fits into the second one: more lines and larger rings cost more
 * than all that the programs compute. */
struct event {
    __u64 ns, what, a, b;
};

/* A CPU's ring. An interrupt may nest in a switch, so a slot is taken by an atomic addition (a
 * plain one costs as much). The reader never holds the writer up: it sees by the lap what was
 * written over. */
struct ring {
    __u64 head;
    __u64 unused[7];
    struct event event[EVENTS];
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct ring);
} rings SEC(".maps");

static __always_inline struct event *take(__u64 type, __u32 tid, __u64 *ret_what)
{
    __u32 cpu = bpf_get_smp_processor_id();
    struct ring *ring = bpf_map_lookup_elem(&rings, &cpu);
    if (!ring)
        return 0;
    __u64 number = __sync_fetch_and_add(&ring->head, 1);
    struct event *e = &ring->event[number & (EVENTS - 1)];
    e->ns = bpf_ktime_get_ns();
    *ret_what = type | (number / EVENTS + 1 & 0xffff) << 16 | (__u64)tid << 32;
    return e;
}

/* After all else: an exchange orders everywhere; x86 keeps the order of plain stores. */
static __always_inline void publish(struct event *e, __u64 what)
{
#ifdef __TARGET_ARCH_x86
    barrier();
    *(volatile __u64 *)&e->what = what;
#else
    __sync_lock_test_and_set(&e->what, what);
#endif
}

static __always_inline __u64 state_of(struct task_struct *task)
{
    if (bpf_core_field_exists(task->__state))
        return task->__state;
    return BPF_CORE_READ((struct task_struct___old *)task, state);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
    __u64 what;
    struct event *e = take(SWITCH, prev->pid, &what);
    if (!e)
        return 0;
    __u64 state = preempt ? PREEMPTED : state_of(prev) & STATES;
    e->a = (__u64)(__u32)next->pid << 32 | (__u32)next->prio;
    e->b = state << 32 | (__u32)prev->prio;
    publish(e, what);
    return 0;
}

SEC("tp_btf/sched_waking")
int BPF_PROG(on_waking, struct task_struct *task)
{
    __u64 what;
    struct event *e = take(WAKING, (__u32)bpf_get_current_pid_tgid(), &what);
    if (!e)
        return 0;
    __u64 cpu = bpf_core_field_exists(task->thread_info.cpu) ? task->thread_info.cpu : 0xffff;
    e->a = (__u64)(__u32)task->pid << 32 | (__u32)task->prio;
    e->b = cpu << 32;
    publish(e, what);
    return 0;
}
