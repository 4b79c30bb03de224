/* SPDX-License-Identifier: MIT
 * json_text.h - whether a text is one whole JSON value, as far as brackets and commas show: for the
 * units that write JSON. What reads it in earnest are the tests in Python. */
#ifndef TAC_TESTS_JSON_TEXT_H
#define TAC_TESTS_JSON_TEXT_H

#include <stdbool.h>
#include <string.h>

/* Brackets outside of strings are balanced, no comma has a neighbour missing, and there is nothing
 * behind them but the end of a line. */
static inline bool json_text_is_whole(const char *json)
{
    int depth = 0;
    bool string = false;
    for (const char *s = json; *s; s++) {
        if (string && *s == '\\' && s[1])
            s++;
        else if (*s == '"')
            string = !string;
        else if (!string && (*s == '{' || *s == '['))
            depth++;
        else if (!string && (*s == '}' || *s == ']'))
            depth--;
        if (depth < 0 || (!string && *s == ',' && s[1] && strchr(",}]", s[1])))
            return false;
        if (depth == 0 && s[1] && strcmp(s + 1, "\n") != 0)
            return false;
    }
    return depth == 0 && !string && *json;
}

#endif
