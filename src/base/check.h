/* SPDX-License-Identifier: MIT
 * check.h - assertions for our own mistakes; error codes are for the world's.
 *
 * TAC_ASSERT       cheap; compiled in unless NDEBUG. Prints one line with write(2) and aborts: safe
 *                  inside malloc and on a real-time thread.
 * TAC_ASSERT_SLOW  walkers and other O(n) checks; compiled in with -Dchecked=true.
 * TAC_LIKELY / TAC_UNLIKELY  keep the bounded fast path straight-line code. */
#ifndef TAC_BASE_CHECK_H
#define TAC_BASE_CHECK_H

_Noreturn void tac_assert_fail(const char *text, const char *file, int line);

#define TAC_LIKELY(x) __builtin_expect(!!(x), 1)
#define TAC_UNLIKELY(x) __builtin_expect(!!(x), 0)

#ifdef NDEBUG
#define TAC_ASSERT(x) ((void)sizeof(!(x)))
#else
#define TAC_ASSERT(x) (TAC_LIKELY(x) ? (void)0 : tac_assert_fail(#x, __FILE__, __LINE__))
#endif

#ifdef TAC_CHECKED
#define TAC_ASSERT_SLOW(x) (TAC_LIKELY(x) ? (void)0 : tac_assert_fail(#x, __FILE__, __LINE__))
#else
#define TAC_ASSERT_SLOW(x) ((void)sizeof(!(x)))
#endif

#endif
