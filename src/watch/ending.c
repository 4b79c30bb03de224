/* SPDX-License-Identifier: MIT
 * ending.c - the ends of a process that skip destructors: the recording is closed first.
 *
 * Only in the process that owns the session: the child of vfork calls _exit in its parent's
 * memory. */
#include "watch/watch.h"

#include <stdlib.h>
#include <unistd.h>

TAC_WATCH_EXPORT void _exit(int status)
{
    tac_watch_recorder_stop();
    TAC_WATCH_REAL_AS(void (*)(int), "_exit", NULL, NULL)(status);
    __builtin_unreachable();
}

TAC_WATCH_EXPORT void _Exit(int status)
{
    _exit(status);
}

TAC_WATCH_EXPORT void quick_exit(int status)
{
    tac_watch_recorder_stop();
    TAC_WATCH_REAL_AS(void (*)(int), "quick_exit", NULL, NULL)(status);
    __builtin_unreachable();
}
