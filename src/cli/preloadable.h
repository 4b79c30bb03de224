/* SPDX-License-Identifier: MIT
 * preloadable.h - can a library be put in front of this program?
 *
 * The dynamic loader ignores LD_PRELOAD for programs that are static, or run with other rights than
 * the caller's, and cannot load ours into one of another machine type. Saying so before the start
 * beats a report that is silently empty. */
#ifndef TAC_CLI_PRELOADABLE_H
#define TAC_CLI_PRELOADABLE_H

#include "tactus/error.h"

/* Look the program up (in PATH when it has no slash) and examine it. A script stands for its
 * interpreter. 0, or a negative code with a sentence in *err: -ENOENT, -EACCES, -ENOEXEC (static,
 * or another machine), -EPERM (runs with other rights). */
TAC_MUST_CHECK int tac_preloadable_check(const char *program, struct tac_error *err);

#endif
