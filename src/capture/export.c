/* SPDX-License-Identifier: MIT
 * export.c - see export.h: which format, and the way of chunks through walk.h to it. */
#include "capture/export.h"

#include "capture/walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct tac_export {
    const struct tac_export_format *format;
    const char *path;
    void *me;
    struct tac_walk *walk;
    bool ended; /* read to its end */
    int error;
};

const struct tac_export_format *tac_export_named(const char *name)
{
    for (const struct tac_export_format *const *f = tac_export_formats; *f; f++)
        if (!strcmp((*f)->name, name))
            return *f;
    return NULL;
}

const struct tac_export_format *tac_export_for(const char *path)
{
    size_t length = strlen(path);
    for (const struct tac_export_format *const *f = tac_export_formats; *f; f++) {
        size_t n = strlen((*f)->suffix);
        if (length > n && !strcmp(path + length - n, (*f)->suffix))
            return *f;
    }
    return NULL;
}

int tac_export_open(const struct tac_export_format *format, const char *path,
                    const struct tac_export_options *options, struct tac_error *err,
                    struct tac_export **ret_export)
{
    static const struct tac_export_options none;
    struct tac_export *x = calloc(1, sizeof *x);
    int error = x ? format->open(path, options ? options : &none, &x->me) : -ENOMEM;
    if (error) {
        free(x);
        return tac_error_set(err, error, path, 0, 0, "cannot be written: %s",
                             tac_error_sentence(error));
    }
    x->format = format;
    x->path = path;
    error = tac_walk_open(&(struct tac_event_taker){x->me, format->event}, &x->walk);
    if (error) {
        (void)!format->close(x->me, NULL);
        free(x);
        return tac_error_set(err, error, path, 0, 0, "not enough memory");
    }
    *ret_export = x;
    return 0;
}

int tac_export_chunk(struct tac_export *x, const struct tac_format_chunk *head, const void *payload)
{
    if (!x->error)
        x->error = tac_walk_chunk(x->walk, head, payload);
    return x->error;
}

uint64_t tac_export_bytes(const struct tac_export *x)
{
    return x->format->bytes(x->me);
}

const struct tac_capture *tac_export_capture(const struct tac_export *x)
{
    return tac_walk_capture(x->walk);
}

void tac_export_mark(struct tac_export *x, const struct tac_capture *c,
                     const struct tac_export_mark *mark)
{
    if (x->format->mark)
        x->format->mark(x->me, c, mark);
}

int tac_export_read(struct tac_export *x, const char *recording, uint32_t *ret_problems,
                    struct tac_error *err)
{
    x->error = tac_walk_file(x->walk, recording, err);
    x->ended = true;
    if (ret_problems)
        *ret_problems = tac_walk_capture(x->walk)->problems;
    return x->error;
}

int tac_export_close(struct tac_export *x, struct tac_error *err)
{
    if (!x->error && !x->ended)
        x->error = tac_walk_end(x->walk);
    int error = x->format->close(x->me, x->error ? NULL : tac_walk_capture(x->walk));
    error = x->error ? x->error : error;
    if (error)
        tac_error_set(err, error, x->path, 0, 0, "cannot be written: %s",
                      tac_error_sentence(error));
    tac_walk_close(x->walk);
    free(x);
    return error;
}

int tac_export_file(const struct tac_export_format *format, const char *recording, const char *path,
                    const struct tac_export_options *options, uint32_t *ret_problems,
                    struct tac_error *err)
{
    struct tac_export *x = NULL;
    int error = tac_export_open(format, path, options, err, &x);
    if (error)
        return error;
    error = tac_export_read(x, recording, ret_problems, err);
    int closed = tac_export_close(x, error ? NULL : err);
    return error ? error : closed;
}
