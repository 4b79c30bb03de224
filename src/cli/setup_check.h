/* SPDX-License-Identifier: MIT
 * setup_check.h - is this machine and session set up for real-time audio? */
#ifndef TAC_CLI_SETUP_CHECK_H
#define TAC_CLI_SETUP_CHECK_H

#include "base/text.h"

#include <stdbool.h>

/* Add one line for each thing looked at, and the command that mends it where it is not well.
 * faults_only: leave out what is well. Returns how many are to be mended. Thread: any. */
int tac_setup_check(bool faults_only, struct tac_text *text);

/* The same as a JSON array of {"state": "good" | "mend" | "unknown", "fact", "do"}. */
void tac_setup_check_json(struct tac_text *text);

#endif
