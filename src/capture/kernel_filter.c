/* SPDX-License-Identifier: MIT
 * kernel_filter.c - see kernel_filter.h. */
#include "capture/kernel_filter.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

enum { TIDS = 1 << 22 }; /* PID_MAX_LIMIT of 64-bit kernels */

struct tac_kernel_filter {
    uint64_t bits[TIDS / 64];
};

static void add(struct tac_kernel_filter *f, uint64_t tid)
{
    if (tid < TIDS)
        f->bits[tid / 64] |= 1ull << tid % 64;
}

static void add_process(struct tac_kernel_filter *f, uint32_t pid)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%u/task", pid);
    add(f, pid);
    DIR *dir = opendir(path);
    for (struct dirent *e; dir && (e = readdir(dir)) != NULL;)
        if (e->d_name[0] != '.')
            add(f, strtoul(e->d_name, NULL, 10));
    if (dir)
        closedir(dir);
}

struct tac_kernel_filter *tac_kernel_filter_new(const uint32_t *pids, uint32_t count)
{
    struct tac_kernel_filter *f = calloc(1, sizeof *f);
    for (uint32_t i = 0; f && i < count; i++)
        add_process(f, pids[i]);
    return f;
}

void tac_kernel_filter_free(struct tac_kernel_filter *f)
{
    free(f);
}

bool tac_kernel_filter_has(const struct tac_kernel_filter *f, uint32_t tid)
{
    return tid < TIDS && (f->bits[tid / 64] >> tid % 64 & 1);
}

bool tac_kernel_filter_keeps(struct tac_kernel_filter *f, const struct tac_format_kernel *e)
{
    bool own = tac_kernel_filter_has(f, e->tid);
    switch (e->type) {
    case TAC_KERNEL_LOST:
        return true;
    case TAC_KERNEL_FORK:
        if (own)
            add(f, e->a);
        return own;
    case TAC_KERNEL_SWITCH:
    case TAC_KERNEL_WAKING:
    case TAC_KERNEL_PRIORITY:
        return own || tac_kernel_filter_has(f, (uint32_t)(e->a >> 32));
    case TAC_KERNEL_MIGRATE:
        return own || tac_kernel_filter_has(f, (uint32_t)e->a);
    default:
        return own;
    }
}
