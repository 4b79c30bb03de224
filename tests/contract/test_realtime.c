/* SPDX-License-Identifier: MIT
 * test_realtime.c - the real-time law over every block and variant, enforced by trap.
 *
 * In a child process each block is processed once to warm up; then a seccomp filter turns every
 * system call but exit into SIGSYS, the malloc family of this program aborts, and the block is
 * processed many times on random paths. Faults are counted by the kernel before and after. */
#include "dsp/block.h"

#include "rig.h"
#include "test.h"
#include "trap.h"

enum { GREEN = 0 };

#if !TAC_SANITIZED
/* In the child; plant: break the law on purpose. */
static void obey_or_die(const struct tac_variant *variant, uint32_t index, int plant)
{
    static struct rig r;
    rig_open(&r, variant, index, true, 11);
    rig_process(&r, 0, RIG_FRAMES);
    long before = faults();
    rig_process(&r, 0, RIG_FRAMES);
    if (faults() != before)
        _exit(TRAPPED_FAULT);
    heap_forbidden = 1;
    if (forbid_system_calls())
        _exit(NO_FILTER);
    for (int again = 0; again < 8; again++)
        for (uint32_t f = 0; f < RIG_FRAMES; f += 64)
            rig_process(&r, f, 64);
    if (plant == 1)
        free(malloc(plant * 100));
    if (plant == 2)
        getppid();
    syscall(SYS_exit_group, GREEN);
}

/* Exit code of the child, or 128 + signal. */
static int run_in_child(const struct tac_variant *variant, uint32_t index, int plant)
{
    pid_t pid = fork();
    if (pid == 0)
        obey_or_die(variant, index, plant);
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
#endif

static void blocks_obey_the_law(void)
{
#if TAC_SANITIZED
    SKIP("sanitizers allocate and call the kernel themselves");
#else
    if (test_emulated())
        SKIP("an emulator faults and calls the kernel by itself");
    for (uint32_t v = 0; tac_blocks_variant(v); v++)
        for (uint32_t index = 0; index < tac_blocks_count(); index++) {
            int code = run_in_child(tac_blocks_variant(v), index, 0);
            if (code == NO_FILTER)
                SKIP("the kernel refuses a system-call filter here");
            CHECK_MSG(code == GREEN, "%s %s: %s", tac_blocks_get(index)->name,
                      tac_blocks_variant(v)->name,
                      code == TRAPPED_HEAP    ? "calls the heap"
                      : code == TRAPPED_FAULT ? "faults"
                      : code == 128 + SIGSYS  ? "makes a system call"
                                              : "dies");
        }
#endif
}

/* The trap itself works: planted breaches are caught. */
static void planted_breaches_are_caught(void)
{
#if TAC_SANITIZED
    SKIP("sanitizers allocate and call the kernel themselves");
#else
    if (test_emulated())
        SKIP("an emulator faults and calls the kernel by itself");
    int heap = run_in_child(tac_blocks_variant(0), 0, 1);
    if (heap == NO_FILTER)
        SKIP("the kernel refuses a system-call filter here");
    CHECK_MSG(heap == TRAPPED_HEAP, "%d", heap);
    int call = run_in_child(tac_blocks_variant(0), 0, 2);
    CHECK_MSG(call == 128 + SIGSYS, "%d", call);
#endif
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(blocks_obey_the_law);
    TEST(planted_breaches_are_caught);
    return test_end();
}
