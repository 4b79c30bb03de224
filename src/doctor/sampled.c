/* SPDX-License-Identifier: MIT
 * sampled.c - in which function the samples of a cycle found its thread.
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

static void add_sample(const struct tac_case *c, const struct tac_capture_kernel *e,
                       struct tally *t)
{
    static const struct tac_frame kernel = {.module = "the kernel", .function = "", .file = ""},
                                  unknown = {
                                      .module = "code of no file", .function = "", .file = ""};
    struct tac_frame frame;
    if ((int64_t)e->b < 0)
        add(t, &kernel);
    else
        add(t, tac_places_sampled(c->diagnosis->places, e->b, stack_of(c->capture, e), &frame)
                   ? &frame
                   : &unknown);
}

const char *tac_case_sampled(const struct tac_case *c, uint64_t from_ns, uint64_t to_ns,
                             char *buffer, size_t size)
{
    const struct tac_capture *cap = c->capture;
    struct tally t = {.count = 0};
    char words[160];
    unsigned most = 0;
    *buffer = 0;
    if (c->cycle->thread >= cap->threads_count)
        return buffer;
    for (size_t i = TAC_CAPTURE_LOWER(cap, kernel, ns, from_ns);
         i < cap->kernel_count && cap->kernel[i].ns <= to_ns; i++)
        if (cap->kernel[i].type == TAC_KERNEL_SAMPLE &&
            cap->kernel[i].tid == cap->threads[c->cycle->thread].tid)
            add_sample(c, &cap->kernel[i], &t);
    for (unsigned i = 1; i < t.count; i++)
        most = t.at[i].samples > t.at[most].samples ? i : most;
    if (t.count)
        snprintf(buffer, size, "; %u of %u samples in %s%s", t.at[most].samples, t.samples,
                 tac_frame_text(&t.at[most].frame, words, sizeof words),
                 t.at[most].frame.is_ours ? ", whose caller is not known" : "");
    return buffer;
}
