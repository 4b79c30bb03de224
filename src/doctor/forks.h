/* SPDX-License-Identifier: MIT
 * forks.h - the processes that the program forked, and for how long each had its pages in common
 * with it.
 *
 * A fork makes every page of both processes read-only. Until the child ends, or runs another
 * program in its place, a page is copied where either writes to it first. A child of a child has
 * the same pages. Threads, vfork() and posix_spawn() share the memory itself, so nothing is copied;
 * they are not in the list. Where events of the kernel were lost, nothing is known of a child any
 * more.
 * Cost: one walk over the kernel's events, O(log n) a question. Threads: read-only once made.
 * Real-time: no. Source: fork(2), clone(2); Linux, copy_page_range() in mm/memory.c. */
#ifndef TAC_DOCTOR_FORKS_H
#define TAC_DOCTOR_FORKS_H

#include "doctor/kin.h"

struct tac_fork {
    uint64_t ns;
    uint64_t shared_ns; /* until when the child is known to have had them; UINT64_MAX: to the end */
    uint32_t parent, child;
    bool is_own;      /* by a thread of the program, not by a child of it */
    bool is_lost;     /* what became of the child from shared_ns on is not known */
    uint32_t longest; /* of this one and those before, the one with the latest shared_ns */
};

struct tac_forks {
    struct tac_fork *fork; /* in the order of time */
    size_t count, capacity;
};

/* Fill *ret_forks, which starts as {0} and is freed with tac_forks_fini(). 0, -ENOMEM. */
TAC_MUST_CHECK int tac_forks_find(const struct tac_capture *capture, const struct tac_kin *kin,
                                  struct tac_forks *ret_forks);
void tac_forks_fini(struct tac_forks *forks);

/* The first fork by a thread of the program within [from, to), or NULL. */
const struct tac_fork *tac_forks_first(const struct tac_forks *forks, uint64_t from_ns,
                                       uint64_t to_ns);

/* The last fork by a thread of the program within [from, to), or NULL. */
const struct tac_fork *tac_forks_last(const struct tac_forks *forks, uint64_t from_ns,
                                      uint64_t to_ns);

/* A fork before ns whose child has pages in common with the program then, or NULL. */
const struct tac_fork *tac_forks_sharing(const struct tac_forks *forks, uint64_t ns);

#endif
