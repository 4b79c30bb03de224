/* SPDX-License-Identifier: MIT
 * overload_words.c - sentences about struct tac_engine_overload; see overload_words.h. */
#include "cli/overload_words.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

enum { WORDS_MAX = 200 };

/* What the latest step did, in the words of the patch format. */
static const char *step(const struct tac_engine_overload *o, char buffer[WORDS_MAX])
{
    const char *form = !strcmp(o->action, "set")      ? "%.64s simplified"
                       : !strcmp(o->action, "voices") ? "fewer voices of %.64s"
                                                      : "%.64s muted";
    int used = snprintf(buffer, WORDS_MAX, form, o->target);
    char time[16];
    if (o->guilty[0])
        snprintf(buffer + used, WORDS_MAX - (size_t)used, "; %.64s cost most, %s a slice",
                 o->guilty, tac_text_duration(o->guilty_ns, time, sizeof time));
    return buffer;
}

const char *tac_overload_status(const struct tac_engine_overload *o, char *buffer, size_t size)
{
    char words[WORDS_MAX];
    buffer[0] = 0;
    if (o->level)
        snprintf(buffer, size, "OVERLOAD level %u (%s)", o->level, step(o, words));
    return buffer;
}

const char *tac_overload_summary(const struct tac_engine_overload *o, char *buffer, size_t size)
{
    char words[WORDS_MAX];
    buffer[0] = 0;
    if (o->steps)
        snprintf(buffer, size,
                 "overload: %llu step%s taken, %u in force at the end; the latest: %s",
                 (unsigned long long)o->steps, o->steps == 1 ? "" : "s", o->level, step(o, words));
    return buffer;
}
