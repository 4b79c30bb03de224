/* SPDX-License-Identifier: MIT
 * calls_print.c - formatted output inside cycles, with the checked twins that fortified programs
 * call. Each is handed on to the real function of the v-form, whose effect is the same. */
#include "watch/watch.h"

#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>

int __vprintf_chk(int flag, const char *format, va_list args);
int __vfprintf_chk(FILE *file, int flag, const char *format, va_list args);
int __printf_chk(int flag, const char *format, ...);
int __fprintf_chk(FILE *file, int flag, const char *format, ...);

/* result = the real v-form; name is that of the wrapper. */
#define WRAP_PRINT(name, last, real, ...)                                                          \
    TAC_WATCH_SITE(site, name);                                                                    \
    struct tac_watch_call call = tac_watch_call_begin(&site, TAC_WATCH_CALLER);                    \
    va_list args;                                                                                  \
    va_start(args, last);                                                                          \
    int result = TAC_WATCH_REAL(real)(__VA_ARGS__, args);                                          \
    va_end(args);                                                                                  \
    tac_watch_call_end(&call);                                                                     \
    return result;

TAC_WATCH_EXPORT int printf(const char *format, ...){WRAP_PRINT("printf", format, vprintf, format)}

TAC_WATCH_EXPORT int fprintf(FILE *file, const char *format,
                             ...){WRAP_PRINT("fprintf", format, vfprintf, file, format)}

TAC_WATCH_EXPORT int __printf_chk(int flag, const char *format,
                                  ...){WRAP_PRINT("printf", format, __vprintf_chk, flag, format)}

TAC_WATCH_EXPORT int __fprintf_chk(FILE *file, int flag, const char *format, ...){
    WRAP_PRINT("fprintf", format, __vfprintf_chk, file, flag, format)}

TAC_WATCH_EXPORT int puts(const char *text)
{
    TAC_WATCH_SITE(site, "puts");
    struct tac_watch_call call = tac_watch_call_begin(&site, TAC_WATCH_CALLER);
    int result = TAC_WATCH_REAL(puts)(text);
    tac_watch_call_end(&call);
    return result;
}

TAC_WATCH_EXPORT int fputs(const char *text, FILE *file)
{
    TAC_WATCH_SITE(site, "fputs");
    struct tac_watch_call call = tac_watch_call_begin(&site, TAC_WATCH_CALLER);
    int result = TAC_WATCH_REAL(fputs)(text, file);
    tac_watch_call_end(&call);
    return result;
}

TAC_WATCH_EXPORT void syslog(int priority, const char *format, ...)
{
    TAC_WATCH_SITE(site, "syslog");
    struct tac_watch_call call = tac_watch_call_begin(&site, TAC_WATCH_CALLER);
    va_list args;
    va_start(args, format);
    TAC_WATCH_REAL(vsyslog)(priority, format, args);
    va_end(args);
    tac_watch_call_end(&call);
}
