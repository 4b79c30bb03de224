/* SPDX-License-Identifier: MIT
 * framework.h - the program around the sound in the founding story: it allocates as a certain kind
 * of application framework does.
 *
 * What it does is ordinary: the audio callback posts and delivers messages that are heap objects,
 * and a loader thread of normal priority builds and drops a document of the same kind of objects
 * and of larger ones. On many small boards all threads share one malloc arena, because
 * MALLOC_ARENA_MAX=1 (or mallopt) is the usual advice to save memory there; the framework sets that
 * too. Small allocations alone cost little; what hurts is that the loader's work and the callback's
 * meet at one lock. All of it goes through malloc and free, whoever provides them.
 *
 * Threads: start and stop control; post and deliver the audio thread; the loader is its own. */
#ifndef TAC_CLI_FRAMEWORK_H
#define TAC_CLI_FRAMEWORK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { TAC_FRAMEWORK_MESSAGES_MAX = 4096, TAC_FRAMEWORK_OBJECTS = 4000 };

struct tac_framework {
    uint32_t messages; /* per audio cycle, 0 .. TAC_FRAMEWORK_MESSAGES_MAX */
    uint32_t seed;
    void *message[TAC_FRAMEWORK_MESSAGES_MAX];
    void *object[TAC_FRAMEWORK_OBJECTS];
    _Atomic int stop;
    int loader_runs;
    pthread_t loader;
    uint64_t failed; /* allocations that returned NULL */
    uint32_t object_bytes[TAC_FRAMEWORK_OBJECTS];
    _Atomic uint64_t live_bytes; /* of the document, as asked for */
};

/* Set the process up as the framework does and start the loader (with_loader). 0 or -errno. */
int tac_framework_start(struct tac_framework *framework, uint32_t messages, int with_loader);

/* In the audio callback: allocate this cycle's messages and fill them. */
void tac_framework_post(struct tac_framework *framework);

/* In the audio callback: read them and free them. Returns a checksum, so that nothing is left out.
 */
uint64_t tac_framework_deliver(struct tac_framework *framework);

/* End the loader and free all objects. */
void tac_framework_stop(struct tac_framework *framework);

/* One line that says what it does, for the printed configuration. Returns buffer. */
const char *tac_framework_describe(const struct tac_framework *framework, char *buffer,
                                   size_t size);

#endif
