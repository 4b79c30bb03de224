/* SPDX-License-Identifier: MIT
 * descriptors.h - the file descriptors that are ours (the recording, the kernel's counters) and
 * that the program cannot know: when it closes all that it does not know, as daemons do, these
 * stay. */
#ifndef TAC_WATCH_DESCRIPTORS_H
#define TAC_WATCH_DESCRIPTORS_H

#include <stdbool.h>

void tac_descriptor_keep(int fd);

/* In a child of fork, which has no recording: nothing is kept. */
void tac_descriptor_forget_all(void);

/* Called from the recorder's library or this one? */
bool tac_descriptor_is_our_code(const void *caller);

/* A device of ALSA or OSS? Found out by a system call, and remembered until the descriptor is
 * closed. Keeps errno. */
bool tac_descriptor_is_sound(int fd);

#endif
