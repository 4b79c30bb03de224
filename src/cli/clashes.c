/* SPDX-License-Identifier: MIT
 * clashes.c - see clashes.h.
 *
 * Two names are the same file when the system says so (links, "./"), or, while there is no file
 * yet, when they are the same name in the same folder. What is no plain file (a terminal, a socket,
 * /dev/null) may be shared. */
#include "cli/clashes.h"

#include "graph/graph.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { OUTPUTS = 3 };

static bool is_same_inode(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* The folder of a path; false when there is none. ret_name: what stands behind it. */
static bool stat_folder(const char *path, struct stat *ret_st, const char **ret_name)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    *ret_name = slash ? slash + 1 : path;
    int n = slash ? snprintf(folder, sizeof folder, "%.*s/", (int)(slash - path), path)
                  : snprintf(folder, sizeof folder, ".");
    return n < (int)sizeof folder && stat(folder, ret_st) == 0;
}

static bool will_be_same(const char *a, const char *b)
{
    struct stat x, y;
    const char *name_a, *name_b;
    return stat_folder(a, &x, &name_a) && stat_folder(b, &y, &name_b) && is_same_inode(&x, &y) &&
           strcmp(name_a, name_b) == 0;
}

bool tac_clashes_same(const char *a, const char *b)
{
    struct stat x, y;
    bool is_a = stat(a, &x) == 0, is_b = stat(b, &y) == 0;
    if (is_a && is_b)
        return S_ISREG(x.st_mode) && is_same_inode(&x, &y);
    return !is_a && !is_b && (strcmp(a, b) == 0 || will_be_same(a, b));
}

static int refuse(const char *path, const char *what, struct tac_error *err)
{
    return tac_error_set(err, -EEXIST, path, 0, 0,
                         "would be written over, but it is %s; give it "
                         "another name",
                         what);
}

int tac_clashes_refuse_file(const char *output, const char *input, const char *what,
                            struct tac_error *err)
{
    return tac_clashes_same(output, input) ? refuse(output, what, err) : 0;
}

/* Any of the outputs against one file that is read. */
static int check(const char *const *output, const char *input, const char *what,
                 struct tac_error *err)
{
    int code = 0;
    for (int i = 0; i < OUTPUTS && input && code >= 0; i++)
        if (output[i])
            code = tac_clashes_refuse_file(output[i], input, what, err);
    return code;
}

static int check_node(const char *const *output, const struct tac_graph_node *n,
                      struct tac_error *err)
{
    for (int i = 0; n->file && i < TAC_BLOCK_OPTIONS_MAX && n->block->option[i].name; i++) {
        bool written = n->block->option[i].kind == TAC_OPTION_RECORDING;
        int code =
            check(output, n->file[i],
                  written ? "what the patch records into" : "a file that the patch plays", err);
        if (code < 0)
            return code;
    }
    return 0;
}

static int check_patch(const char *const *output, const char *patch, struct tac_error *err)
{
    struct tac_graph *graph;
    struct tac_error ignored;
    struct stat st;
    if (stat(patch, &st) < 0 || !S_ISREG(st.st_mode) || tac_graph_open(patch, &graph, &ignored) < 0)
        return 0; // said when it is loaded
    int code = 0;
    for (uint32_t i = 0; i < graph->node_count && code >= 0; i++)
        if (graph->node[i].block)
            code = check_node(output, &graph->node[i], err);
    tac_graph_free(graph);
    return code;
}

int tac_clashes_refuse(const struct tac_player_config *c, struct tac_error *err)
{
    bool file = !c->backend->realtime;
    const char *output[OUTPUTS] = {file ? c->stream.device : NULL, c->record, c->trace};
    int code = 0, outputs = 0;
    for (int i = 0; i < OUTPUTS && code >= 0; i++) {
        outputs += output[i] != NULL;
        for (int k = 0; k < i && output[i] && code >= 0; k++)
            if (output[k])
                code = tac_clashes_refuse_file(output[i], output[k], "asked for twice", err);
    }
    for (uint32_t i = 0; i < c->patches && code >= 0; i++)
        code = check(output, c->patch[i], "the patch", err);
    if (code >= 0 && file)
        code = check(output, c->stream.capture, "the sound that is played into the patch", err);
    for (uint32_t i = 0; i < c->patches && outputs && code >= 0; i++)
        code = check_patch(output, c->patch[i], err);
    return code;
}
