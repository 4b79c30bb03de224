/* SPDX-License-Identifier: MIT
 * error.c - codes, sentences and the text error of include/tactus/error.h.
 *
 * Everything comes from TAC_ERROR_LIST; there is no second list. Threads: any; the only shared
 * state is a thread-local buffer for errno texts. */
#include "tactus/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *tac_error_sentence(int code)
{
    static _Thread_local char text[128];
    code = code < 0 ? -code : code;
    switch (code) {
    case 0:
        return "no error";
#define TAC_X(symbol, value, sentence)                                                             \
    case value:                                                                                    \
        return sentence;
        TAC_ERROR_LIST(TAC_X)
#undef TAC_X
    default:
        return strerror_r(code, text, sizeof text);
    }
}

const char *tac_error_symbol(int code)
{
    code = code < 0 ? -code : code;
    switch (code) {
#define TAC_X(symbol, value, sentence)                                                             \
    case value:                                                                                    \
        return #symbol;
        TAC_ERROR_LIST(TAC_X)
#undef TAC_X
    default: {
        const char *name = strerrorname_np(code);
        return name ? name : "E?";
    }
    }
}

int tac_error_set(struct tac_error *err, int code, const char *file, unsigned line, unsigned column,
                  const char *format, ...)
{
    if (!err)
        return code;
    err->code = code;
    err->line = line;
    err->column = column;
    snprintf(err->file, sizeof err->file, "%s", file ? file : "");
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    return code;
}

const char *tac_error_format(const struct tac_error *err, char *buffer, unsigned long size)
{
    char where[TAC_ERROR_FILE_MAX + 32] = "";
    if (err->file[0] && err->line && err->column)
        snprintf(where, sizeof where, "%s:%u:%u: ", err->file, err->line, err->column);
    else if (err->file[0] && err->line)
        snprintf(where, sizeof where, "%s:%u: ", err->file, err->line);
    else if (err->file[0])
        snprintf(where, sizeof where, "%s: ", err->file);
    snprintf(buffer, size, "%s%s", where, err->text[0] ? err->text : tac_error_sentence(err->code));
    return buffer;
}
