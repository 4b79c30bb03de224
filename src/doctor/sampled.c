/* SPDX-License-Identifier: MIT
 * sampled.c - in which function the samples of a cycle, or of all cycles of one cause, found the
 * thread.
 *
 * Samples come at even distances of the thread's CPU time, so a function's share of them is its
 * share of that time; with n of them in it, it is known to about 1 / sqrt(n) of itself. The
 * kernel's own code is one function, and so is all that lies in no file (made by the program as it
 * ran). The C library works for others: where no stack tells for whom, that is said. Cost: O(log
 * all + samples x functions), of both at most some dozens. */
#include "doctor/rule.h"

#include "doctor/places.h"

#include <stdio.h>
#include <string.h>

enum { FUNCTIONS = 32 };

struct tally {
    struct {
        struct tac_frame frame; /* of its first sample */
        unsigned samples;
    } at[FUNCTIONS];
    unsigned count, samples;
};

static bool is_same(const struct tac_frame *a, const struct tac_frame *b)
{
    return !strcmp(a->function, b->function) && !strcmp(a->module, b->module);
}

static void add(struct tally *t, const struct tac_frame *frame)
{
    unsigned i = 0;
    while (i < t->count && !is_same(&t->at[i].frame, frame))
        i++;
    t->samples++;
    if (i == FUNCTIONS)
        return;
    if (i == t->count)
        t->at[t->count++].frame = *frame;
    t->at[i].samples++;
}

static const struct tac_capture_kernel_stack *stack_of(const struct tac_capture *c,
                                                       const struct tac_capture_kernel *e)
{
    for (size_t i = TAC_CAPTURE_LOWER(c, kernel_stacks, ns, e->ns);
         i < c->kernel_stacks_count && c->kernel_stacks[i].ns == e->ns; i++)
        if (c->kernel_stacks[i].tid == e->tid && c->kernel_stacks[i].kind == TAC_STACK_USER)
            return &c->kernel_stacks[i];
    return NULL;
}

static void add_sample(const struct tac_diagnosis *d, const struct tac_capture_kernel *e,
                       struct tally *t)
{
    static const struct tac_frame kernel = {.module = "the kernel", .function = "", .file = ""},
                                  unknown = {
                                      .module = "code of no file", .function = "", .file = ""};
    struct tac_frame frame;
    if ((int64_t)e->b < 0)
        add(t, &kernel);
    else
        add(t, tac_places_sampled(d->places, e->b, stack_of(d->capture, e), &frame) ? &frame
                                                                                    : &unknown);
}

static void add_samples(const struct tac_diagnosis *d, uint32_t thread, uint64_t from_ns,
                        uint64_t to_ns, struct tally *t)
{
    const struct tac_capture *c = d->capture;
    if (thread >= c->threads_count)
        return;
    for (size_t i = TAC_CAPTURE_LOWER(c, kernel, ns, from_ns);
         i < c->kernel_count && c->kernel[i].ns <= to_ns; i++)
        if (c->kernel[i].type == TAC_KERNEL_SAMPLE && c->kernel[i].tid == c->threads[thread].tid)
            add_sample(d, &c->kernel[i], t);
}

/* "4 of 6 samples in Foo::bar (app)"; "" without any. */
static const char *in_words(const struct tally *t, char *buffer, size_t size)
{
    char words[160];
    unsigned most = 0;
    for (unsigned i = 1; i < t->count; i++)
        most = t->at[i].samples > t->at[most].samples ? i : most;
    *buffer = 0;
    if (t->count)
        snprintf(buffer, size, "%u of %u samples in %s%s", t->at[most].samples, t->samples,
                 tac_frame_text(&t->at[most].frame, words, sizeof words),
                 t->at[most].frame.is_ours ? ", whose caller is not known" : "");
    return buffer;
}

const char *tac_case_sampled(const struct tac_case *c, uint64_t from_ns, uint64_t to_ns,
                             char *buffer, size_t size)
{
    struct tally t = {.count = 0};
    char words[256];
    add_samples(c->diagnosis, c->cycle->thread, from_ns, to_ns, &t);
    in_words(&t, words, sizeof words);
    snprintf(buffer, size, "%s%s", *words ? "; " : "", words);
    return buffer;
}

const char *tac_cause_sampled(const struct tac_diagnosis *d, const struct tac_rule *rule,
                              char *buffer, size_t size)
{
    struct tally t = {.count = 0};
    for (size_t i = 0; rule->computes && i < d->misses_count; i++) {
        const struct tac_capture_cycle *c = &d->capture->cycles[d->misses[i].cycle];
        if (d->misses[i].verdict[0].rule == rule)
            add_samples(d, c->thread, c->begin_ns, c->end_ns, &t);
    }
    return in_words(&t, buffer, size);
}
