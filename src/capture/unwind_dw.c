/* SPDX-License-Identifier: MIT
 * unwind_dw.c - see unwind.h; through libdwfl of elfutils, which knows the machines' registers.
 *
 * One libdwfl session holds all modules of the traced program where they were mapped. To it, the
 * stack at hand is the only thread of a stopped process: its registers and its memory are those of
 * the copy. Where a module came later than another at the same place, the later one counts. */
#include "capture/unwind.h"

#include "capture/elf_place.h"
#include "capture/module_file.h"

#include <elfutils/libdwfl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct tac_unwind {
    const struct tac_capture *capture;
    char *folders, *debug_folders; /* libdwfl keeps a pointer to the second */
    Dwfl *dwfl;                    /* NULL: not yet, or there is nothing to unwind by */
    size_t modules;                /* of the capture when it was last looked at */
    size_t own;                    /* of these, those of the traced program */
    Dwfl_Callbacks callbacks;
    /* the stack at hand */
    const struct tac_format_stack_copy *copy;
    const unsigned char *data;
    uint64_t *pc;
    uint32_t count;
};

int tac_unwind_open(const struct tac_capture *capture, const char *folders,
                    struct tac_unwind **ret_unwind)
{
    struct tac_unwind *u = calloc(1, sizeof *u);
    if (!u || !(u->folders = strdup(tac_module_folders(folders))) ||
        !(u->debug_folders = tac_elf_debug_path(u->folders))) {
        tac_unwind_close(u);
        return -ENOMEM;
    }
    u->capture = capture;
    u->callbacks = (Dwfl_Callbacks){.find_elf = dwfl_build_id_find_elf,
                                    .find_debuginfo = dwfl_standard_find_debuginfo,
                                    .debuginfo_path = &u->debug_folders};
    *ret_unwind = u;
    return 0;
}

void tac_unwind_close(struct tac_unwind *u)
{
    if (!u)
        return;
    if (u->dwfl)
        dwfl_end(u->dwfl);
    free(u->folders);
    free(u->debug_folders);
    free(u);
}

/* ---- what was mapped where ---- */

struct attempt {
    struct tac_unwind *u;
    const struct tac_capture_module *module;
};

/* The difference between addresses of the program and of the file; false when it is another one. */
static bool find_bias(const char *path, const struct tac_capture_module *m, uint64_t *ret_bias)
{
    struct tac_elf_place place;
    struct stat st;
    if (stat(path, &st) || !S_ISREG(st.st_mode)) /* a recording may name a pipe or a device */
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    Elf *elf = elf_version(EV_CURRENT) ? elf_begin(fd, ELF_C_READ, NULL) : NULL;
    bool good = elf && tac_elf_place_read(elf, m->build_id, &place);
    if (good)
        *ret_bias = m->start - tac_elf_place_address(&place, m->offset, 0);
    elf_end(elf);
    close(fd);
    return good;
}

static void *try_module(void *me, const char *path)
{
    const struct attempt *a = me;
    uint64_t bias;
    return find_bias(path, a->module, &bias)
               ? dwfl_report_elf(a->u->dwfl, path, path, -1, bias, true)
               : NULL;
}

/* Whether a later module lies where this one did. */
static bool is_replaced(const struct tac_capture *c, size_t i)
{
    const struct tac_capture_module *m = &c->modules[i];
    for (size_t k = i + 1; k < c->modules_count && c->modules[k].start < m->end; k++)
        if (c->modules[k].pid == m->pid)
            return true;
    return false;
}

static pid_t find_thread(Dwfl *dwfl, void *me, void **thread)
{
    (void)dwfl;
    pid_t tid = *thread ? 0 : 1;
    *thread = me;
    return tid;
}

/* A copy is in the byte order and the word size of its machine, which is little-endian. */
static bool read_memory(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *ret_word, void *me)
{
    (void)dwfl;
    const struct tac_unwind *u = me;
    const struct tac_format_stack_copy *copy = u->copy;
    uint32_t word = copy->registers <= 16 ? 4 : 8; /* armhf has 16 registers, all others more */
    uint64_t at = address - copy->address;
    if (address < copy->address || at + word > copy->bytes)
        return false;
    *ret_word = 0;
    memcpy(ret_word, u->data + 8u * copy->registers + at, word);
    return true;
}

static bool set_registers(Dwfl_Thread *thread, void *me)
{
    const struct tac_unwind *u = me;
    Dwarf_Word value[TAC_STACK_REGISTERS_MAX];
    unsigned count = u->copy->registers - 1u;
    memcpy(value, u->data, (count + 1) * sizeof *value);
    if (!dwfl_thread_state_registers(thread, 0, count, value))
        return false;
    dwfl_thread_state_register_pc(thread, value[count]);
    return true;
}

static const Dwfl_Thread_Callbacks thread_callbacks = {
    .next_thread = find_thread, .memory_read = read_memory, .set_initial_registers = set_registers};

static void make(struct tac_unwind *u)
{
    const struct tac_capture *c = u->capture;
    u->dwfl = dwfl_begin(&u->callbacks);
    if (!u->dwfl)
        return;
    dwfl_report_begin(u->dwfl);
    for (size_t i = 0; i < c->modules_count; i++) {
        const struct tac_capture_module *m = &c->modules[i];
        struct attempt a = {u, m};
        if (!m->pid && !is_replaced(c, i))
            (void)tac_module_file_find(m->path, m->build_id, u->folders, try_module, &a);
    }
    if (dwfl_report_end(u->dwfl, NULL, NULL) == 0 &&
        dwfl_attach_state(u->dwfl, NULL, 1, &thread_callbacks, u))
        return;
    dwfl_end(u->dwfl);
    u->dwfl = NULL;
}

/* Other processes come and go, and their modules are not for here. */
static void keep_up(struct tac_unwind *u)
{
    const struct tac_capture *c = u->capture;
    size_t own = 0;
    if (u->modules == c->modules_count)
        return;
    u->modules = c->modules_count;
    for (size_t i = 0; i < c->modules_count; i++)
        own += !c->modules[i].pid;
    if (own == u->own)
        return;
    u->own = own;
    if (u->dwfl)
        dwfl_end(u->dwfl);
    make(u);
}

/* ---- one stack ---- */

static int take_frame(Dwfl_Frame *frame, void *me)
{
    struct tac_unwind *u = me;
    Dwarf_Addr pc;
    if (u->count == TAC_STACK_MAX || !dwfl_frame_pc(frame, &pc, NULL) || !pc)
        return DWARF_CB_ABORT;
    u->pc[u->count++] = pc;
    return DWARF_CB_OK;
}

uint32_t tac_unwind_copy(struct tac_unwind *u, const struct tac_format_stack_copy *copy,
                         const unsigned char *data, uint64_t *ret_pc)
{
    if (!copy->registers || copy->registers > TAC_STACK_REGISTERS_MAX)
        return 0;
    keep_up(u);
    u->copy = copy;
    u->data = data;
    u->pc = ret_pc;
    u->count = 0;
    if (u->dwfl)
        (void)dwfl_getthread_frames(u->dwfl, 1, take_frame, u);
    if (u->count)
        return u->count;
    memcpy(ret_pc, data + 8u * (copy->registers - 1u), sizeof *ret_pc);
    return 1;
}
