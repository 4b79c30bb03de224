/* SPDX-License-Identifier: MIT
 * test_region.c - a populated region does not fault again, and refusals leave nothing behind. */
#include "base/region.h"

#include "tactus/error.h"
#include "test.h"

#include <errno.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static long faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_minflt;
}

static void populated_region_does_not_fault(void)
{
    if (TAC_SANITIZED || test_emulated())
        SKIP("a sanitizer or an emulator faults by itself");
    struct tac_region region;
    REQUIRE(tac_region_open(4u << 20, TAC_REGION_POPULATE, &region) == 0);
    volatile unsigned char *p = region.base;
    long before = faults();
    for (size_t i = 0; i < region.bytes; i += 512)
        p[i] = 1;
    CHECK(faults() - before == 0);
    tac_region_close(&region);
    CHECK(!region.base);
    tac_region_close(&region);
}

static void nonsense_sizes_are_refused(void)
{
    struct tac_region region = {0};
    CHECK(tac_region_open(0, 0, &region) == -EINVAL);
    CHECK(tac_region_open(SIZE_MAX, 0, &region) == -EINVAL);
    if (sizeof(size_t) == 8) // half of a 32-bit space may really be free
        CHECK(tac_region_open((size_t)PTRDIFF_MAX / 2, 0, &region) == -ENOMEM);
    CHECK(!region.base);
}

/* In a child without privilege and with no allowance, as a user who never heard of memlock. */
static int try_lock_in_child(unsigned flags)
{
    pid_t child = fork();
    if (child == 0) {
        struct rlimit none = {0, 0};
        if (setrlimit(RLIMIT_MEMLOCK, &none) || (getuid() == 0 && setuid(65534)))
            _exit(77);
        struct tac_region region = {0};
        int r = tac_region_open(1u << 20, flags, &region);
        _exit(r == -TAC_E_MEMLOCK && !region.base ? 1 : r == 0 && !region.locked ? 2 : 3);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}

static void lock_refused_is_reported(void)
{
    if (TAC_SANITIZED)
        SKIP("a sanitizer replaces mlock");
    int r = try_lock_in_child(TAC_REGION_LOCK);
    if (r == 77)
        SKIP("cannot drop privileges here");
    CHECK_MSG(r == 1, "child said %d", r);
    CHECK(try_lock_in_child(TAC_REGION_TRY_LOCK) == 2);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(populated_region_does_not_fault);
    TEST(nonsense_sizes_are_refused);
    TEST(lock_refused_is_reported);
    return test_end();
}
