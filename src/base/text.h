/* SPDX-License-Identifier: MIT
 * text.h - a growing text buffer, with the escapes that our outputs need.
 *
 * For control threads: it allocates. A failed allocation makes the buffer stop growing and sets
 * failed, which the one who writes it out checks once (no caller checks each append). */
#ifndef TAC_BASE_TEXT_H
#define TAC_BASE_TEXT_H

#include "tactus/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct tac_text {
    char *data; /* always terminated once something was added; NULL before */
    size_t length, capacity;
    bool failed;
};

/* {0} is an empty text. */
void tac_text_fini(struct tac_text *text);
void tac_text_add(struct tac_text *text, const char *string);
void tac_text_add_n(struct tac_text *text, const char *bytes, size_t n);
void tac_text_addf(struct tac_text *text, const char *format, ...) TAC_PRINTF(2, 3);

/* A JSON string with its quotes; invalid UTF-8 becomes U+FFFD. */
void tac_text_add_json(struct tac_text *text, const char *string);

/* Text for HTML content and double-quoted attributes. */
void tac_text_add_html(struct tac_text *text, const char *string);

/* Make a stranger's text fit for one line of a terminal, in place and in its length: signs that
 * steer it and bytes that are no UTF-8 become '?', line feeds and tabs spaces. */
void tac_text_clean(char *text);

/* The text, never NULL. */
const char *tac_text_string(const struct tac_text *text);

/* Write all to the file; 0, -ENOMEM when the text failed, or -errno. */
int tac_text_write(const struct tac_text *text, FILE *file);

/* A human size: "512 B", "1.5 MiB". buffer >= 16 bytes; returned. */
const char *tac_text_bytes(double bytes, char *buffer, size_t size);

/* A human duration: "812 us", "1.33 ms", "2.50 s". buffer >= 16 bytes; returned. */
const char *tac_text_duration(double ns, char *buffer, size_t size);

#endif
