/* SPDX-License-Identifier: MIT
 * test.h - the whole test harness.
 *
 * A test program is: #include "test.h", functions `static void subject_condition_outcome(void)`,
 * and int main(int argc, char **argv) { TEST(f); TEST(g); return test_end(); }. It prints TAP,
 * which tools/run-tests counts. CHECK notes a failure and goes on; REQUIRE leaves the test
 * function; SKIP leaves it with a reason. With an argument only tests whose names contain it are
 * run. */
#ifndef TAC_TEST_H
#define TAC_TEST_H

/* gcc 12 for arm64 breaks off in its vectorizer at maxima of doubles ("vect_transform_reduction").
 */
#if defined(__aarch64__) && !defined(__clang__) && __GNUC__ < 13
#pragma GCC optimize("no-tree-loop-vectorize")
#endif

#include "base/sanitized.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int test_count, test_failures, test_bad;
static const char *test_skip;
static const char *test_filter;

static inline int test_check(int ok, const char *file, int line, const char *text)
{
    if (!ok) {
        test_bad++;
        printf("# %s:%d: %s\n", file, line, text);
    }
    return ok;
}

#define CHECK(x) test_check((x) ? 1 : 0, __FILE__, __LINE__, #x)

#define CHECK_MSG(x, ...)                                                                          \
    ((x) ? 1                                                                                       \
         : (test_bad++, printf("# %s:%d: %s: ", __FILE__, __LINE__, #x), printf(__VA_ARGS__),      \
            putchar('\n'), 0))

#define REQUIRE(x)                                                                                 \
    do {                                                                                           \
        if (!CHECK(x))                                                                             \
            return;                                                                                \
    } while (0)

#define SKIP(why)                                                                                  \
    do {                                                                                           \
        test_skip = (why);                                                                         \
        return;                                                                                    \
    } while (0)

/* True under qemu-user (tools/test-cross says so): faults and system calls are the emulator's. */
static inline bool test_emulated(void)
{
    return getenv("TACTUS_EMULATED") != NULL;
}

/* How often to try what is a matter of luck: less where each step takes tens of times as long. */
static inline uint32_t test_rounds(uint32_t rounds)
{
    return TAC_SANITIZED_THREAD || test_emulated() ? (rounds + 5) / 6 : rounds;
}

#define CHECK_NEAR(a, b, tolerance)                                                                \
    CHECK_MSG(fabs((double)(a) - (double)(b)) <= (double)(tolerance), "%.9g is not %.9g +- %g",    \
              (double)(a), (double)(b), (double)(tolerance))

#define CHECK_STR(a, b) CHECK_MSG(strcmp((a), (b)) == 0, "\"%s\" is not \"%s\"", (a), (b))

#define TEST(function) test_run(function, #function)

__attribute__((unused)) static void test_run(void (*function)(void), const char *name)
{
    if (test_filter && !strstr(name, test_filter))
        return;
    test_bad = 0;
    test_skip = NULL;
    function();
    test_count++;
    test_failures += test_bad != 0;
    printf("%s %d - %s", test_bad ? "not ok" : "ok", test_count, name);
    if (test_skip && !test_bad)
        printf(" # SKIP %s", test_skip);
    putchar('\n');
    fflush(stdout);
}

__attribute__((unused)) static void test_begin(int argc, char **argv)
{
    test_filter = argc > 1 ? argv[1] : NULL;
}

__attribute__((unused)) static int test_end(void)
{
    printf("1..%d\n", test_count);
    return test_failures ? 1 : 0;
}

#endif
