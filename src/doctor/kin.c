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

static bool add_birth(struct tac_kin *k, const struct tac_capture_kernel *e)
{
    if (k->births == k->capacity) {
        size_t capacity = k->capacity ? k->capacity * 2 : 64;
        struct tac_birth *more = realloc(k->birth, capacity * sizeof *more);
        if (!more)
            return false;
        k->birth = more;
        k->capacity = capacity;
    }
    k->birth[k->births++] =
        (struct tac_birth){.ns = e->ns, .child = (uint32_t)e->a, .parent = e->tid};
    return true;
}

static int compare_births(const void *a, const void *b)
{
    const struct tac_birth *x = a, *y = b;
    if (x->child != y->child)
        return x->child < y->child ? -1 : 1;
    return x->ns < y->ns ? -1 : x->ns > y->ns;
}

int tac_kin_find(const struct tac_capture *capture, struct tac_kin *ret_kin)
{
    const char *pid = tac_capture_meta(capture, "pid");
    struct tac_kin k = {.births = 0};
    bool good = add(&k, pid ? (uint32_t)strtoul(pid, NULL, 10) : 0);
    for (size_t i = 0; i < capture->threads_count && good; i++)
        good = add(&k, capture->threads[i].tid);
    for (size_t i = 0; i < capture->kernel_count && good; i++) {
        const struct tac_capture_kernel *e = &capture->kernel[i];
        if (e->type != TAC_KERNEL_FORK || !tac_kin_has(&k, e->tid))
            continue;
        good = add_birth(&k, e) && (!(e->b & CLONE_IS_A_THREAD) || add(&k, (uint32_t)e->a));
    }
    if (k.births)
        qsort(k.birth, k.births, sizeof *k.birth, compare_births);
    *ret_kin = k;
    return good ? 0 : -ENOMEM;
}

void tac_kin_fini(struct tac_kin *kin)
{
    tac_idmap_fini(&kin->tids);
    free(kin->birth);
    *kin = (struct tac_kin){.births = 0};
}

bool tac_kin_has(const struct tac_kin *kin, uint32_t tid)
{
    return tac_idmap_get(&kin->tids, tid) != 0;
}

const struct tac_birth *tac_kin_birth(const struct tac_kin *kin, uint32_t tid, uint64_t ns)
{
    size_t low = 0, high = kin->births;
    while (low < high) { /* the first that is behind it */
        size_t middle = low + (high - low) / 2;
        const struct tac_birth *b = &kin->birth[middle];
        if (b->child < tid || (b->child == tid && b->ns <= ns))
            low = middle + 1;
        else
            high = middle;
    }
    return low && kin->birth[low - 1].child == tid ? &kin->birth[low - 1] : NULL;
}
