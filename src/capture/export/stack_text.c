/* SPDX-License-Identifier: MIT
 * stack_text.c - see stack_text.h. */
#include "capture/export/stack_text.h"

#include <inttypes.h>
#include <stdio.h>

static void frame_text(const struct tac_capture *c, const struct tac_event *e, uint64_t pc,
                       char *buffer, size_t size)
{
    const char *name = e->stack->kind == TAC_STACK_KERNEL ? tac_capture_symbol_of(c, pc) : NULL;
    const struct tac_capture_module *m =
        e->stack->kind == TAC_STACK_USER ? tac_capture_module_of(c, pc) : NULL;
    const char *slash = m ? strrchr(m->path, '/') : NULL;
    if (name)
        snprintf(buffer, size, "%s", name);
    else if (m)
        snprintf(buffer, size, "%s+0x%" PRIx64, slash ? slash + 1 : m->path,
                 pc - m->start + m->offset);
    else
        snprintf(buffer, size, "0x%" PRIx64, pc);
}

size_t tac_stack_text(const struct tac_capture *c, const struct tac_event *e, char *buffer,
                      size_t size)
{
    size_t length = 0;
    buffer[0] = 0;
    for (uint32_t i = 0; i < e->stack->count; i++) {
        char frame[128];
        uint64_t pc;
        memcpy(&pc, e->data + i * sizeof pc, sizeof pc);
        frame_text(c, e, pc, frame, sizeof frame);
        size_t need = strlen(frame) + (i ? 3 : 0);
        if (length + need >= size)
            break;
        snprintf(buffer + length, size - length, "%s%s", i ? " < " : "", frame);
        length += need;
    }
    return length;
}
