/* SPDX-License-Identifier: MIT
 * kallsyms.c - see kallsyms.h. Lines of the file: address, type, name, and [module]. */
#include "capture/kallsyms.h"

#include "capture/list.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT = 1 << 16, LINE = 160 };

struct symbol {
    uint64_t address; /* first: the sort key */
    uint32_t name;    /* place in names */
    bool given;
};

struct tac_kallsyms {
    struct tac_list table; /* struct symbol, by address */
    char *names;
    size_t used, size;
    char text[TEXT];
    size_t text_bytes;
};

static bool add(struct tac_kallsyms *k, uint64_t address, const char *name)
{
    size_t bytes = strlen(name) + 1;
    if (k->used + bytes > k->size) {
        size_t size = k->size ? 2 * k->size : 1 << 20;
        char *names = realloc(k->names, size);
        if (!names)
            return false;
        k->names = names;
        k->size = size;
    }
    struct symbol *s = tac_list_add(&k->table, sizeof *s);
    if (!s)
        return false;
    memcpy(k->names + k->used, name, bytes);
    *s = (struct symbol){address, (uint32_t)k->used, false};
    k->used += bytes;
    return true;
}

static void read_all(struct tac_kallsyms *k)
{
    FILE *file = fopen("/proc/kallsyms", "re");
    char line[512], name[LINE - 24], type;
    uint64_t address;
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "%" SCNx64 " %c %135s", &address, &type, name) == 3 && address &&
            strchr("tTwW", type) && !add(k, address, name))
            break;
    if (file)
        fclose(file);
    if (!tac_list_sort(&k->table, sizeof(struct symbol), NULL))
        k->table.count = 0;
}

struct tac_kallsyms *tac_kallsyms_new(void)
{
    struct tac_kallsyms *k = calloc(1, sizeof *k);
    if (k)
        read_all(k);
    return k;
}

void tac_kallsyms_free(struct tac_kallsyms *k)
{
    if (!k)
        return;
    tac_list_fini(&k->table);
    free(k->names);
    free(k);
}

static struct symbol *find(const struct tac_kallsyms *k, uint64_t address)
{
    struct symbol *s = k->table.data;
    size_t low = 0, high = k->table.count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (s[mid].address <= address)
            low = mid + 1;
        else
            high = mid;
    }
    return low ? &s[low - 1] : NULL;
}

const char *tac_kallsyms_name(const struct tac_kallsyms *k, uint64_t address, uint64_t *ret_start)
{
    const struct symbol *s = find(k, address);
    if (!s)
        return NULL;
    *ret_start = s->address;
    return k->names + s->name;
}

void tac_kallsyms_want(struct tac_kallsyms *k, uint64_t address)
{
    struct symbol *s = find(k, address);
    if (!s || s->given || k->text_bytes + LINE > TEXT)
        return; /* a full text: wanted again with the next stack */
    s->given = true;
    k->text_bytes += (size_t)snprintf(k->text + k->text_bytes, LINE, "%" PRIx64 " %s\n", s->address,
                                      k->names + s->name);
}

const char *tac_kallsyms_take_fresh(struct tac_kallsyms *k, size_t *ret_bytes)
{
    *ret_bytes = k ? k->text_bytes : 0;
    if (k)
        k->text_bytes = 0;
    return k ? k->text : "";
}
