/* SPDX-License-Identifier: MIT
 * mmap_lock.c - waited for the lock of the address space, which mmap, munmap, mprotect, fork and
 * page faults share over all threads of a process. */
#include "doctor/rule.h"

static void check(struct tac_case *c)
{
    const struct tac_sight *wait;
    uint64_t ns = tac_case_time(c, TAC_ACCOUNT_BLOCKED, TAC_SIGHT_MMAP, &wait);
    if (wait)
        tac_claim(c, TAC_ACCOUNT_BLOCKED, ns, 0.95,
                  "waited %.0f us for the lock of the address space", (double)ns / 1e3);
}

TAC_RULE(mmap_lock) = {
    .name = "mmap_lock",
    .title = "waiting for the address space",
    .means = "Another thread of the process was changing memory mappings (mmap, munmap, mprotect, "
             "or a heap that grows or trims), and this thread needed the same lock.",
    .advice = "No mmap, munmap or mprotect while audio runs, in any thread: use a heap over one "
              "region that is mapped before.",
    .needs = TAC_HAS_MM,
    .blame = TAC_BLAME_HEAP,
    .check = check,
};
