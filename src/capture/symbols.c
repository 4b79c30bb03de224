/* SPDX-License-Identifier: MIT
 * symbols.c - see symbols.h: which file stands for a mapping, and a table of the answers. */
#include "capture/symbols.h"

#include "capture/idmap.h"
#include "capture/list.h"
#include "capture/module_file.h"
#include "capture/objects.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One file per (path, build-id), however many mappings it has. */
struct file {
    const char *path, *build_id;
    struct tac_object *object; /* NULL: there is none to be had */
};

struct answer {
    struct tac_symbol symbol;
    char *name; /* demangled */
};

typedef char *demangle_fn(const char *name, char *buffer, size_t *length, int *status);

struct tac_symbols {
    const struct tac_capture *capture;
    char *folders;
    struct tac_list files;      /* struct file */
    struct tac_list answers;    /* struct answer *: what was given away must stay */
    struct tac_idmap number_of; /* place, see key_of -> index + 1 in answers */
    void *cxx;
    demangle_fn *demangle;
};

int tac_symbols_open(const struct tac_capture *capture, const char *folders,
                     struct tac_symbols **ret_symbols)
{
    struct tac_symbols *s = calloc(1, sizeof *s);
    if (s) {
        s->capture = capture;
        s->folders = strdup(tac_module_folders(folders));
    }
    if (!s || !s->folders) {
        tac_symbols_close(s);
        return -ENOMEM;
    }
    /* the ABI's own demangler (Itanium C++ ABI, 5.1); a program that has none needs none */
    s->cxx = dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_LOCAL);
    if (s->cxx)
        *(void **)&s->demangle = dlsym(s->cxx, "__cxa_demangle");
    *ret_symbols = s;
    return 0;
}

void tac_symbols_close(struct tac_symbols *s)
{
    if (!s)
        return;
    struct answer **answers = s->answers.data;
    for (size_t i = 0; i < s->answers.count; i++) {
        free(answers[i]->name);
        free(answers[i]);
    }
    struct file *file = s->files.data;
    for (size_t i = 0; i < s->files.count; i++)
        tac_object_close(file[i].object);
    tac_list_fini(&s->files);
    tac_list_fini(&s->answers);
    tac_idmap_fini(&s->number_of);
    free(s->folders);
    if (s->cxx)
        dlclose(s->cxx);
    free(s);
}

/* ---- files ---- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

struct attempt {
    const struct file *file;
    const char *folders;
};

static void *try_file(void *me, const char *path)
{
    const struct attempt *a = me;
    return tac_object_open(path, a->file->build_id, a->folders);
}

static struct tac_object *find_object(const struct tac_symbols *s, const struct file *f)
{
    struct attempt a = {f, s->folders};
    return tac_module_file_find(f->path, f->build_id, s->folders, try_file, &a);
}

/* The number of a mapping's file in the list, from 1; 0: out of memory. */
static uint32_t file_of(struct tac_symbols *s, const struct tac_capture_module *m)
{
    struct file *file = s->files.data;
    for (size_t i = 0; i < s->files.count; i++)
        if (!strcmp(file[i].path, m->path) && !strcmp(file[i].build_id, m->build_id))
            return (uint32_t)i + 1;
    file = tac_list_add(&s->files, sizeof *file);
    if (!file)
        return 0;
    *file = (struct file){m->path, m->build_id, NULL};
    file->object = find_object(s, file);
    return (uint32_t)s->files.count;
}

/* ---- answers ---- */

static void set_function(struct tac_symbols *s, struct answer *a, const char *function)
{
    int status = 0;
    if (!function)
        return;
    if (s->demangle && !strncmp(function, "_Z", 2))
        a->name = s->demangle(function, NULL, NULL, &status);
    a->symbol.function = a->name ? a->name : function;
}

/* A place: module NULL: an address that no mapping holds. */
struct place {
    const struct tac_capture_module *module;
    uint32_t file;
    uint64_t address;
};

/* The same file in several processes has the same answers. */
static uint64_t key_of(const struct place *p)
{
    if (!p->module)
        return p->address | 1ull << 63;
    uint64_t in_file = p->module->offset + (p->address - p->module->start);
    return (uint64_t)p->file << 44 | (in_file & ((1ull << 44) - 1));
}

static void look_up(struct tac_symbols *s, struct answer *a, const struct place *p)
{
    const struct tac_capture_module *m = p->module;
    a->symbol = (struct tac_symbol){.module = "?",
                                    .path = "",
                                    .build_id = "",
                                    .function = "",
                                    .file = "",
                                    .offset = p->address};
    if (!m)
        return;
    uint64_t into = p->address - m->start;
    a->symbol.module = base_name(m->path);
    a->symbol.path = m->path;
    a->symbol.build_id = m->build_id;
    a->symbol.offset = m->offset + into;
    struct tac_object *object = p->file ? ((struct file *)s->files.data)[p->file - 1].object : NULL;
    if (!object)
        return;
    struct tac_object_place place = tac_object_find(object, m->offset, into);
    set_function(s, a, place.function);
    a->symbol.offset = place.function ? place.offset : a->symbol.offset;
    a->symbol.file = place.file ? place.file : "";
    a->symbol.line = place.line;
}

const struct tac_symbol *tac_symbols_find_in(struct tac_symbols *s, uint32_t pid, uint64_t address,
                                             enum tac_symbol_kind kind)
{
    static const struct tac_symbol unknown = {"?", "", "", "", "", 0, 0};
    address -= kind == TAC_SYMBOL_RETURN && address ? 1 : 0;
    struct place place = {tac_capture_module_in(s->capture, pid, address), 0, address};
    place.file = place.module ? file_of(s, place.module) : 0;
    uint32_t number = tac_idmap_get(&s->number_of, key_of(&place));
    struct answer **answers = s->answers.data;
    if (number)
        return &answers[number - 1]->symbol;
    struct answer *a = calloc(1, sizeof *a),
                  **slot = a ? tac_list_add(&s->answers, sizeof a) : NULL;
    if (!slot || !tac_idmap_put(&s->number_of, key_of(&place), (uint32_t)s->answers.count)) {
        s->answers.count -= slot != NULL;
        free(a);
        return &unknown;
    }
    *slot = a;
    look_up(s, a, &place);
    return &a->symbol;
}

const struct tac_symbol *tac_symbols_find(struct tac_symbols *s, uint64_t address,
                                          enum tac_symbol_kind kind)
{
    return tac_symbols_find_in(s, 0, address, kind);
}

const char *tac_symbol_text(const struct tac_symbol *symbol, char *buffer, size_t size)
{
    if (!*symbol->function)
        snprintf(buffer, size, "%s+0x%llx", symbol->module, (unsigned long long)symbol->offset);
    else if (symbol->line)
        snprintf(buffer, size, "%s, %s, %s:%u", symbol->module, symbol->function,
                 base_name(symbol->file), symbol->line);
    else
        snprintf(buffer, size, "%s, %s", symbol->module, symbol->function);
    return buffer;
}
