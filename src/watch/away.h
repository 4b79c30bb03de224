/* SPDX-License-Identifier: MIT
 * away.h - did the calling thread leave its CPU since it was last asked? Without a clock and
 * without a system call.
 *
 * The C library registers an area with the kernel for each thread (restartable sequences, rseq(2),
 * glibc 2.35). Its field rseq_cs names the sequence that the thread is in; when the kernel takes
 * the CPU away, or delivers a signal, and the thread stands outside that sequence, it sets the
 * field to zero. We name a sequence of length zero, which no thread ever stands in: the name stays
 * there until the thread is next switched. Who uses the field in earnest overwrites ours, which
 * then reads as "was away"; our own writing comes from the malloc family, which no such sequence
 * may call.
 *
 * Cost: a load and a compare. Where there is no such area the answer is always yes. */
#ifndef TAC_WATCH_AWAY_H
#define TAC_WATCH_AWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As the kernel reads it: include/uapi/linux/rseq.h, struct rseq_cs. */
struct tac_away_sequence {
    _Alignas(32) uint32_t version;
    uint32_t flags;
    uint64_t start, length, abort;
};

extern const struct tac_away_sequence tac_away_mark __attribute__((visibility("hidden")));

/* Of the field, from the thread pointer; 0: there is none. Set once, before main. */
extern ptrdiff_t tac_away_offset __attribute__((visibility("hidden")));

/* Whether the kernel tells; otherwise the answer is yes. */
static inline bool tac_away_is_known(void)
{
    return tac_away_offset != 0;
}

static inline bool tac_away(void)
{
#if defined(__x86_64__) || defined(__aarch64__)
    char *self;
#if defined(__x86_64__)
    __asm__("mov %%fs:0, %0" : "=r"(self));
#else
    __asm__("mrs %0, tpidr_el0" : "=r"(self));
#endif
    volatile uint64_t *named = (volatile uint64_t *)(void *)(self + tac_away_offset);
    if (!tac_away_offset)
        return true;
    if (*named == (uintptr_t)&tac_away_mark)
        return false;
    *named = (uintptr_t)&tac_away_mark;
#endif
    return true;
}

#endif
