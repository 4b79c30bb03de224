/* SPDX-License-Identifier: MIT
 * setup_check.h - is this machine, for whoever asks, set up for real-time audio? */
#ifndef TAC_CLI_SETUP_CHECK_H
#define TAC_CLI_SETUP_CHECK_H

#include "base/text.h"

#include <stdbool.h>

enum { TAC_SETUP_CHECKS = 12 };
enum tac_setup_verdict { TAC_SETUP_GOOD, TAC_SETUP_BAD, TAC_SETUP_UNKNOWN };

struct tac_setup_finding {
    enum tac_setup_verdict verdict;
    char fact[160];
    char mend[300]; /* the command that mends what is bad; else "" */
};

struct tac_setup {
    struct tac_setup_finding finding[TAC_SETUP_CHECKS];
    int faults; /* how many are to be mended */
};

/* Looks at everything, once. Thread: any. */
void tac_setup_check(struct tac_setup *ret_setup);

/* Add one line for each finding, and the command that mends it where it is not well. faults_only:
 * leave out what is well. */
void tac_setup_text(const struct tac_setup *setup, bool faults_only, struct tac_text *text);

/* The same as a JSON array of {"state": "good" | "mend" | "unknown", "fact", "do"}. */
void tac_setup_json(const struct tac_setup *setup, struct tac_text *text);

#endif
