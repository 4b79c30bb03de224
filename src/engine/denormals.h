/* SPDX-License-Identifier: MIT
 * denormals.h - results too small for a normal float become 0, for the calling thread.
 *
 * A filter that dies away in silence would else run ten times slower. Threads: the caller's own
 * setting. Real-time: yes. */
#ifndef TAC_ENGINE_DENORMALS_H
#define TAC_ENGINE_DENORMALS_H

#include <stdint.h>

#if defined(__x86_64__) || defined(__i386__)
#include <xmmintrin.h>
static inline unsigned tac_denormals_flush(void)
{
    unsigned old = _mm_getcsr();
    _mm_setcsr(old | 0x8040); /* FTZ, DAZ */
    return old;
}
static inline void tac_denormals_restore(unsigned old)
{
    _mm_setcsr(old);
}
#elif defined(__aarch64__)
static inline unsigned tac_denormals_flush(void)
{
    uint64_t old;
    __asm__ volatile("mrs %0, fpcr" : "=r"(old));
    __asm__ volatile("msr fpcr, %0" ::"r"(old | 1u << 24));
    return (unsigned)old;
}
static inline void tac_denormals_restore(unsigned old)
{
    __asm__ volatile("msr fpcr, %0" ::"r"((uint64_t)old));
}
#elif defined(__arm__) && defined(__ARM_FP)
static inline unsigned tac_denormals_flush(void)
{
    unsigned old;
    __asm__ volatile("vmrs %0, fpscr" : "=r"(old));
    __asm__ volatile("vmsr fpscr, %0" ::"r"(old | 1u << 24));
    return old;
}
static inline void tac_denormals_restore(unsigned old)
{
    __asm__ volatile("vmsr fpscr, %0" ::"r"(old));
}
#else
static inline unsigned tac_denormals_flush(void)
{
    return 0;
}
static inline void tac_denormals_restore(unsigned old)
{
    (void)old;
}
#endif

#endif
