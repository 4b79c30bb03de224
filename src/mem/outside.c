/* SPDX-License-Identifier: MIT
 * outside.c - what the running program itself does for those who look from outside: the block at
 * the start of its mapping, and sampling. See outside.h.
 *
 * Sampling. Each thread counts down the bytes that it allocates; where the count crosses zero the
 * call's site goes to the ring with all the bytes since the last sample, so that the sum of weights
 * is the sum of bytes. The distance to the next sample is drawn evenly from half to one and a half
 * times the mean, lest it beat with the program's own rhythm. */
#include "mem/outside.h"

#include "tactus/version.h"

#include <limits.h>
#include <string.h>

uint32_t tac_outside_layout(void)
{
    static const uint32_t part[] = {
        sizeof(struct tac_mem),
        sizeof(struct tac_heap),
        sizeof(struct tac_slab),
        sizeof(struct tac_remote),
        sizeof(struct tac_outside),
        sizeof(struct tac_spans),
        sizeof(struct tac_heap_counters),
        TAC_CLASSES,
        TAC_UNIT_SHIFT,
        TAC_HEAP_THREADS_MAX,
        TAC_SLAB_SHIFT,
        offsetof(struct tac_slab, kind),
    };
    uint32_t h = 2166136261u;
    for (unsigned i = 0; i < sizeof part / sizeof *part; i++)
        h = (h ^ part[i]) * 16777619u;
    return h;
}

void tac_outside_init(size_t table_bytes)
{
    struct tac_outside *o = tac_outside();
    *o = (struct tac_outside){
        .version = TAC_OUTSIDE_VERSION,
        .layout = tac_outside_layout(),
        .self = (uintptr_t)o,
        .mem = (uintptr_t)&tac_mem,
        .mem_bytes = sizeof tac_mem,
        .tables = (uintptr_t)tac_mem.lines,
        .table_bytes = table_bytes,
        .arena = tac_mem.base,
        .arena_bytes = tac_mem.units << TAC_UNIT_SHIFT,
        .release = TAC_VERSION_STRING,
    };
    memcpy(o->magic, TAC_OUTSIDE_MAGIC, sizeof o->magic);
}

void tac_outside_switch(bool on)
{
    tac_thread.is_sampled = on;
    tac_thread.sample_left = 0;
    tac_thread.sample_weight = 0;
    tac_thread_choose();
}

static long next_distance(uint64_t number, uint32_t mean)
{
    uint64_t mixed = (number + 1) * 0x9e3779b97f4a7c15u >> 32;
    return (long)(mean / 2) + (long)(mixed * mean >> 32);
}

void tac_outside_note(size_t bytes, const void *site)
{
    struct tac_thread *thread = &tac_thread;
    struct tac_outside *o = tac_outside();
    thread->sample_weight += bytes;
    thread->sample_left -= bytes < LONG_MAX / 2 ? (long)bytes : LONG_MAX / 2;
    if (thread->sample_left > 0)
        return;
    uint64_t number = atomic_fetch_add(&o->sample_count, 1);
    struct tac_outside_sample *s = &o->sample[number % TAC_OUTSIDE_SAMPLES];
    atomic_store(&s->number, 0);
    atomic_store(&s->site, (uintptr_t)site);
    atomic_store(&s->bytes, bytes);
    atomic_store(&s->weight, thread->sample_weight);
    atomic_store(&s->number, number + 1);
    atomic_fetch_sub(&o->samples_wanted, 1);
    thread->sample_weight = 0;
    thread->sample_left = next_distance(number, atomic_load(&o->sample_bytes));
}

void tac_heap_sample(uint32_t mean_bytes, int32_t samples)
{
    if (!tac_thread_heap())
        return;
    atomic_store(&tac_outside()->sample_bytes, mean_bytes);
    atomic_store(&tac_outside()->samples_wanted, samples);
    tac_outside_sampling();
}

/* Slots that are being written, or were overtaken meanwhile, are left out. */
unsigned tac_heap_samples_get(struct tac_heap_sample *ret_list, unsigned max)
{
    if (!tac_mem.lines)
        return 0;
    struct tac_outside *o = tac_outside();
    uint64_t count = atomic_load(&o->sample_count);
    unsigned n = 0;
    for (uint64_t i = 0; i < TAC_OUTSIDE_SAMPLES && i < count && n < max; i++) {
        struct tac_outside_sample *s = &o->sample[(count - 1 - i) % TAC_OUTSIDE_SAMPLES];
        uint64_t number = atomic_load(&s->number);
        struct tac_heap_sample copy = {
            .number = number - 1,
            .site = (uintptr_t)atomic_load(&s->site),
            .bytes = (size_t)atomic_load(&s->bytes),
            .weight_bytes = atomic_load(&s->weight),
        };
        if (number && atomic_load(&s->number) == number)
            ret_list[n++] = copy;
    }
    return n;
}
