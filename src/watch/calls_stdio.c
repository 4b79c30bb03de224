/* SPDX-License-Identifier: MIT
 * calls_stdio.c - reading and writing through FILE; formatted output is in calls_print.c. What a
 * program's compiler put in line (getc_unlocked from a buffer that is not empty) makes no call. */
#undef _FILE_OFFSET_BITS
#define __NO_INLINE__ 1 /* stdio.h shall not define what is defined here */

#include "watch/calls.h"

#include <stdarg.h>
#include <stdio.h>
#include <wchar.h>

WRAP(FILE *, fopen, (const char *path, const char *mode), (path, mode))
WRAP_AS("fopen", FILE *, fopen64, (const char *path, const char *mode), (path, mode))
WRAP(FILE *, freopen, (const char *path, const char *mode, FILE *file), (path, mode, file))
WRAP(FILE *, fdopen, (int fd, const char *mode), (fd, mode))
WRAP(int, fclose, (FILE * file), (file))
WRAP(int, fflush, (FILE * file), (file))
WRAP(size_t, fread, (void *to, size_t bytes, size_t n, FILE *file), (to, bytes, n, file))
WRAP(size_t, fwrite, (const void *from, size_t bytes, size_t n, FILE *file), (from, bytes, n, file))
WRAP(int, fseek, (FILE * file, long at, int whence), (file, at, whence))
WRAP_AS("fseek", int, fseeko, (FILE * file, off_t at, int whence), (file, at, whence))
WRAP_AS("fseek", int, fseeko64, (FILE * file, off64_t at, int whence), (file, at, whence))
WRAP(char *, fgets, (char *to, int n, FILE *file), (to, n, file))
WRAP(int, fgetc, (FILE * file), (file))
WRAP(ssize_t, getline, (char **line, size_t *n, FILE *file), (line, n, file))
WRAP(ssize_t, getdelim, (char **line, size_t *n, int end, FILE *file), (line, n, end, file))
WRAP_AS("getdelim", ssize_t, __getdelim, (char **line, size_t *n, int end, FILE *file),
        (line, n, end, file))
WRAP_VOID(rewind, (FILE * file), (file))
WRAP(int, fputs, (const char *text, FILE *file), (text, file))
WRAP(int, fputc, (int c, FILE *file), (c, file))
WRAP(int, puts, (const char *text), (text))
WRAP_VOID(perror, (const char *text), (text))

/* Macros of stdio.h in some configurations. */
#undef getc
#undef putc
#undef putchar
#undef getchar
#undef getc_unlocked
#undef putc_unlocked
#undef getchar_unlocked
#undef putchar_unlocked
WRAP(int, getc, (FILE * file), (file))
WRAP(int, putc, (int c, FILE *file), (c, file))
WRAP(int, putchar, (int c), (c))
WRAP(int, getchar, (void), ())

/* Shown as those that lock. */
WRAP_AS("fread", size_t, fread_unlocked, (void *to, size_t bytes, size_t n, FILE *file),
        (to, bytes, n, file))
WRAP_AS("fwrite", size_t, fwrite_unlocked, (const void *from, size_t bytes, size_t n, FILE *file),
        (from, bytes, n, file))
WRAP_AS("fflush", int, fflush_unlocked, (FILE * file), (file))
WRAP_AS("fgets", char *, fgets_unlocked, (char *to, int n, FILE *file), (to, n, file))
WRAP_AS("fputs", int, fputs_unlocked, (const char *text, FILE *file), (text, file))
WRAP_AS("fgetc", int, fgetc_unlocked, (FILE * file), (file))
WRAP_AS("fputc", int, fputc_unlocked, (int c, FILE *file), (c, file))
WRAP_AS("getc", int, getc_unlocked, (FILE * file), (file))
WRAP_AS("putc", int, putc_unlocked, (int c, FILE *file), (c, file))
WRAP_AS("getchar", int, getchar_unlocked, (void), ())
WRAP_AS("putchar", int, putchar_unlocked, (int c), (c))
WRAP(wint_t, fgetwc, (FILE * file), (file))
WRAP(wint_t, fputwc, (wchar_t c, FILE *file), (c, file))
WRAP(wchar_t *, fgetws, (wchar_t * to, int n, FILE *file), (to, n, file))
WRAP(int, fputws, (const wchar_t *text, FILE *file), (text, file))

/* Formatted input. The C library's headers give it other names by the standard that a program is
 * built for, so they are spelt here. */
typedef int scan_function(FILE *file, const char *format, va_list args);
#define SCAN(id, shown, symbol, v_symbol, from, ...)                                               \
    int tac_##id(__VA_ARGS__ const char *format, ...) __asm__(symbol);                             \
    TAC_WATCH_EXPORT int tac_##id(__VA_ARGS__ const char *format, ...)                             \
    {                                                                                              \
        TAC_WATCH_SITE(site, shown);                                                               \
        struct tac_watch_call call = tac_watch_call_begin(&site, TAC_WATCH_CALLER);                \
        va_list args;                                                                              \
        va_start(args, format);                                                                    \
        int result = TAC_WATCH_REAL_AS(scan_function *, v_symbol, NULL, NULL)(from, format, args); \
        va_end(args);                                                                              \
        tac_watch_call_end(&call);                                                                 \
        return result;                                                                             \
    }
#define FILE_PARAM FILE *file,
SCAN(scanf, "scanf", "scanf", "vfscanf", stdin, )
SCAN(fscanf, "fscanf", "fscanf", "vfscanf", file, FILE_PARAM)
SCAN(scanf99, "scanf", "__isoc99_scanf", "__isoc99_vfscanf", stdin, )
SCAN(fscanf99, "fscanf", "__isoc99_fscanf", "__isoc99_vfscanf", file, FILE_PARAM)
SCAN(scanf23, "scanf", "__isoc23_scanf", "__isoc23_vfscanf", stdin, )
SCAN(fscanf23, "fscanf", "__isoc23_fscanf", "__isoc23_vfscanf", file, FILE_PARAM)

/* What fortified programs call. */
size_t __fread_chk(void *to, size_t size, size_t bytes, size_t n, FILE *file);
char *__fgets_chk(char *to, size_t size, int n, FILE *file);
size_t __fread_unlocked_chk(void *to, size_t size, size_t bytes, size_t n, FILE *file);
char *__fgets_unlocked_chk(char *to, size_t size, int n, FILE *file);
WRAP_AS("fread", size_t, __fread_chk, (void *to, size_t size, size_t bytes, size_t n, FILE *file),
        (to, size, bytes, n, file))
WRAP_AS("fgets", char *, __fgets_chk, (char *to, size_t size, int n, FILE *file),
        (to, size, n, file))
WRAP_AS("fread", size_t, __fread_unlocked_chk,
        (void *to, size_t size, size_t bytes, size_t n, FILE *file), (to, size, bytes, n, file))
WRAP_AS("fgets", char *, __fgets_unlocked_chk, (char *to, size_t size, int n, FILE *file),
        (to, size, n, file))
