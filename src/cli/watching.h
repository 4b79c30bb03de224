/* SPDX-License-Identifier: MIT
 * watching.h - run a program under the watch library, record it, and open the recording.
 *
 * The kernel's account of the whole machine is recorded at the same time where that is permitted,
 * to a file of its own whose chunks are then appended (a recording may be put together that way).
 * Threads: one, the main one. */
#ifndef TAC_CLI_WATCHING_H
#define TAC_CLI_WATCHING_H

#include "capture/capture.h"
#include "cli/setting.h"
#include "tactus/error.h"

struct tac_watching {
    char *const *argv;                 /* program and arguments, ends with NULL */
    const char *heap;                  /* "system" or "tactus": who answers malloc in it */
    const char *path;                  /* the recording; replaced when it exists */
    int no_kernel;                     /* 1: do not try for the kernel's events */
    unsigned samples_hz;               /* > 0: where its threads compute, so often a second */
    double seconds;                    /* > 0: end the program after so long */
    const struct tac_setting *setting; /* what else is different; NULL: nothing */
};

/* Run to its end. 0 and the program's status as a shell would give it. -TAC_E_UNKNOWN: nothing was
 * recorded. err says what and what to do. */
TAC_MUST_CHECK int tac_watching_run(const struct tac_watching *watching, int *ret_status,
                                    struct tac_error *err);

#endif
