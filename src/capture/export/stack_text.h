/* SPDX-License-Identifier: MIT
 * stack_text.h - a call stack that the kernel took as one line, for formats without frames:
 * "schedule < futex_wait < ... ", innermost first. Functions of the kernel by the recording's
 * symbols, places in the program as module+0xoffset, for tools that know its files. What does not
 * fit is left out at the outer end. */
#ifndef TAC_CAPTURE_EXPORT_STACK_TEXT_H
#define TAC_CAPTURE_EXPORT_STACK_TEXT_H

#include "capture/events.h"

/* e: KERNEL_STACK. Returns the length. */
size_t tac_stack_text(const struct tac_capture *capture, const struct tac_event *e, char *buffer,
                      size_t size);

#endif
