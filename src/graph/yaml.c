/* SPDX-License-Identifier: MIT
 * yaml.c - libyaml events to a tree, without recursion.
 *
 * The open containers stand on a stack of TAC_YAML_DEPTH_MAX; a text that nests deeper is refused
 * at the place where it does. */
#include "graph/yaml.h"

#include <errno.h>
#include <stdbool.h>
#include <yaml.h>

struct builder {
    yaml_parser_t parser;
    const char *name;
    struct tac_stash *stash;
    struct tac_error *err;
    struct tac_yaml *open[TAC_YAML_DEPTH_MAX];
    int depth;
    struct tac_yaml *root;
    const char *key; /* of the map entry that is being read, or NULL */
    unsigned key_line, key_column;
};

static int fail(struct builder *b, yaml_mark_t at, int code, const char *what)
{
    return tac_error_set(b->err, code, b->name, (unsigned)at.line + 1, (unsigned)at.column + 1,
                         "%s", what);
}

static int fail_parser(struct builder *b)
{
    const yaml_parser_t *p = &b->parser;
    if (p->error == YAML_MEMORY_ERROR)
        return fail(b, p->mark, -ENOMEM, "out of memory");
    if (p->error == YAML_READER_ERROR)
        return tac_error_set(b->err, -TAC_E_SYNTAX, b->name, 0, 0,
                             "this is not text in UTF-8 (%s at byte %zu)", p->problem,
                             p->problem_offset);
    return tac_error_set(b->err, -TAC_E_SYNTAX, b->name, (unsigned)p->problem_mark.line + 1,
                         (unsigned)p->problem_mark.column + 1, "not YAML: %s%s%s",
                         p->problem ? p->problem : "syntax error", p->context ? " " : "",
                         p->context ? p->context : "");
}

/* Maps of patches are small or are checked by name where they are read (nodes). */
static bool is_repeated(const struct tac_yaml *map, const char *key)
{
    return map->count < 64 && tac_yaml_get(map, key);
}

static int take_key(struct builder *b, const yaml_event_t *e)
{
    const char *text = (const char *)e->data.scalar.value;
    struct tac_yaml *map = b->open[b->depth - 1];
    if (is_repeated(map, text))
        return tac_error_set(b->err, -TAC_E_DUPLICATE, b->name, (unsigned)e->start_mark.line + 1,
                             (unsigned)e->start_mark.column + 1, "'%.60s' is given twice", text);
    b->key = tac_stash_string(b->stash, text, e->data.scalar.length);
    b->key_line = (unsigned)e->start_mark.line + 1;
    b->key_column = (unsigned)e->start_mark.column + 1;
    return b->key ? 0 : fail(b, e->start_mark, -ENOMEM, "out of memory");
}

static struct tac_yaml *attach(struct builder *b, const yaml_event_t *e, enum tac_yaml_kind kind)
{
    struct tac_yaml *n = tac_stash_take(b->stash, sizeof *n);
    if (!n)
        return NULL;
    *n = (struct tac_yaml){.kind = kind,
                           .line = (unsigned)e->start_mark.line + 1,
                           .column = (unsigned)e->start_mark.column + 1,
                           .text = "",
                           .key = b->key,
                           .key_line = b->key_line,
                           .key_column = b->key_column};
    struct tac_yaml *parent = b->depth ? b->open[b->depth - 1] : NULL;
    if (!parent)
        b->root = n;
    else if (parent->last)
        parent->last->next = n;
    else
        parent->first = n;
    if (parent) {
        parent->last = n;
        parent->count++;
    }
    b->key = NULL;
    return n;
}

