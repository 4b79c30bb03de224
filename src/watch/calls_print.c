/* SPDX-License-Identifier: MIT
 * calls_print.c - formatted output inside cycles, with the checked twins that fortified programs
 * call. Those with dots are handed on to the real function of the v-form, whose effect is the same.
 * Output into memory (snprintf) is no call that waits, and not here. */
#define __NO_INLINE__ 1 /* stdio.h shall not define what is defined here */

#include "watch/calls.h"

#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>
#include <wchar.h>

int __vprintf_chk(int flag, const char *format, va_list args);
int __vfprintf_chk(FILE *file, int flag, const char *format, va_list args);
int __vdprintf_chk(int fd, int flag, const char *format, va_list args);
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

#define SYSLOG(real, ...)                                                                          \
    TAC_WATCH_SITE(site, "syslog");                                                                \
    struct tac_watch_call call = tac_watch_call_begin(&site, TAC_WATCH_CALLER);                    \
    va_list args;                                                                                  \
    va_start(args, format);                                                                        \
    TAC_WATCH_REAL(real)(__VA_ARGS__, format, args);                                               \
    va_end(args);                                                                                  \
    tac_watch_call_end(&call);

TAC_WATCH_EXPORT void syslog(int priority, const char *format, ...){SYSLOG(vsyslog, priority)}

TAC_WATCH_EXPORT void __syslog_chk(int priority, int flag, const char *format, ...)
{
    SYSLOG(__vsyslog_chk, priority, flag)
}
