/* SPDX-License-Identifier: MIT
 * patch_file.c - from a file or a text to the checked graph. */
#include "graph/graph.h"

#include "graph/read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
    int code = tac_yaml_parse(text, bytes, name, &text_stash, &root, err);
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

/* What is no file could keep the reader waiting for ever. */
static int refuse_other(int fd, const char *path, struct tac_error *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return tac_error_set(err, -errno, path, 0, 0, "cannot be read: %s", strerror(errno));
    if (S_ISREG(st.st_mode))
        return 0;
    return tac_error_set(err, -EINVAL, path, 0, 0, "is %s; a patch is read from a file",
                         S_ISDIR(st.st_mode)    ? "a directory"
                         : S_ISFIFO(st.st_mode) ? "a pipe"
                                                : "a device or a socket");
}

static int open_file(const char *path, FILE **ret_file, struct tac_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return tac_error_set(err, -errno, path, 0, 0, "cannot be opened: %s", strerror(errno));
    int code = refuse_other(fd, path, err);
    FILE *file = code < 0 ? NULL : fdopen(fd, "rb");
    if (!file)
        close(fd);
    if (!file && code >= 0)
        return tac_error_set(err, -ENOMEM, path, 0, 0, "out of memory");
    *ret_file = file;
    return code;
}

int tac_graph_load_text(const char *path, char **ret_text, size_t *ret_bytes, struct tac_error *err)
{
    FILE *file = NULL;
    int code = open_file(path, &file, err);
    if (code < 0)
        return code;
    char *text = malloc(TAC_YAML_BYTES_MAX + 1);
    size_t bytes = text ? fread(text, 1, TAC_YAML_BYTES_MAX + 1, file) : 0;
    int failed = text ? (ferror(file) ? errno : 0) : ENOMEM;
    fclose(file);
    if (failed) {
        free(text);
        return tac_error_set(err, -failed, path, 0, 0, "cannot be read: %s", strerror(failed));
    }
    *ret_text = text;
    *ret_bytes = bytes;
    return 0;
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
