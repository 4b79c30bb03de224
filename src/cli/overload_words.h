/* SPDX-License-Identifier: MIT
 * overload_words.h - what the engine gave up for lack of time, in words.
 *
 * Threads: any. */
#ifndef TAC_CLI_OVERLOAD_WORDS_H
#define TAC_CLI_OVERLOAD_WORDS_H

#include "tactus/engine.h"

/* For the status line: steps in force, the latest and why; "" when all is computed. */
const char *tac_overload_status(const struct tac_engine_overload *overload, char *buffer,
                                size_t size);

/* For the summary, a line without its newline: steps taken and those still in force, the latest and
 * why; "" when there never was one. */
const char *tac_overload_summary(const struct tac_engine_overload *overload, char *buffer,
                                 size_t size);

#endif
