/* SPDX-License-Identifier: MIT
 * launch.h - starts a program with one of our preload libraries and waits for its end.
 *
 * Used by run, doctor and demo. The libraries are looked for beside the running `tactus` (build
 * tree), then in the library folder of the installation. Signals are passed on to the child while
 * it runs (forward.h). Threads: one, the main one. */
#ifndef TAC_CLI_LAUNCH_H
#define TAC_CLI_LAUNCH_H

#include "tactus/error.h"

enum tac_preload {
    TAC_PRELOAD_NONE,
    TAC_PRELOAD_MEM,
    TAC_PRELOAD_WATCH,
    TAC_PRELOAD_MEM_DEBUG,
};

struct tac_launch {
    const char *const *argv;  /* program and arguments, ends with NULL; looked up in PATH */
    enum tac_preload preload; /* put in front of an LD_PRELOAD that is there */
    const char *const
        *env;          /* "NAME=value" lines added to the environment, ends with NULL; or NULL */
    int stdout_fd;     /* > 0: becomes the child's standard output */
    double seconds;    /* > 0: end it after so long: SIGINT, then SIGTERM, then SIGKILL */
    int priority;      /* > 0: SCHED_FIFO of this priority */
    int no_huge_pages; /* 1: no transparent huge pages in it */
};

/* Start, wait, and give the status as a shell would: the exit code, or 128 + signal.
 * -ENOENT, -EACCES ...: the program cannot be started; -TAC_E_NOT_BUILT: a library is not found;
 * err says which and what to do. */
TAC_MUST_CHECK int tac_launch_run(const struct tac_launch *launch, int *ret_status,
                                  struct tac_error *err);

/* The path of the running `tactus`. 0 or -errno. */
int tac_launch_self(char *buffer, unsigned long size);

/* The path of a preload library. 0 or -TAC_E_NOT_BUILT. */
int tac_launch_library(enum tac_preload preload, char *buffer, unsigned long size);

/* The path of a file that comes with Tactus ("examples/demo.yaml"): beside the sources in a build
 * tree, else in the installed share folder. 0 or -ENOENT. */
int tac_launch_share(const char *name, char *buffer, unsigned long size);

#endif
