/* SPDX-License-Identifier: MIT
 * setting.h - advice that can be applied to a program from outside, so that a second run tells
 * whether it helps. */
#ifndef TAC_CLI_SETTING_H
#define TAC_CLI_SETTING_H

#include "base/text.h"

/* How a program is started differently. */
struct tac_setting {
    const char *name;  /* the word after --prove= */
    const char *title; /* "Tactus' heap" */
    const char *heap;  /* "system", "tactus" */
    const char *watch; /* words for the watch library, each ended by a comma, or "" */
    char env[64];      /* "NAME=value", or "" */
    int priority;      /* SCHED_FIFO of the whole program, or 0 */
    int no_huge_pages; /* 1: no transparent huge pages */
};

/* Find by "word" or "word=value". 0; -TAC_E_UNKNOWN when there is no such word, -ERANGE when the
 * value is out of range. */
int tac_setting_find(const char *words, struct tac_setting *ret_setting);

/* "heap, mlockall, ..." for messages. */
void tac_setting_list(struct tac_text *text);

#endif
