/* SPDX-License-Identifier: MIT
 * capturing.h - takes recordings from recorders over a socket, and the kernel's account beside
 * them, into files: what `tactus capture` does.
 *
 * The first recorder that comes is written to the path, others to numbered paths beside it. Kernel
 * events come through a pipe from their own thread, to the first. Memory does not grow with time.
 * Threads: one, the main one; signals SIGINT and SIGTERM end it, SIGUSR1 makes a flight recorder
 * write. */
#ifndef TAC_CLI_CAPTURING_H
#define TAC_CLI_CAPTURING_H

#include "capture/kernel.h"
#include "capture/outlet.h"
#include "tactus/error.h"

struct tac_capturing {
    struct tac_outlet_config outlet;
    char *const *argv;   /* a program to run and watch, or NULL: */
    const char *address; /* wait for or connect to recorders there, see base/net.h */
    const char *token;   /* or NULL */
    double seconds;      /* > 0: end after so long; a program too */
    int kernel;          /* 1: with the kernel's account of this machine, where permitted */
    struct tac_kernel_config kernel_config; /* of it; its path is not used */
    uint32_t pid;        /* > 0: the process that `address` belongs to, for messages */
    const char *command; /* who says the messages; NULL: capture */
    const char *begun; /* said when the first recorder has come, instead of that it did; or NULL */
};

struct tac_capturing_result {
    int status;        /* of the program, as a shell would give it */
    uint32_t sessions; /* recordings */
    uint64_t kernel_events, kernel_lost, refused, garbage;
    struct tac_outlet_stats outlet; /* of the first */
};

/* 0, or -errno with a sentence; -TAC_E_UNKNOWN: nothing was recorded. */
TAC_MUST_CHECK int tac_capturing_run(const struct tac_capturing *capturing,
                                     struct tac_capturing_result *ret_result,
                                     struct tac_error *err);

#endif
