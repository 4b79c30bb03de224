/* SPDX-License-Identifier: MIT
 * make_recording.h - recordings made by hand, for tests of what reads them.
 *
 * Counter and CLOCK_MONOTONIC are the same here: every time is in nanoseconds from 0 on. Events may
 * be given in any order; tac_make_close sorts and writes them through the recorder's own format
 * code. All functions abort on failure: a test without its recording has no meaning. */
#ifndef TAC_MAKE_RECORDING_H
#define TAC_MAKE_RECORDING_H

#include "tactus/cycle.h"
#include "trace/format.h"

struct tac_make;

/* What the evidence of a cycle shall say. */
struct tac_make_evidence {
    uint64_t cpu_ns;
    uint32_t voluntary, involuntary, minor, major, denormal;
};

struct tac_make *tac_make_open(const char *path);
void tac_make_meta(struct tac_make *m, const char *key, const char *value);
/* Returns the lane, which the other calls want. */
uint32_t tac_make_thread(struct tac_make *m, uint32_t tid, const char *name);
void tac_make_source(struct tac_make *m, uint32_t id, const char *name, uint64_t period_ns);
/* evidence may be NULL. end_ns 0: never ends. */
void tac_make_cycle(struct tac_make *m, uint32_t lane, uint32_t source, uint64_t begin_ns,
                    uint64_t deadline_ns, uint64_t end_ns, uint32_t frames,
                    const struct tac_make_evidence *evidence);
/* One edge of a cycle. accounts: what the thread has had so far; NULL: it was spared them. */
void tac_make_begin(struct tac_make *m, uint32_t lane, uint32_t source, uint64_t ns,
                    uint64_t deadline_ns, const struct tac_make_evidence *accounts);
void tac_make_end(struct tac_make *m, uint32_t lane, uint32_t source, uint64_t ns,
                  const struct tac_make_evidence *accounts);
void tac_make_zone(struct tac_make *m, uint32_t lane, uint32_t category, const char *name,
                   uint64_t begin_ns, uint64_t end_ns);
void tac_make_plot(struct tac_make *m, uint32_t lane, const char *name, const char *unit,
                   uint64_t ns, double value);
void tac_make_message(struct tac_make *m, uint32_t lane, const char *text, uint64_t ns);
void tac_make_text(struct tac_make *m, uint32_t lane, const char *text, uint64_t ns);
void tac_make_flow(struct tac_make *m, uint32_t lane, uint32_t step, uint64_t id, uint64_t ns);
void tac_make_zone_value(struct tac_make *m, uint32_t lane, uint64_t ns, uint64_t value);
void tac_make_memory(struct tac_make *m, uint32_t lane, enum tac_memory_op op, uint64_t ptr,
                     uint64_t bytes, uint64_t begin_ns, uint64_t end_ns);
void tac_make_lock_wait(struct tac_make *m, uint32_t lane, uint64_t lock, uint32_t holder_tid,
                        uint64_t begin_ns, uint64_t end_ns);
void tac_make_lock_held(struct tac_make *m, uint32_t lane, uint64_t lock, int taken, uint64_t ns);
void tac_make_stack(struct tac_make *m, uint32_t lane, uint64_t ns, const uint64_t *pc, uint32_t n);
void tac_make_gap(struct tac_make *m, uint32_t lane, uint64_t begin_ns, uint64_t end_ns,
                  uint64_t dropped);
void tac_make_kernel(struct tac_make *m, struct tac_format_kernel event);
/* A stack that the kernel took, and the name of one of its functions. */
void tac_make_kernel_stack(struct tac_make *m, uint64_t ns, uint32_t tid, enum tac_stack_kind kind,
                           const uint64_t *pc, uint32_t n);
void tac_make_symbol(struct tac_make *m, uint64_t address, const char *name);
void tac_make_comm(struct tac_make *m, uint32_t tid, const char *name);
/* One executable mapping; build_id "-": not known. */
void tac_make_mapping(struct tac_make *m, uint64_t start, uint64_t end, uint64_t offset,
                      const char *build_id, const char *path);
/* The same from the begin of the file, without a build-id. */
void tac_make_module(struct tac_make *m, uint64_t start, uint64_t end, const char *path);
void tac_make_close(struct tac_make *m);

#endif
