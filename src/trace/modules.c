/* SPDX-License-Identifier: MIT
 * modules.c - the program and libraries that are mapped, with their build ids: what a reader needs
 * to find symbols when the process is gone.
 *
 * The dynamic linker's list (dl_iterate_phdr(3)) is asked, not /proc/self/maps: it has the notes of
 * each object in memory, so a build id is known even when the file was replaced since, and its
 * counters of loads and unloads tell whether there is anything new. Helper and control threads. The
 * linker holds its own lock during the walk; nothing in the walk takes another. */
#include "base/build_id.h"
#include "trace/session.h"

#include <elf.h>
#include <inttypes.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_MAX = 1 << 18, LINE_MAX = 4600 };

struct walk {
    char *text;
    size_t used;
    char program[4096]; /* the linker has no name for it */
    uint64_t changes;
};

/* The build id of an object in hexadecimal, or "-". */
static void find_build_id(const struct dl_phdr_info *info, char *ret_text)
{
    strcpy(ret_text, "-");
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type != PT_NOTE || p->p_align > 8)
            continue;
        if (tac_build_id_find((const void *)(info->dlpi_addr + p->p_vaddr), p->p_memsz, p->p_align,
                              ret_text))
            return;
    }
}

static int list_object(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct walk *w = arg;
    const char *path = info->dlpi_name && *info->dlpi_name ? info->dlpi_name : w->program;
    char build_id[TAC_BUILD_ID_TEXT];
    (void)size;
    w->changes = info->dlpi_adds + info->dlpi_subs;
    find_build_id(info, build_id);
    for (int i = 0; i < info->dlpi_phnum && w->used + LINE_MAX < TEXT_MAX; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        uint64_t start = info->dlpi_addr + p->p_vaddr;
        if (p->p_type == PT_LOAD && p->p_flags & PF_X)
            w->used += (size_t)snprintf(w->text + w->used, LINE_MAX,
                                        "%" PRIx64 " %" PRIx64 " %" PRIx64 " %s %.4200s\n", start,
                                        start + p->p_memsz, (uint64_t)p->p_offset, build_id, path);
    }
    return 0;
}

static int count_changes(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    *(uint64_t *)arg = info->dlpi_adds + info->dlpi_subs;
    return 1;
}

void tac_facts_write_modules(struct tac_session *s)
{
    struct walk w = {.text = malloc(TEXT_MAX)};
    if (!w.text)
        return;
    ssize_t n = readlink("/proc/self/exe", w.program, sizeof w.program - 1);
    w.program[n > 0 ? n : 0] = 0;
    dl_iterate_phdr(list_object, &w);
    s->modules_seen = w.changes;
    struct tac_format_chunk chunk = {.kind = TAC_CHUNK_MODULE, .count = 1};
    tac_sink_put(&s->sink, &chunk, w.text, (uint32_t)w.used);
    free(w.text);
}

void tac_facts_check_modules(struct tac_session *s)
{
    uint64_t changes = s->modules_seen;
    dl_iterate_phdr(count_changes, &changes);
    if (changes != s->modules_seen)
        tac_facts_write_modules(s);
}
