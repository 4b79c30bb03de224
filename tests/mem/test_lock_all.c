/* SPDX-License-Identifier: MIT
 * test_lock_all.c - a process with a reserved heap may lock all its memory without being populated
 * to death, before and after the heap opens. */
#include "tactus/mem.h"

#include "test.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FINE = 0, REFUSED = 77, POPULATED = 1, NO_BLOCK = 2, NOT_LOCKED = 3 };

static size_t status_kb(const char *key)
{
    char line[256];
    size_t kb = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, key, strlen(key)))
            kb = strtoul(line + strlen(key), NULL, 10);
    if (file)
        fclose(file);
    return kb;
}

static int lock_then_use(int lock_first)
{
    if (!lock_first)
        tac_heap_free(tac_heap_malloc(100));
    if ((lock_first ? mlockall(MCL_CURRENT | MCL_FUTURE)
                    : tac_heap_lock_process(MCL_CURRENT | MCL_FUTURE)))
        return REFUSED;
    char *block = tac_heap_malloc(3 << 20);
    if (!block)
        return NO_BLOCK;
    memset(block, 1, 3 << 20);
    if (status_kb("VmRSS:") > 512 * 1024)
        return POPULATED;
    return status_kb("VmLck:") < 1000 ? NOT_LOCKED : FINE;
}

static int in_child(int lock_first)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(lock_then_use(lock_first));
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void heap_open_then_locked_is_not_populated(void)
{
    int code = in_child(0);
    if (code == REFUSED)
        SKIP("memory cannot be locked here");
    CHECK_MSG(code == FINE, "%d", code);
}

static void locked_then_heap_open_is_not_populated(void)
{
    if (TAC_SANITIZED)
        SKIP("a sanitizer replaces mlockall");
    int code = in_child(1);
    if (code == REFUSED)
        SKIP("memory cannot be locked here");
    CHECK_MSG(code == FINE, "%d", code);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(heap_open_then_locked_is_not_populated);
    TEST(locked_then_heap_open_is_not_populated);
    return test_end();
}
