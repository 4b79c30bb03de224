/* SPDX-License-Identifier: MIT
 * places.h - where in the program: the call stacks of a recording, gathered by place, and named.
 *
 * A stack belongs to the heap operation, the lock wait or the call that its thread did last. Stacks
 * with the same way (the innermost frames) to the same kind of event are one place. The module to
 * blame is that of the first frame outside the C library, the C++ run-time library and Tactus' own:
 * a plugin rather than its host when the plugin called, the host when it called itself.
 * Threads: one. Cost: O(stacks log stacks) once; names are looked up when asked for. */
#ifndef TAC_DOCTOR_PLACES_H
#define TAC_DOCTOR_PLACES_H

#include "doctor/doctor.h"

struct tac_symbols;

struct tac_place {
    const char *what; /* "malloc", "free", "a lock", the name of the call */
    uint8_t kind;     /* TAC_SIGHT_MEMORY, TAC_SIGHT_LOCK, TAC_SIGHT_CALL */
    uint32_t stack;   /* one of its stacks: index in capture->stacks */
    size_t seen;      /* stacks; they are taken of some events only */
    size_t in_cycles; /* of them, those inside cycles */
    uint64_t worst_ns;
};

struct tac_places {
    const struct tac_capture *capture;
    struct tac_place *place; /* most often seen in cycles first, then most often seen */
    size_t count;
    uint32_t *of_stack;          /* per stack: index in place, or TAC_CAPTURE_NONE */
    uint64_t *event_ns;          /* per stack: begin of the event that it belongs to */
    struct tac_symbols *symbols; /* NULL: none */
};

/* A frame in words: "module, function, file:line". */
struct tac_frame {
    const char *module, *function, *file;
    uint32_t line;
    bool is_ours; /* of the C library or of Tactus: not to blame */
};

/* What enum tac_memory_op of tactus/trace.h means: "malloc" ... */
enum { TAC_PLACES_OPERATIONS = 6 };
const char *tac_places_operation(uint32_t op);

int tac_places_open(const struct tac_capture *capture, struct tac_places **ret_places);
void tac_places_close(struct tac_places *places); /* NULL is fine */

/* The place of an event of a thread that began at begin_ns; when it has no stack of its own, the
 * one most often seen for this kind and name on that thread. TAC_CAPTURE_NONE when there is none.
 * ret_exact (may be NULL): whether it is its own. */
uint32_t tac_places_find(const struct tac_places *places, unsigned kind, const char *what,
                         uint32_t thread, uint64_t begin_ns, bool *ret_exact);

/* Frames of a place, outermost last; at most max. Returns how many. */
size_t tac_places_frames(const struct tac_places *places, uint32_t place, struct tac_frame *frames,
                         size_t max);

/* Index of the frame to blame, or count when all are ours. */
size_t tac_places_blame(const struct tac_frame *frames, size_t count);

/* "Foo::append (libframework.so, foo.cpp:120)". Returns buffer. */
const char *tac_frame_text(const struct tac_frame *frame, char *buffer, size_t size);

/* Where a call stack of the kernel's comes from: the first function outside libc and ours, and who
 * called it. "" when no module is known. */
const char *tac_places_way(const struct tac_places *places,
                           const struct tac_capture_kernel_stack *stack, char *buffer, size_t size);

/* The function that a sample of the kernel's found computing: by its call stack the first one
 * outside libc and ours, without one (NULL) that of the address. False: not known. */
bool tac_places_sampled(const struct tac_places *places, uint64_t address,
                        const struct tac_capture_kernel_stack *stack, struct tac_frame *ret_frame);

/* The same for one code address; "" when nothing is known. */
const char *tac_places_text(const struct tac_places *places, uint64_t address, char *buffer,
                            size_t size);

#endif
