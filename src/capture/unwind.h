/* SPDX-License-Identifier: MIT
 * unwind.h - from the registers and the copied top of a stack to the addresses that led there.
 *
 * By the call frame information (.eh_frame, .debug_frame: DWARF 5, 6.4) of the files that were
 * mapped, which are found as symbols.h says; so it needs no frame pointers, and neither the program
 * nor, where the files are at hand, its machine: a recording of a board is unwound on a
 * workstation. It ends where the copy does, or where a file is missing. Needs elfutils (Meson
 * option `symbols`); built without it, the innermost address is all that is known.
 *
 * Threads: an object belongs to one thread. Cost: files are opened with the first stack, and again
 * when the recording tells of new modules; then some 10 to 50 us a stack. Internal to capture. */
#ifndef TAC_CAPTURE_UNWIND_H
#define TAC_CAPTURE_UNWIND_H

#include "capture/capture.h"

struct tac_unwind;

/* The capture must stay open; modules may be added to it. folders: as for tac_symbols_open. 0 or
 * -ENOMEM. */
TAC_MUST_CHECK int tac_unwind_open(const struct tac_capture *capture, const char *folders,
                                   struct tac_unwind **ret_unwind);
void tac_unwind_close(struct tac_unwind *unwind); /* NULL is fine */

/* data: the registers, then the bytes, as copy says; it is not aligned and not to be trusted.
 * Returns how many addresses, innermost first, at most TAC_STACK_MAX. */
uint32_t tac_unwind_copy(struct tac_unwind *unwind, const struct tac_format_stack_copy *copy,
                         const unsigned char *data, uint64_t *ret_pc);

#endif
