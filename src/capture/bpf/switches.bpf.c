/* SPDX-License-Identifier: MIT
 * switches.bpf.c - runs in the kernel: one record for each switch and each wake-up, in the
 * recording's own form (struct tac_format_kernel), into one ring that nobody is woken for.
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

enum { SWITCH = 1, WAKING = 4, PREEMPTED = 0x100, STATES = 0xff };

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

struct event {
    __u64 ns;
    __u16 type, cpu;
    __u32 tid;
    __u64 a, b;
};

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 22);
} ring SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} lost SEC(".maps");

static __always_inline struct event *reserve(__u16 type, __u32 tid)
{
    struct event *e = bpf_ringbuf_reserve(&ring, sizeof *e, 0);
    __u32 zero = 0;
    if (!e) {
        __u64 *count = bpf_map_lookup_elem(&lost, &zero);
        if (count)
            ++*count;
        return 0;
    }
    e->ns = bpf_ktime_get_ns();
    e->type = type;
    e->cpu = bpf_get_smp_processor_id();
    e->tid = tid;
    return e;
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
    struct event *e = reserve(SWITCH, prev->pid);
    if (!e)
        return 0;
    __u64 state = preempt ? PREEMPTED : state_of(prev) & STATES;
    e->a = (__u64)(__u32)next->pid << 32 | (__u32)next->prio;
    e->b = state << 32 | (__u32)prev->prio;
    bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
    return 0;
}

SEC("tp_btf/sched_waking")
int BPF_PROG(on_waking, struct task_struct *task)
{
    struct event *e = reserve(WAKING, (__u32)bpf_get_current_pid_tgid());
    if (!e)
        return 0;
    __u64 cpu = bpf_core_field_exists(task->thread_info.cpu) ? task->thread_info.cpu : 0xffff;
    e->a = (__u64)(__u32)task->pid << 32 | (__u32)task->prio;
    e->b = cpu << 32;
    bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
    return 0;
}
