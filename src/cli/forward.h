/* SPDX-License-Identifier: MIT
 * forward.h - signals that this command gets while a program of the user's runs, passed on to it.
 *
 * SIGINT, SIGTERM, SIGHUP and SIGQUIT that were sent to this process alone are sent on to the
 * program. Those that were sent to the whole process group (Ctrl-C; timeout(1)) have reached it
 * already: a second one may find its handler at work and break it. Ctrl-\ ends a program that does
 * not listen to Ctrl-C any more, and what was recorded of it is still told. Threads: one, the main
 * one. */
#ifndef TAC_CLI_FORWARD_H
#define TAC_CLI_FORWARD_H

#include <sys/types.h>

/* Before fork. Signals of this thread wait until tac_forward_to(); what comes to another one before
 * that is lost. */
void tac_forward_start(void);

/* After fork: the program that gets them; 0 in the child, where all is again as before. */
void tac_forward_to(pid_t program);

/* The last signal that came since tac_forward_start(), or 0. */
int tac_forward_last(void);

/* The program has ended: signals do again what they did before the start. */
void tac_forward_stop(void);

#endif
