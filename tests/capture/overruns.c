/* SPDX-License-Identifier: MIT
 * overruns.c - a recording of a hundred forced overloads, for exports.py: threads one after
 * another, each with the smallest ring, and far more events than the helper can take from it. Every
 * thread is named after what it emitted: EMITTED events. usage: overruns FILE */
#include "tactus/trace.h"

#include <pthread.h>
#include <stdio.h>

enum { THREADS = 100, ZONES = 1000, EMITTED = 2 + 3 * ZONES, RING = 64 };

static void zone_with_message(void)
{
    TAC_ZONE("flood");
    TAC_MESSAGE("drop", 1);
}

static void *flood(void *unused)
{
    char name[24];
    snprintf(name, sizeof name, "emits-%d", EMITTED);
    if (tac_thread_register(name, RING))
        return unused;
    TAC_ZONE("whole");
    for (int i = 0; i < ZONES; i++)
        zone_with_message();
    return NULL;
}

int main(int argc, char **argv)
{
    struct tac_trace_config config = {.path = argc > 1 ? argv[1] : NULL, .fd = -1, .drain_ms = 20};
    if (tac_trace_start(&config))
        return 2;
    for (int i = 0; i < THREADS; i++) {
        pthread_t thread;
        void *failed = NULL;
        if (pthread_create(&thread, NULL, flood, &config) || pthread_join(thread, &failed) ||
            failed)
            return 2;
    }
    return tac_trace_stop() < 0;
}
