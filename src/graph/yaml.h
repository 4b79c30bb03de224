/* SPDX-License-Identifier: MIT
 * yaml.h - a small tree of a YAML text, each node with its line and column.
 *
 * The subset that patches need: one document of maps, lists and scalars. Anchors, aliases and tags
 * are refused (a few lines of aliases can stand for terabytes). Limits: TAC_YAML_BYTES_MAX,
 * TAC_YAML_DEPTH_MAX. Threads: control. */
#ifndef TAC_GRAPH_YAML_H
#define TAC_GRAPH_YAML_H

#include "graph/stash.h"
#include "tactus/error.h"

enum { TAC_YAML_BYTES_MAX = 16 << 20, TAC_YAML_DEPTH_MAX = 16, TAC_YAML_SCALAR_MAX = 4096 };

enum tac_yaml_kind { TAC_YAML_SCALAR, TAC_YAML_MAP, TAC_YAML_LIST };

struct tac_yaml {
    enum tac_yaml_kind kind;
    unsigned line, column;
    const char *text; /* of a scalar; "" else */
    const char *key;  /* in a map; else NULL */
    unsigned key_line, key_column;
    uint32_t count; /* children */
    struct tac_yaml *first, *last, *next;
};

/* Parse text. The tree lives in the stash. name: for errors. */
int tac_yaml_parse(const char *text, size_t bytes, const char *name, struct tac_stash *stash,
                   struct tac_yaml **ret_root, struct tac_error *err);

/* The child of that key, or NULL. */
struct tac_yaml *tac_yaml_get(const struct tac_yaml *map, const char *key);

#endif
