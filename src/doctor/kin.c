/* SPDX-License-Identifier: MIT
 * kin.c - see kin.h. */
#include "doctor/kin.h"

#include <errno.h>
#include <stdlib.h>

/* CLONE_THREAD of clone(2): vfork() and posix_spawn() share the memory, too, and make a process. */
enum { CLONE_IS_A_THREAD = 0x10000 };

static bool add(struct tac_kin *k, uint32_t tid)
{
    return !tid || tac_idmap_get(&k->tids, tid) || tac_idmap_put(&k->tids, tid, 1);
}

int tac_kin_find(const struct tac_capture *capture, struct tac_kin *ret_kin)
{
    const char *pid = tac_capture_meta(capture, "pid");
    struct tac_kin k = {0};
    bool good = add(&k, pid ? (uint32_t)strtoul(pid, NULL, 10) : 0);
    for (size_t i = 0; i < capture->threads_count && good; i++)
        good = add(&k, capture->threads[i].tid);
    for (size_t i = 0; i < capture->kernel_count && good; i++) {
        const struct tac_capture_kernel *e = &capture->kernel[i];
        if (e->type == TAC_KERNEL_FORK && e->b & CLONE_IS_A_THREAD && tac_kin_has(&k, e->tid))
            good = add(&k, (uint32_t)e->a);
    }
    *ret_kin = k;
    return good ? 0 : -ENOMEM;
}

void tac_kin_fini(struct tac_kin *kin)
{
    tac_idmap_fini(&kin->tids);
}

bool tac_kin_has(const struct tac_kin *kin, uint32_t tid)
{
    return tac_idmap_get(&kin->tids, tid) != 0;
}