static int take_scalar(struct builder *b, const yaml_event_t *e)
{
    size_t length = e->data.scalar.length;
    if (e->data.scalar.anchor || e->data.scalar.tag)
        return fail(b, e->start_mark, -TAC_E_SYNTAX, "anchors and tags are not used in patches");
    if (length > TAC_YAML_SCALAR_MAX)
        return fail(b, e->start_mark, -TAC_E_LIMIT, "this text is too long (4096 bytes at most)");
    if (memchr(e->data.scalar.value, 0, length))
        return fail(b, e->start_mark, -TAC_E_SYNTAX, "there is a zero byte in the text");
    if (b->depth && b->open[b->depth - 1]->kind == TAC_YAML_MAP && !b->key)
        return take_key(b, e);
    struct tac_yaml *n = attach(b, e, TAC_YAML_SCALAR);
    if (n)
        n->text = tac_stash_string(b->stash, (const char *)e->data.scalar.value, length);
    return n && n->text ? 0 : fail(b, e->start_mark, -ENOMEM, "out of memory");
}

static int take_open(struct builder *b, const yaml_event_t *e, enum tac_yaml_kind kind)
{
    bool marked = e->type == YAML_MAPPING_START_EVENT
                      ? e->data.mapping_start.anchor || e->data.mapping_start.tag
                      : e->data.sequence_start.anchor || e->data.sequence_start.tag;
    if (marked)
        return fail(b, e->start_mark, -TAC_E_SYNTAX, "anchors and tags are not used in patches");
    if (b->depth == TAC_YAML_DEPTH_MAX)
        return fail(b, e->start_mark, -TAC_E_LIMIT, "nested too deeply");
    if (b->depth && b->open[b->depth - 1]->kind == TAC_YAML_MAP && !b->key)
        return fail(b, e->start_mark, -TAC_E_SYNTAX, "a name is expected here");
    struct tac_yaml *n = attach(b, e, kind);
    if (!n)
        return fail(b, e->start_mark, -ENOMEM, "out of memory");
    b->open[b->depth++] = n;
    return 0;
}

static int take_event(struct builder *b, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        return take_scalar(b, e);
    case YAML_MAPPING_START_EVENT:
        return take_open(b, e, TAC_YAML_MAP);
    case YAML_SEQUENCE_START_EVENT:
        return take_open(b, e, TAC_YAML_LIST);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        b->depth--;
        b->key = NULL;
        return 0;
    case YAML_ALIAS_EVENT:
        return fail(b, e->start_mark, -TAC_E_SYNTAX, "aliases are not used in patches");
    case YAML_DOCUMENT_START_EVENT:
        return b->root ? fail(b, e->start_mark, -TAC_E_SYNTAX, "a file holds one patch") : 0;
    default:
        return 0;
    }
}

static int run(struct builder *b)
{
    for (bool end = false; !end;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&b->parser, &event))
            return fail_parser(b);
        end = event.type == YAML_STREAM_END_EVENT;
        int code = take_event(b, &event);
        yaml_event_delete(&event);
        if (code < 0)
            return code;
    }
    return 0;
}

int tac_yaml_parse(const char *text, size_t bytes, const char *name, struct tac_stash *stash,
                   struct tac_yaml **ret_root, struct tac_error *err)
{
    if (bytes > TAC_YAML_BYTES_MAX)
        return tac_error_set(err, -TAC_E_LIMIT, name, 0, 0, "larger than 16 MiB: not a patch");
    struct builder b = {.name = name, .stash = stash, .err = err};
    if (!yaml_parser_initialize(&b.parser))
        return tac_error_set(err, -ENOMEM, name, 0, 0, "out of memory");
    yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&b.parser, (const unsigned char *)text, bytes);
    int code = run(&b);
    yaml_parser_delete(&b.parser);
    if (code < 0)
        return code;
    if (!b.root)
        return tac_error_set(err, -TAC_E_SYNTAX, name, 0, 0, "the file is empty");
    *ret_root = b.root;
    return 0;
}

struct tac_yaml *tac_yaml_get(const struct tac_yaml *map, const char *key)
{
    for (struct tac_yaml *n = map->kind == TAC_YAML_MAP ? map->first : NULL; n; n = n->next)
        if (n->key && !strcmp(n->key, key))
            return n;
    return NULL;
}
