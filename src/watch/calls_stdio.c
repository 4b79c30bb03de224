/* SPDX-License-Identifier: MIT
 * calls_stdio.c - reading and writing through FILE; formatted output is in calls_print.c. */
#undef _FILE_OFFSET_BITS
#define __NO_INLINE__ 1 /* stdio.h shall not define what is defined here */

#include "watch/calls.h"

#include <stdio.h>

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
WRAP(int, fputs, (const char *text, FILE *file), (text, file))
WRAP(int, fputc, (int c, FILE *file), (c, file))
WRAP(int, puts, (const char *text), (text))
WRAP_VOID(perror, (const char *text), (text))

/* Macros of stdio.h in some configurations. */
#undef getc
#undef putc
#undef putchar
WRAP(int, getc, (FILE * file), (file))
WRAP(int, putc, (int c, FILE *file), (c, file))
WRAP(int, putchar, (int c), (c))

/* What fortified programs call. */
size_t __fread_chk(void *to, size_t size, size_t bytes, size_t n, FILE *file);
char *__fgets_chk(char *to, size_t size, int n, FILE *file);
WRAP_AS("fread", size_t, __fread_chk, (void *to, size_t size, size_t bytes, size_t n, FILE *file),
        (to, size, bytes, n, file))
WRAP_AS("fgets", char *, __fgets_chk, (char *to, size_t size, int n, FILE *file),
        (to, size, n, file))
