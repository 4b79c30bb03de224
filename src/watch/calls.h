/* SPDX-License-Identifier: MIT
 * calls.h - the wrapper of a call that real-time code should not make.
 *
 * Inside a cycle it becomes a zone of category CALL with the way to it; outside it costs one load
 * and one branch. What the real function calls in turn is not looked at. */
#ifndef TAC_WATCH_CALLS_H
#define TAC_WATCH_CALLS_H

#include "watch/watch.h"

/* type name(params) calls the real name(args). The twins for large files are shown under their
 * plain names. */
#define WRAP(type, name, params, args) WRAP_AS(#name, type, name, params, args)
#define WRAP_AS(shown, type, name, params, args)                                                   \
    TAC_WATCH_EXPORT type name params                                                              \
    {                                                                                              \
        TAC_WATCH_SITE(site, shown);                                                               \
        struct tac_watch_call call = tac_watch_call_begin(&site, TAC_WATCH_CALLER);                \
        type result = TAC_WATCH_REAL(name) args;                                                   \
        tac_watch_call_end(&call);                                                                 \
        return result;                                                                             \
    }

#define WRAP_VOID(name, params, args)                                                              \
    TAC_WATCH_EXPORT void name params                                                              \
    {                                                                                              \
        TAC_WATCH_SITE(site, #name);                                                               \
        struct tac_watch_call call = tac_watch_call_begin(&site, TAC_WATCH_CALLER);                \
        TAC_WATCH_REAL(name) args;                                                                 \
        tac_watch_call_end(&call);                                                                 \
    }

#endif
