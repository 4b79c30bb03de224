/* SPDX-License-Identifier: MIT
 * export_names.c - see export_names.h. */
#include "capture/export/export_names.h"

#include <inttypes.h>
#include <stdio.h>

const char *tac_export_category(uint32_t category)
{
    static const char *const name[] = {"app",  "cycle", "node", "task",   "memory",
                                       "lock", "call",  "plot", "control"};
    return category < sizeof name / sizeof *name ? name[category] : "user";
}

const char *tac_export_memory_op(uint64_t op)
{
    static const char *const name[] = {"alloc",    "free",     "realloc",
                                       "pool get", "pool put", "refused"};
    return op < sizeof name / sizeof *name ? name[op] : "memory";
}

/* ---- call stacks ---- */

struct tac_symbols *tac_frames_symbols(struct tac_frames *f, const struct tac_capture *c)
{
    if (!f->symbols && tac_symbols_open(c, f->folders, &f->symbols))
        f->failed = true;
    return f->symbols;
}

void tac_frames_fini(struct tac_frames *f)
{
    tac_symbols_close(f->symbols);
}

/* Where no function is known. */
static const char *place_text(const struct tac_capture *c, const struct tac_event *e, uint64_t pc,
                              char *buffer, size_t size)
{
    const struct tac_capture_module *m =
        e->stack->kind == TAC_STACK_USER
            ? tac_capture_module_in(c, tac_capture_pid_of(c, e->stack->tid), pc)
            : NULL;
    const char *slash = m ? strrchr(m->path, '/') : NULL;
    if (m)
        snprintf(buffer, size, "%s+0x%" PRIx64, slash ? slash + 1 : m->path,
                 pc - m->start + m->offset);
    else
        snprintf(buffer, size, "0x%" PRIx64, pc);
    return buffer;
}

const char *tac_frames_name(struct tac_frames *f, const struct tac_capture *c,
                            const struct tac_event *e, uint32_t i, char *buffer, size_t size,
                            const struct tac_symbol **ret_symbol)
{
    uint64_t pc;
    const char *name = NULL;
    memcpy(&pc, e->data + i * sizeof pc, sizeof pc);
    *ret_symbol = NULL;
    if (e->stack->kind == TAC_STACK_KERNEL) {
        name = tac_capture_symbol_of(c, pc);
    } else if (tac_frames_symbols(f, c)) {
        uint32_t pid = tac_capture_pid_of(c, e->stack->tid);
        const struct tac_symbol *s =
            tac_symbols_find_in(f->symbols, pid, pc, i ? TAC_SYMBOL_RETURN : TAC_SYMBOL_EXACT);
        *ret_symbol = s;
        name = *s->function ? s->function : NULL;
    }
    return name ? name : place_text(c, e, pc, buffer, size);
}

size_t tac_frames_line(struct tac_frames *f, const struct tac_capture *c, const struct tac_event *e,
                       char *buffer, size_t size)
{
    size_t length = 0;
    buffer[0] = 0;
    for (uint32_t i = 0; i < e->stack->count; i++) {
        char place[128];
        const struct tac_symbol *symbol;
        const char *name = tac_frames_name(f, c, e, i, place, sizeof place, &symbol);
        size_t need = strlen(name) + (i ? 3 : 0);
        if (length + need >= size)
            break;
        snprintf(buffer + length, size - length, "%s%s", i ? " < " : "", name);
        length += need;
    }
    return length;
}

/* ---- zones ---- */

void tac_open_zones_begin(struct tac_open_zones *z)
{
    if (z->count < TAC_OPEN_ZONES_MAX)
        z->said[z->count] = (struct tac_zone_said){0, TAC_CAPTURE_NONE};
    z->count++;
}

bool tac_open_zones_end(struct tac_open_zones *z, struct tac_zone_said *ret_said)
{
    if (!z->count)
        return false;
    z->count--;
    *ret_said = z->count < TAC_OPEN_ZONES_MAX ? z->said[z->count]
                                              : (struct tac_zone_said){0, TAC_CAPTURE_NONE};
    return true;
}

void tac_open_zones_say(struct tac_open_zones *z, const struct tac_event *e)
{
    if (!z->count || z->count > TAC_OPEN_ZONES_MAX)
        return;
    struct tac_zone_said *said = &z->said[z->count - 1];
    if (e->site != TAC_CAPTURE_NONE)
        said->text = e->site;
    else
        said->value = e->value;
}
