/* SPDX-License-Identifier: MIT
 * export.h - a recording in the formats of other tools, in one pass and constant memory.
 *
 * Each format is one file (export/NAME.c, which defines TAC_EXPORT(NAME) = { ... }) and one word in
 * meson.build. An exporter takes chunks as they come, from a file or from a stream; places where
 * events were lost are in every format that can say so. Threads: one. */
#ifndef TAC_CAPTURE_EXPORT_H
#define TAC_CAPTURE_EXPORT_H

#include "capture/events.h"

#include <stdio.h>
#include <sys/types.h>

/* A span that somebody else found out, a verdict for example: shown on a track of its own. */
struct tac_export_mark {
    uint64_t begin_ns, end_ns;
    const char *track, *name;
    const char *text; /* shown when it is chosen; or NULL */
};

struct tac_export_options {
    const char *symbols; /* folders as for tac_symbols_open; NULL: the environment's */
};

struct tac_export_format {
    const char *name, *suffix, *doc;
    /* path: a file, or a folder where the format is one. 0 or -errno. */
    int (*open)(const char *path, const struct tac_export_options *options, void **ret_me);
    void (*event)(void *me, const struct tac_capture *c, const struct tac_event *event);
    /* Write a mark, whose times are on the clock of c; NULL: the format has no place for them. */
    void (*mark)(void *me, const struct tac_capture *c, const struct tac_export_mark *mark);
    /* What was written so far; may lag behind by what waits in memory. */
    uint64_t (*bytes)(const void *me);
    /* Write the rest, close and free; also after failure (c is NULL then). 0 or -errno. */
    int (*close)(void *me, const struct tac_capture *c);
};

/* That of a format which is one file. */
static inline uint64_t tac_export_written(FILE *file)
{
    off_t n = ftello(file);
    return n > 0 ? (uint64_t)n : 0;
}

#define TAC_EXPORT(id)                                                                             \
    extern const struct tac_export_format tac_export_##id;                                         \
    const struct tac_export_format tac_export_##id

/* All formats in the order of the word list, NULL-terminated. */
extern const struct tac_export_format *const tac_export_formats[];

/* By name ("perfetto"), or by the suffix of a path; NULL when there is none. */
const struct tac_export_format *tac_export_named(const char *name);
const struct tac_export_format *tac_export_for(const char *path);

struct tac_export;

/* options may be NULL and must stay. 0 or -errno with a sentence in err. */
TAC_MUST_CHECK int tac_export_open(const struct tac_export_format *format, const char *path,
                                   const struct tac_export_options *options, struct tac_error *err,
                                   struct tac_export **ret_export);
TAC_MUST_CHECK int tac_export_chunk(struct tac_export *export, const struct tac_format_chunk *head,
                                    const void *payload);
/* At any time between open and close; c: a capture of the same recording. */
void tac_export_mark(struct tac_export *export, const struct tac_capture *c,
                     const struct tac_export_mark *mark);
/* All chunks of a file; *ret_problems: enum tac_capture_problem; may be NULL. Then close. */
TAC_MUST_CHECK int tac_export_read(struct tac_export *export, const char *recording,
                                   uint32_t *ret_problems, struct tac_error *err);
uint64_t tac_export_bytes(const struct tac_export *export); /* written so far */
/* What the recording turned out to be; good until close. */
const struct tac_capture *tac_export_capture(const struct tac_export *export);
TAC_MUST_CHECK int tac_export_close(struct tac_export *export, struct tac_error *err);

/* A whole recording: open, read, close. */
TAC_MUST_CHECK int tac_export_file(const struct tac_export_format *format, const char *recording,
                                   const char *path, const struct tac_export_options *options,
                                   uint32_t *ret_problems, struct tac_error *err);

#endif
