/* SPDX-License-Identifier: MIT
 * unwind_none.c - built without elfutils: the program counter is the whole stack. */
#include "capture/unwind.h"

#include <string.h>

int tac_unwind_open(const struct tac_capture *capture, const char *folders,
                    struct tac_unwind **ret_unwind)
{
    static char nothing;
    (void)capture;
    (void)folders;
    *ret_unwind = (struct tac_unwind *)(void *)&nothing;
    return 0;
}

void tac_unwind_close(struct tac_unwind *u)
{
    (void)u;
}

uint32_t tac_unwind_copy(struct tac_unwind *u, const struct tac_format_stack_copy *copy,
                         const unsigned char *data, uint64_t *ret_pc)
{
    (void)u;
    if (!copy->registers)
        return 0;
    memcpy(ret_pc, data + 8 * (copy->registers - 1), sizeof *ret_pc);
    return 1;
}
