/* SPDX-License-Identifier: MIT
 * framework.c - messages in the callback, a document in the loader; see framework.h.
 *
 * Sizes: a message is 16-255 bytes, every sixteenth 300-4 299 (a text, a list); an object of the
 * document is 16-255 bytes in 80 % of the cases, 256-8 255 in 18 %, 16-216 KB in 2 % (a decoded
 * picture or a waveform overview). The loader replaces objects at random and rests 2 ms after every
 * 20 000 replacements, as it would between two files. */
#include "cli/framework.h"

#include "tactus/trace.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { REPLACEMENTS_PER_FILE = 20000, REST_NS = 2000000, TOUCH_BYTES = 256 };

/* A small ring: the loader makes millions of calls a second, of which a part is evidence enough;
 * the recorder counts the rest. */
enum { LOADER_RECORDS = 2048 };

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static size_t object_bytes(uint32_t *seed)
{
    uint32_t percent = next_random(seed) % 100;
    if (percent < 80)
        return 16 + next_random(seed) % 240;
    if (percent < 98)
        return 256 + next_random(seed) % 8000;
    return 16384 + next_random(seed) % 200000;
}

static void replace_object(struct tac_framework *framework, uint32_t index, size_t bytes)
{
    free(framework->object[index]);
    void *object = malloc(bytes);
    if (object)
        memset(object, 1, bytes < TOUCH_BYTES ? bytes : TOUCH_BYTES);
    framework->object[index] = object;
    uint64_t live = atomic_load_explicit(&framework->live_bytes, memory_order_relaxed);
    live += (object ? bytes : 0) - (uint64_t)framework->object_bytes[index];
    framework->object_bytes[index] = object ? (uint32_t)bytes : 0;
    atomic_store_explicit(&framework->live_bytes, live, memory_order_relaxed);
}

static void *load_documents(void *argument)
{
    struct tac_framework *framework = argument;
    uint32_t seed = 1;
    tac_thread_register("loader", LOADER_RECORDS);
    while (!atomic_load_explicit(&framework->stop, memory_order_relaxed)) {
        for (int i = 0; i < REPLACEMENTS_PER_FILE; i++)
            replace_object(framework, next_random(&seed) % TAC_FRAMEWORK_OBJECTS,
                           object_bytes(&seed));
        nanosleep(&(struct timespec){0, REST_NS}, NULL);
    }
    return NULL;
}

int tac_framework_start(struct tac_framework *framework, uint32_t messages, int with_loader)
{
    if (messages > TAC_FRAMEWORK_MESSAGES_MAX)
        return -EINVAL;
    memset(framework, 0, sizeof *framework);
    framework->messages = messages;
    framework->seed = 7;
    mallopt(M_ARENA_MAX, 1);
    if (!with_loader)
        return 0;
    int error = pthread_create(&framework->loader, NULL, load_documents, framework);
    framework->loader_runs = !error;
    return -error;
}

void tac_framework_post(struct tac_framework *framework)
{
    TAC_ZONE("framework: post messages");
    for (uint32_t i = 0; i < framework->messages; i++) {
        uint32_t random = next_random(&framework->seed);
        size_t bytes = i % 16 ? 16 + random % 240 : 300 + random % 4000;
        uint64_t *message = malloc(bytes);
        if (message)
            *message = random;
        else
            framework->failed++;
        framework->message[i] = message;
    }
}

uint64_t tac_framework_deliver(struct tac_framework *framework)
{
    TAC_ZONE("framework: deliver messages");
    uint64_t sum = 0;
    for (uint32_t i = 0; i < framework->messages; i++) {
        uint64_t *message = framework->message[i];
        sum += message ? *message : 0;
        free(message);
    }
    return sum;
}

void tac_framework_stop(struct tac_framework *framework)
{
    atomic_store_explicit(&framework->stop, 1, memory_order_relaxed);
    if (framework->loader_runs)
        pthread_join(framework->loader, NULL);
    framework->loader_runs = 0;
    for (int i = 0; i < TAC_FRAMEWORK_OBJECTS; i++) {
        free(framework->object[i]);
        framework->object[i] = NULL;
    }
}

const char *tac_framework_describe(const struct tac_framework *framework, char *buffer, size_t size)
{
    snprintf(
        buffer, size,
        "%u messages of 16-4299 bytes allocated and freed in each callback; a loader thread of "
        "normal priority replaces %d objects of 16 bytes-216 KB at random; one malloc arena "
        "(M_ARENA_MAX=1)",
        framework->messages, TAC_FRAMEWORK_OBJECTS);
    return buffer;
}
