/* SPDX-License-Identifier: MIT
 * text.c - the growing text buffer of text.h. */
#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static bool grow(struct tac_text *text, size_t more)
{
    if (text->failed)
        return false;
    size_t need = text->length + more + 1;
    if (need <= text->capacity)
        return true;
    size_t capacity = text->capacity ? text->capacity : 256;
    while (capacity < need)
        capacity *= 2;
    char *data = (char *)realloc(text->data, capacity);
    if (!data) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void tac_text_fini(struct tac_text *text)
{
    free(text->data);
    *text = (struct tac_text){0};
}

void tac_text_add_n(struct tac_text *text, const char *bytes, size_t n)
{
    if (!grow(text, n))
        return;
    memcpy(text->data + text->length, bytes, n);
    text->length += n;
    text->data[text->length] = 0;
}

void tac_text_add(struct tac_text *text, const char *string)
{
    tac_text_add_n(text, string, strlen(string));
}

void tac_text_addf(struct tac_text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    if (n >= 0 && grow(text, (size_t)n)) {
        vsnprintf(text->data + text->length, (size_t)n + 1, format, again);
        text->length += (size_t)n;
    }
    va_end(again);
    va_end(args);
}

/* Length of the valid UTF-8 sequence at s, or 0 when it is not one. */
static size_t utf8_length(const unsigned char *s)
{
    size_t n = s[0] < 0x80                   ? 1
               : s[0] >= 0xC2 && s[0] < 0xE0 ? 2
               : s[0] >= 0xE0 && s[0] < 0xF0 ? 3
               : s[0] >= 0xF0 && s[0] < 0xF5 ? 4
                                             : 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) ||
        (s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F))
        return 0;
    return n;
}

void tac_text_add_json(struct tac_text *text, const char *string)
{
    tac_text_add_n(text, "\"", 1);
    const unsigned char *s = (const unsigned char *)string;
    while (*s) {
        size_t n = utf8_length(s);
        if (!n)
            tac_text_add(text, "\\ufffd");
        else if (*s == '"' || *s == '\\')
            tac_text_addf(text, "\\%c", *s);
        else if (*s < 0x20)
            tac_text_addf(text, "\\u%04x", *s);
        else
            tac_text_add_n(text, (const char *)s, n);
        s += n ? n : 1;
    }
    tac_text_add_n(text, "\"", 1);
}

void tac_text_add_html(struct tac_text *text, const char *string)
{
    for (const char *s = string; *s; s++) {
        switch (*s) {
        case '&':
            tac_text_add(text, "&amp;");
            break;
        case '<':
            tac_text_add(text, "&lt;");
            break;
        case '>':
            tac_text_add(text, "&gt;");
            break;
        case '"':
            tac_text_add(text, "&quot;");
            break;
        default:
            tac_text_add_n(text, s, 1);
        }
    }
}

void tac_text_clean(char *text)
{
    for (unsigned char *s = (unsigned char *)text; *s;) {
        size_t n = utf8_length(s);
        bool space = *s == '\n' || *s == '\t' || *s == '\r';
        bool steers = *s < 0x20 || *s == 0x7F || (n == 2 && *s == 0xC2 && s[1] < 0xA0);
        if (space || steers || !n)
            memset(s, space ? ' ' : '?', n ? n : 1);
        s += n ? n : 1;
    }
}

const char *tac_text_string(const struct tac_text *text)
{
    return text->data ? text->data : "";
}

int tac_text_write(const struct tac_text *text, FILE *file)
{
    if (text->failed)
        return -ENOMEM;
    if (text->length && fwrite(text->data, 1, text->length, file) != text->length)
        return errno ? -errno : -EIO;
    return 0;
}

const char *tac_text_bytes(double bytes, char *buffer, size_t size)
{
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    unsigned u = 0;
    while (__builtin_fabs(bytes) >= 1024 && u < 4) {
        bytes /= 1024;
        u++;
    }
    snprintf(buffer, size, u && __builtin_fabs(bytes) < 100 ? "%.1f %s" : "%.0f %s", bytes,
             unit[u]);
    return buffer;
}

const char *tac_text_duration(double ns, char *buffer, size_t size)
{
    double a = __builtin_fabs(ns);
    if (a < 1e3)
        snprintf(buffer, size, "%.0f ns", ns);
    else if (a < 1e6)
        snprintf(buffer, size, a < 1e4 ? "%.1f us" : "%.0f us", ns / 1e3);
    else if (a < 1e9)
        snprintf(buffer, size, "%.2f ms", ns / 1e6);
    else
        snprintf(buffer, size, "%.2f s", ns / 1e9);
    return buffer;
}
