/* SPDX-License-Identifier: MIT
 * patch_file.c - from a file or a text to the checked graph. */
#include "graph/graph.h"

#include "base/plain_file.h"
#include "graph/read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int read_text(const char *text, size_t bytes, const char *name, const char *folder,
                     struct tac_graph_mistakes *mistakes, struct tac_graph **ret_graph,
                     struct tac_error *err)
{
    struct tac_graph *graph = calloc(1, sizeof *graph);
    if (!graph)
        return tac_error_set(err, -ENOMEM, name, 0, 0, "out of memory");
    struct tac_stash text_stash = {0}; /* the tree: dropped when the graph is made */
    struct tac_graph_reader reader = {graph, err, mistakes};
    struct tac_yaml *root = NULL;
    graph->file = tac_stash_string(&graph->stash, name, strlen(name));
    graph->folder = tac_stash_string(&graph->stash, folder, strlen(folder));
    size_t mark = bytes >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0; /* of byte order */
    int code = tac_yaml_parse(text + mark, bytes - mark, name, &text_stash, &root, err);
    if (code >= 0)
        code = graph->file && graph->folder
                   ? tac_graph_read_patch(&reader, root)
                   : tac_error_set(err, -ENOMEM, name, 0, 0, "out of memory");
    if (mistakes)
        tac_names_fini(&mistakes->wrong); /* its names are of the tree */
    tac_stash_fini(&text_stash);
    if (code < 0) {
        tac_graph_free(graph);
        return code;
    }
    *ret_graph = graph;
    return 0;
}

int tac_graph_read(const char *text, size_t bytes, const char *name, const char *folder,
                   struct tac_graph **ret_graph, struct tac_error *err)
{
    return read_text(text, bytes, name, folder, NULL, ret_graph, err);
}

int tac_graph_load_text(const char *path, char **ret_text, size_t *ret_bytes, struct tac_error *err)
{
    const char *other;
    int code = tac_plain_file_read(path, TAC_YAML_BYTES_MAX, ret_text, ret_bytes, &other);
    if (other)
        return tac_error_set(err, code, path, 0, 0, "is %s; a patch is read from a file", other);
    return code < 0 ? tac_error_set(err, code, path, 0, 0, "cannot be opened: %s", strerror(-code))
                    : 0;
}

char *tac_graph_folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? strndup(path, (size_t)(slash - path) + 1) : strdup("");
}

static int read_file(const char *path, struct tac_graph_mistakes *mistakes,
                     struct tac_graph **ret_graph, struct tac_error *err)
{
    char *text = NULL;
    size_t bytes = 0;
    int code = tac_graph_load_text(path, &text, &bytes, err);
    if (code < 0)
        return code;
    char *folder = tac_graph_folder_of(path);
    code = folder ? read_text(text, bytes, path, folder, mistakes, ret_graph, err)
                  : tac_error_set(err, -ENOMEM, path, 0, 0, "out of memory");
    free(folder);
    free(text);
    return code;
}

int tac_graph_open(const char *path, struct tac_graph **ret_graph, struct tac_error *err)
{
    return read_file(path, NULL, ret_graph, err);
}

int tac_graph_check(const char *path, tac_graph_tell tell, void *user, struct tac_error *err)
{
    struct tac_graph_mistakes mistakes = {.tell = tell, .user = user};
    struct tac_graph *graph = NULL;
    int code = read_file(path, &mistakes, &graph, err);
    tac_graph_free(graph);
    return code < 0 && !mistakes.count ? code : mistakes.count;
}

int tac_graph_arrange(struct tac_graph *graph)
{
    struct tac_error unsaid;
    for (uint32_t i = 0; i < graph->node_count; i++)
        graph->node[i].cable_count = 0;
    return tac_graph_sort(&(struct tac_graph_reader){graph, &unsaid, NULL});
}
