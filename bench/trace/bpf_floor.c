/* SPDX-License-Identifier: MIT
 * bpf_floor.c - see bpf_floor.h. Calls: bpf(2). */
#include "bpf_floor.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

static int call(enum bpf_cmd command, union bpf_attr *attr)
{
    long result = syscall(SYS_bpf, command, attr, sizeof *attr);
    return result < 0 ? -errno : (int)result;
}

/* bpf_ktime_get_ns(), when it is asked for; r0 = 0; exit */
static int load(bool reads_clock)
{
    static const struct bpf_insn program[] = {
        {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_ktime_get_ns},
        {.code = BPF_ALU64 | BPF_MOV | BPF_K},
        {.code = BPF_JMP | BPF_EXIT}};
    union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT};
    attr.insns = (uintptr_t)(program + !reads_clock);
    attr.insn_cnt = sizeof program / sizeof *program - !reads_clock;
    attr.license = (uintptr_t) "Dual MIT/GPL";
    return call(BPF_PROG_LOAD, &attr);
}

static int attach(const char *tracepoint, bool reads_clock)
{
    int program = load(reads_clock);
    union bpf_attr attr = {0};
    if (program < 0)
        return program;
    attr.raw_tracepoint.name = (uintptr_t)tracepoint;
    attr.raw_tracepoint.prog_fd = (uint32_t)program;
    int link = call(BPF_RAW_TRACEPOINT_OPEN, &attr);
    close(program);
    return link;
}

int bpf_floor_start(struct bpf_floor *f, bool reads_clock)
{
    static const char *const name[BPF_FLOOR_PROGRAMS] = {"sched_switch", "sched_waking"};
    for (int i = 0; i < BPF_FLOOR_PROGRAMS; i++) {
        f->link[i] = attach(name[i], reads_clock);
        if (f->link[i] < 0) {
            int error = f->link[i];
            for (; i > 0; i--)
                close(f->link[i - 1]);
            return error;
        }
    }
    return 0;
}

void bpf_floor_stop(struct bpf_floor *f)
{
    for (int i = 0; i < BPF_FLOOR_PROGRAMS; i++)
        close(f->link[i]);
}
