/* SPDX-License-Identifier: MIT
 * sanitized.h - which sanitizer this is compiled for, whatever the compiler calls it.
 *
 * TAC_SANITIZED: 1 under AddressSanitizer or ThreadSanitizer, else 0: they replace malloc and
 * mlock, and fault and call the kernel by themselves.
 *
 * TAC_SANITIZED_THREAD: 1 under ThreadSanitizer.
 *
 * TAC_ALWAYS_INLINE: static functions that must be part of their caller. Under a sanitizer, where
 * no instruction is counted, they are functions as any other: their checks, copied into each place
 * of use, would take a compiler half a minute a file. */
#ifndef TAC_BASE_SANITIZED_H
#define TAC_BASE_SANITIZED_H

#ifdef __has_feature
#define TAC_HAS_FEATURE(name) __has_feature(name)
#else
#define TAC_HAS_FEATURE(name) 0
#endif

#if defined(__SANITIZE_THREAD__) || TAC_HAS_FEATURE(thread_sanitizer)
#define TAC_SANITIZED_THREAD 1
#else
#define TAC_SANITIZED_THREAD 0
#endif

#if TAC_SANITIZED_THREAD || defined(__SANITIZE_ADDRESS__) || TAC_HAS_FEATURE(address_sanitizer)
#define TAC_SANITIZED 1
#define TAC_ALWAYS_INLINE static inline
#else
#define TAC_SANITIZED 0
#define TAC_ALWAYS_INLINE static inline __attribute__((always_inline))
#endif

#endif
