/* SPDX-License-Identifier: MIT
 * written.c - no recorder writes over what the patch plays, nor over another recorder's file.
 *
 * Two names are the same file when the system says so (links, "./"), or, while there is no file
 * yet, when they are the same text. Each file is looked at once. */
#include "graph/graph.h"
#include "graph/read.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct place {
    const char *path;
    const struct tac_graph_node *node; /* NULL: the patch itself */
    struct stat st;
    bool there, written;
};

static void add(struct place *place, uint32_t *count, const char *path,
                const struct tac_graph_node *node, bool written)
{
    struct place *p = &place[(*count)++];
    *p = (struct place){.path = path, .node = node, .written = written};
    p->there = stat(path, &p->st) == 0;
}

/* Writes down where files are, room permitting; gives their number. */
static uint32_t list_files(const struct tac_graph *g, struct place *place, bool *ret_written)
{
    uint32_t count = 0;
    *ret_written = false;
    for (uint32_t i = 0; i < g->node_count; i++) {
        const struct tac_graph_node *n = &g->node[i];
        for (int o = 0; n->file && o < TAC_BLOCK_OPTIONS_MAX && n->block->option[o].name; o++) {
            bool written = n->block->option[o].kind == TAC_OPTION_RECORDING;
            if (!n->file[o])
                continue;
            *ret_written = *ret_written || written;
            if (place)
                add(place, &count, n->file[o], n, written);
            else
                count++;
        }
    }
    return count;
}

static bool is_same(const struct place *a, const struct place *b)
{
    if (a->there && b->there)
        return S_ISREG(a->st.st_mode) && a->st.st_dev == b->st.st_dev &&
               a->st.st_ino == b->st.st_ino;
    return !a->there && !b->there && !strcmp(a->path, b->path);
}

static int compare(const struct tac_graph_reader *r, const struct place *tape,
                   const struct place *place, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct place *p = &place[i];
        if (p == tape || !is_same(tape, p) || (p->written && p < tape))
            continue;
        const struct tac_graph_node *n = p->written ? p->node : tape->node;
        if (!p->node)
            return tac_graph_fail(r, -EEXIST, n->line, n->column, "'%s' would write over the patch",
                                  n->name);
        return tac_graph_fail(r, -EEXIST, n->line, n->column, "'%s' would write over what '%s' %s",
                              n->name, p->written ? tape->node->name : p->node->name,
                              p->written ? "records" : "plays");
    }
    return 0;
}

int tac_graph_check_written(const struct tac_graph_reader *r)
{
    bool written;
    uint32_t count = list_files(r->graph, NULL, &written);
    if (!written)
        return 0;
    struct place *place = malloc((count + 1) * sizeof *place);
    if (!place)
        return tac_graph_fail(r, -ENOMEM, 0, 0, "out of memory");
    list_files(r->graph, place, &written);
    add(place, &count, r->graph->file, NULL, false);
    int code = 0;
    for (uint32_t i = 0; i < count && tac_graph_goes_on(r, code); i++)
        if (place[i].written)
            code = tac_graph_first(code, compare(r, &place[i], place, count));
    free(place);
    return code;
}
