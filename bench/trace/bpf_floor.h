/* SPDX-License-Identifier: MIT
 * bpf_floor.h - what no BPF tier can go below: programs at sched_switch and sched_waking that
 * return at once. All that they cost is the kernel's way to them and back. */
#ifndef TAC_BENCH_BPF_FLOOR_H
#define TAC_BENCH_BPF_FLOOR_H

#include <stdbool.h>

enum { BPF_FLOOR_PROGRAMS = 2 };

struct bpf_floor {
    int link[BPF_FLOOR_PROGRAMS];
};

/* reads_clock: they call bpf_ktime_get_ns() first. 0 or -errno. */
int bpf_floor_start(struct bpf_floor *floor, bool reads_clock);
void bpf_floor_stop(struct bpf_floor *floor);

#endif
