/* SPDX-License-Identifier: MIT
 * calls_print.c - formatted output inside cycles, with the checked twins that fortified programs
 * call. Those with dots are handed on to the real function of the v-form, whose effect is the same.
 * Output into memory (snprintf) is no call that waits, and not here. error() at a line of a file is
 * not, either. */
#define __NO_INLINE__ 1 /* stdio.h shall not define what is defined here */

#include "watch/calls.h"

#include <err.h>
#include <error.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <wchar.h>

int __vprintf_chk(int flag, const char *format, va_list args);
int __vfprintf_chk(FILE *file, int flag, const char *format, va_list args);
int __vdprintf_chk(int fd, int flag, const char *format, va_list args);
int __vwprintf_chk(int flag, const wchar_t *format, va_list args);
int __vfwprintf_chk(FILE *file, int flag, const wchar_t *format, va_list args);
int __wprintf_chk(int flag, const wchar_t *format, ...);
int __fwprintf_chk(FILE *file, int flag, const wchar_t *format, ...);
void __vsyslog_chk(int priority, int flag, const char *format, va_list args);
int __printf_chk(int flag, const char *format, ...);
int __fprintf_chk(FILE *file, int flag, const char *format, ...);
int __dprintf_chk(int fd, int flag, const char *format, ...);
void __syslog_chk(int priority, int flag, const char *format, ...);

WRAP_AS("printf", int, vprintf, (const char *format, va_list args), (format, args))
WRAP_AS("fprintf", int, vfprintf, (FILE * file, const char *format, va_list args),
        (file, format, args))
WRAP_AS("dprintf", int, vdprintf, (int fd, const char *format, va_list args), (fd, format, args))
WRAP_AS("printf", int, __vprintf_chk, (int flag, const char *format, va_list args),
        (flag, format, args))
WRAP_AS("fprintf", int, __vfprintf_chk, (FILE * file, int flag, const char *format, va_list args),
        (file, flag, format, args))
WRAP_AS("dprintf", int, __vdprintf_chk, (int fd, int flag, const char *format, va_list args),
        (fd, flag, format, args))
WRAP_AS("wprintf", int, vwprintf, (const wchar_t *format, va_list args), (format, args))
WRAP_AS("fwprintf", int, vfwprintf, (FILE * file, const wchar_t *format, va_list args),
        (file, format, args))
WRAP_AS("wprintf", int, __vwprintf_chk, (int flag, const wchar_t *format, va_list args),
        (flag, format, args))
WRAP_AS("fwprintf", int, __vfwprintf_chk,
        (FILE * file, int flag, const wchar_t *format, va_list args), (file, flag, format, args))
WRAP_VOID(vwarn, (const char *format, va_list args), (format, args))
WRAP_VOID(vwarnx, (const char *format, va_list args), (format, args))
WRAP_VOID(vsyslog, (int priority, const char *format, va_list args), (priority, format, args))

/* The body of a function with dots; real: that of the v-form. */
#define PRINT(shown, last, real, ...)                                                              \
    TAC_WATCH_SITE(site, shown);                                                                   \
    struct tac_watch_call call = tac_watch_call_begin(&site, TAC_WATCH_CALLER);                    \
    va_list args;                                                                                  \
    va_start(args, last);                                                                          \
    int result = TAC_WATCH_REAL(real)(__VA_ARGS__, args);                                          \
    va_end(args);                                                                                  \
    tac_watch_call_end(&call);                                                                     \
    return result;

TAC_WATCH_EXPORT int printf(const char *format, ...){PRINT("printf", format, vprintf, format)}

TAC_WATCH_EXPORT int fprintf(FILE *file, const char *format,
                             ...){PRINT("fprintf", format, vfprintf, file, format)}

TAC_WATCH_EXPORT
    int dprintf(int fd, const char *format, ...){PRINT("dprintf", format, vdprintf, fd, format)}

TAC_WATCH_EXPORT int __printf_chk(int flag, const char *format,
                                  ...){PRINT("printf", format, __vprintf_chk, flag, format)}

TAC_WATCH_EXPORT int __fprintf_chk(FILE *file, int flag, const char *format, ...){
    PRINT("fprintf", format, __vfprintf_chk, file, flag, format)}

TAC_WATCH_EXPORT int __dprintf_chk(int fd, int flag, const char *format,
                                   ...){PRINT("dprintf", format, __vdprintf_chk, fd, flag, format)}

TAC_WATCH_EXPORT int wprintf(const wchar_t *format, ...){PRINT("wprintf", format, vwprintf, format)}

TAC_WATCH_EXPORT int fwprintf(FILE *file, const wchar_t *format,
                              ...){PRINT("fwprintf", format, vfwprintf, file, format)}

TAC_WATCH_EXPORT int __wprintf_chk(int flag, const wchar_t *format,
                                   ...){PRINT("wprintf", format, __vwprintf_chk, flag, format)}

TAC_WATCH_EXPORT int __fwprintf_chk(FILE *file, int flag, const wchar_t *format, ...){
    PRINT("fwprintf", format, __vfwprintf_chk, file, flag, format)}

#define SAY(shown, real, ...)                                                                      \
    TAC_WATCH_SITE(site, shown);                                                                   \
    struct tac_watch_call call = tac_watch_call_begin(&site, TAC_WATCH_CALLER);                    \
    va_list args;                                                                                  \
    va_start(args, format);                                                                        \
    TAC_WATCH_REAL(real)(__VA_ARGS__, args);                                                       \
    va_end(args);                                                                                  \
    tac_watch_call_end(&call);

TAC_WATCH_EXPORT
    void syslog(int priority, const char *format, ...){SAY("syslog", vsyslog, priority, format)}

TAC_WATCH_EXPORT void __syslog_chk(int priority, int flag, const char *format,
                                   ...){SAY("syslog", __vsyslog_chk, priority, flag, format)}

TAC_WATCH_EXPORT void warn(const char *format, ...){SAY("warn", vwarn, format)}

TAC_WATCH_EXPORT void warnx(const char *format, ...){SAY("warnx", vwarnx, format)}

/* error() has no form for a list of arguments: the text is made here. */
TAC_WATCH_EXPORT void error(int status, int number, const char *format, ...)
{
    TAC_WATCH_SITE(site, "error");
    struct tac_watch_call call = tac_watch_call_begin(&site, TAC_WATCH_CALLER);
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    TAC_WATCH_REAL(error)(status, number, "%s", n < 0 ? format : text);
    if (n >= 0)
        free(text);
    tac_watch_call_end(&call);
}
