/* SPDX-License-Identifier: MIT
 * forks.c - see forks.h. */
#include "doctor/forks.h"

#include <errno.h>
#include <stdlib.h>

/* CLONE_VM of clone(2). */
enum { CLONE_SHARES_MEMORY = 0x100, ALIVE_MAX = 64 };

/* Children that live, as indices in forks; a newcomer takes the place of the oldest, of which then
 * nothing is known. */
struct family {
    const struct tac_kin *kin;
    struct tac_forks *forks;
    uint32_t alive[ALIVE_MAX];
    size_t count;
};

/* Its place in alive; count when it is none of them. */
static size_t place_of(const struct family *f, uint32_t tid)
{
    size_t i = 0;
    while (i < f->count && f->forks->fork[f->alive[i]].child != tid)
        i++;
    return i;
}

static void drop(struct family *f, size_t place)
{
    for (f->count--; place < f->count; place++)
        f->alive[place] = f->alive[place + 1];
}

static void lose_oldest(struct family *f, uint64_t ns)
{
    struct tac_fork *fork = &f->forks->fork[f->alive[0]];
    fork->shared_ns = ns;
    fork->is_lost = true;
    drop(f, 0);
}

static int add(struct family *f, struct tac_fork fork)
{
    struct tac_forks *all = f->forks;
    if (all->count == all->capacity) {
        size_t capacity = all->capacity ? all->capacity * 2 : 16;
        struct tac_fork *more = realloc(all->fork, capacity * sizeof *more);
        if (!more)
            return -ENOMEM;
        all->fork = more;
        all->capacity = capacity;
    }
    if (f->count == ALIVE_MAX)
        lose_oldest(f, fork.ns);
    f->alive[f->count++] = (uint32_t)all->count;
    all->fork[all->count++] = fork;
    return 0;
}

static int on_event(struct family *f, const struct tac_capture_kernel *e)
{
    uint32_t child = (uint32_t)e->a;
    if (e->type == TAC_KERNEL_LOST && !e->tid) { /* of a CPU */
        while (f->count)
            lose_oldest(f, e->ns);
    } else if (e->type == TAC_KERNEL_EXIT || e->type == TAC_KERNEL_EXEC) {
        size_t place = place_of(f, e->tid);
        if (place < f->count) {
            f->forks->fork[f->alive[place]].shared_ns = e->ns;
            drop(f, place);
        }
    } else if (e->type == TAC_KERNEL_FORK && !(e->b & CLONE_SHARES_MEMORY)) {
        bool own = tac_kin_has(f->kin, e->tid);
        if ((own || place_of(f, e->tid) < f->count) && !tac_kin_has(f->kin, child))
            return add(f, (struct tac_fork){.ns = e->ns,
                                            .shared_ns = UINT64_MAX,
                                            .parent = e->tid,
                                            .child = child,
                                            .is_own = own});
    }
    return 0;
}

int tac_forks_find(const struct tac_capture *capture, const struct tac_kin *kin,
                   struct tac_forks *ret_forks)
{
    struct family f = {.kin = kin, .forks = ret_forks};
    int r = 0;
    for (size_t i = 0; i < capture->kernel_count && r == 0; i++)
        r = on_event(&f, &capture->kernel[i]);
    uint32_t longest = 0;
    for (size_t i = 0; i < ret_forks->count; i++) {
        if (ret_forks->fork[i].shared_ns >= ret_forks->fork[longest].shared_ns)
            longest = (uint32_t)i;
        ret_forks->fork[i].longest = longest;
    }
    return r;
}

void tac_forks_fini(struct tac_forks *forks)
{
    free(forks->fork);
    *forks = (struct tac_forks){0};
}

/* How many of them were before ns. */
static size_t count_before(const struct tac_forks *forks, uint64_t ns)
{
    size_t low = 0, high = forks->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (forks->fork[middle].ns < ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct tac_fork *tac_forks_first(const struct tac_forks *forks, uint64_t from_ns,
                                       uint64_t to_ns)
{
    for (size_t i = count_before(forks, from_ns); i < forks->count && forks->fork[i].ns < to_ns;
         i++)
        if (forks->fork[i].is_own)
            return &forks->fork[i];
    return NULL;
}

const struct tac_fork *tac_forks_last(const struct tac_forks *forks, uint64_t from_ns,
                                      uint64_t to_ns)
{
    for (size_t i = count_before(forks, to_ns); i > 0 && forks->fork[i - 1].ns >= from_ns; i--)
        if (forks->fork[i - 1].is_own)
            return &forks->fork[i - 1];
    return NULL;
}

const struct tac_fork *tac_forks_sharing(const struct tac_forks *forks, uint64_t ns)
{
    size_t n = count_before(forks, ns);
    const struct tac_fork *longest = n ? &forks->fork[forks->fork[n - 1].longest] : NULL;
    return longest && longest->shared_ns > ns ? longest : NULL;
}
