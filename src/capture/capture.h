/* SPDX-License-Identifier: MIT
 * capture.h - reads a recording into arrays on one clock.
 *
 * tac_capture_open() decodes the whole file; what it gives is read-only, owned by the capture, and
 * stays until tac_capture_close(). All times are CLOCK_MONOTONIC nanoseconds; the raw counters have
 * been mapped through the clock pairs of the recording. Arrays are sorted by begin_ns (or ns), and
 * for equal times by thread and order in it. A cut or damaged file gives what could be read, and
 * says so in `problems`. Threads: a capture may be read by many; open and close: one. */
#ifndef TAC_CAPTURE_CAPTURE_H
#define TAC_CAPTURE_CAPTURE_H

#include "tactus/error.h"
#include "trace/format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAC_CAPTURE_NONE UINT32_MAX
#define TAC_CAPTURE_OPEN UINT64_MAX /* end_ns of what had not ended when the recording did */

struct tac_capture_meta {
    const char *key, *value;
};

struct tac_capture_thread {
    uint32_t lane, pid, tid, capacity;
    const char *name;
    uint64_t begin_ns, end_ns;
    uint64_t stored;              /* events of it in the recording */
    uint64_t dropped, suppressed; /* counted by its recorder */
    uint64_t damaged;             /* records that stood in chunks which could not be read */
};

struct tac_capture_source {
    uint32_t id;
    const char *name;
    uint64_t period_ns; /* 0: varies */
};

enum tac_capture_cycle_flags {
    TAC_CYCLE_EVIDENCE = 1, /* cpu_ns ... denormal are valid */
    TAC_CYCLE_GAP = 2,      /* events of this thread were lost between its begin and end */
    TAC_CYCLE_DENORMAL = 4, /* an operand was denormal (with EVIDENCE or SPARED) */
    TAC_CYCLE_SPARED = 8,   /* it ended well in time, and its accounts were left out */
};

struct tac_capture_cycle {
    uint64_t begin_ns;
    uint64_t deadline_ns; /* 0: not known */
    uint64_t end_ns;
    uint32_t source; /* index in sources[] */
    uint32_t thread; /* index in threads[] */
    uint32_t frames;
    uint32_t flags;
    /* between begin and end, by the kernel's account */
    uint64_t cpu_ns;
    uint32_t switches_voluntary, switches_involuntary;
    uint32_t faults_minor, faults_major;
};

/* Late by how much; 0 when in time, unknown, or not ended. */
static inline uint64_t tac_capture_late_ns(const struct tac_capture_cycle *c)
{
    return c->deadline_ns && c->end_ns != TAC_CAPTURE_OPEN && c->end_ns > c->deadline_ns
               ? c->end_ns - c->deadline_ns
               : 0;
}

struct tac_capture_site {
    uint64_t id;
    const char *name;                   /* never NULL; "?" when the recording does not have it */
    const char *function, *file, *unit; /* "" when not known */
    uint32_t line;
    uint8_t category; /* enum tac_trace_category of tactus/trace.h */
    uint8_t level;
};

struct tac_capture_zone {
    uint64_t begin_ns, end_ns;
    uint64_t value;  /* 0 when none was given */
    uint32_t site;   /* index in sites[] */
    uint32_t thread; /* index in threads[] */
    uint32_t parent; /* index in zones[] of the zone around it, or TAC_CAPTURE_NONE */
    uint32_t text;   /* index in sites[] of the text given to it, or TAC_CAPTURE_NONE */
    uint16_t depth;  /* 0: outermost */
    uint16_t stack;  /* 1 when a stack is attached: see tac_capture_stack_find */
};

struct tac_capture_memory {
    uint64_t begin_ns, end_ns;
    uint64_t ptr, old; /* old: REALLOC */
    uint64_t bytes;
    uint32_t thread;
    uint32_t op; /* enum tac_memory_op of tactus/trace.h */
};

struct tac_capture_lock {
    uint64_t begin_ns, end_ns; /* of the wait */
    uint64_t lock;             /* address */
    uint32_t thread;           /* who waited */
    uint32_t holder_tid;       /* 0: not known */
    uint64_t taken_at;         /* the code address where the holder took it; 0: not known */
};

struct tac_capture_hold {
    uint64_t ns;
    uint64_t lock;
    uint32_t thread;
    uint32_t taken; /* 1 taken, 0 given back */
};

struct tac_capture_plot {
    uint64_t ns;
    double value;
    uint32_t site, thread;
};

struct tac_capture_message {
    uint64_t ns, value;
    const char *text;
    uint32_t thread;
};

struct tac_capture_flow {
    uint64_t ns, id;
    uint32_t thread;
    uint32_t step; /* enum tac_trace_flow of tactus/trace.h */
};

/* Attached to the event of the thread that ended or happened last at or before ns. */
struct tac_capture_stack {
    uint64_t ns;
    uint32_t thread;
    uint32_t count;
    const uint64_t *pc; /* innermost first */
};

/* struct tac_format_kernel as recorded; names of threads by tac_capture_comm(). */
struct tac_capture_kernel {
    uint64_t ns;
    uint16_t type; /* enum tac_kernel_type */
    uint16_t cpu;
    uint32_t tid;
    uint64_t a, b;
};

/* A call stack that the kernel took with its event of the same CPU and time. Addresses of the
 * kernel are named by symbols[], those of a program by modules[]. */
struct tac_capture_kernel_stack {
    uint64_t ns;
    uint32_t tid;
    uint16_t cpu;
    uint8_t kind; /* enum tac_stack_kind */
    uint8_t count;
    const uint64_t *pc; /* innermost first */
};

/* A function of the kernel that covers an address of some stack. */
struct tac_capture_symbol {
    uint64_t address;
    const char *name;
};

struct tac_capture_gap {
    uint64_t begin_ns, end_ns;
    uint32_t thread; /* index in threads[], or TAC_CAPTURE_NONE for kernel events */
    uint32_t cpu;    /* kernel events */
    uint32_t tid;    /* kernel events: the thread of whose own events they were, 0: of the CPU's */
    uint64_t dropped, suppressed;
    uint64_t damaged; /* records that could not be read there */
};

struct tac_capture_module {
    uint64_t start, end, offset;
    const char *build_id; /* "" when not known */
    const char *path;
    uint32_t pid; /* 0: the traced program */
};

enum tac_capture_problem {
    TAC_CAPTURE_TRUNCATED = 1,  /* the file ends inside a chunk */
    TAC_CAPTURE_DAMAGED = 2,    /* some chunks were skipped */
    TAC_CAPTURE_NOT_CLOSED = 4, /* no end mark: the program died or is still running */
    TAC_CAPTURE_CLOCK_POOR = 8, /* fewer than two clock pairs, or pairs that contradict */
    TAC_CAPTURE_SUSPENDED = 16, /* the machine slept in between */
    TAC_CAPTURE_FREQUENCY = 32, /* the counter changed its rate by more than 500 ppm */
};

#define TAC_CAPTURE_ARRAY(type, name)                                                              \
    const type *name;                                                                              \
    size_t name##_count

struct tac_capture {
    uint32_t problems;
    uint64_t begin_ns, end_ns; /* first and last time of any event */
    uint64_t bytes, bytes_damaged;
    uint64_t unregistered; /* events of threads that had not registered */
    double counter_hz;
    uint64_t clock_pairs;    /* by which the counter was related to CLOCK_MONOTONIC */
    uint64_t clock_width_ns; /* the widest of them: times are no better than that there */
    uint64_t boot_offset_ns; /* CLOCK_BOOTTIME - CLOCK_MONOTONIC at the end */
    TAC_CAPTURE_ARRAY(struct tac_capture_meta, meta);
    TAC_CAPTURE_ARRAY(struct tac_capture_thread, threads);
    TAC_CAPTURE_ARRAY(struct tac_capture_source, sources);
    TAC_CAPTURE_ARRAY(struct tac_capture_site, sites);
    TAC_CAPTURE_ARRAY(struct tac_capture_cycle, cycles);
    TAC_CAPTURE_ARRAY(struct tac_capture_zone, zones);
    TAC_CAPTURE_ARRAY(struct tac_capture_memory, memory);
    TAC_CAPTURE_ARRAY(struct tac_capture_lock, locks);
    TAC_CAPTURE_ARRAY(struct tac_capture_hold, holds);
    TAC_CAPTURE_ARRAY(struct tac_capture_plot, plots);
    TAC_CAPTURE_ARRAY(struct tac_capture_message, messages);
    TAC_CAPTURE_ARRAY(struct tac_capture_flow, flows);
    TAC_CAPTURE_ARRAY(struct tac_capture_stack, stacks);
    TAC_CAPTURE_ARRAY(struct tac_capture_kernel, kernel);
    TAC_CAPTURE_ARRAY(struct tac_capture_kernel_stack, kernel_stacks);
    TAC_CAPTURE_ARRAY(struct tac_capture_symbol, symbols); /* sorted by address */
    TAC_CAPTURE_ARRAY(struct tac_capture_gap, gaps);
    TAC_CAPTURE_ARRAY(struct tac_capture_module, modules);
};

/* Read a recording. 0 and *ret_capture; cut and damaged files are opened as far as they go (see
 * problems). Fails with -errno of open/read, -TAC_E_SYNTAX when it is no recording, -TAC_E_VERSION,
 * -TAC_E_TRUNCATED when not even the header is there, -ENOMEM; err (may be NULL) then says why. */
TAC_MUST_CHECK int tac_capture_open(const char *path, struct tac_error *err,
                                    struct tac_capture **ret_capture);

/* The same from memory, which must stay until close. name is for messages. */
TAC_MUST_CHECK int tac_capture_open_memory(const void *bytes, size_t size, const char *name,
                                           struct tac_error *err, struct tac_capture **ret_capture);

/* Whether a file begins as a recording does; fails as tac_capture_open. */
TAC_MUST_CHECK int tac_capture_check(const char *path, struct tac_error *err);

void tac_capture_close(struct tac_capture *capture); /* NULL is fine */

/* The value of the last line of this key, or NULL. */
const char *tac_capture_meta(const struct tac_capture *capture, const char *key);

/* Name of a thread of the system by its tid: the kernel's name, or a registered thread's; NULL when
 * not known. tid 0 is "idle". */
const char *tac_capture_comm(const struct tac_capture *capture, uint32_t tid);

/* Index in threads[] of a tid that lived at ns, or TAC_CAPTURE_NONE. */
uint32_t tac_capture_thread_of(const struct tac_capture *capture, uint32_t tid, uint64_t ns);

/* The module of the traced program that holds an address, or NULL; and of a process (pid 0: the
 * traced program). */
const struct tac_capture_module *tac_capture_module_of(const struct tac_capture *capture,
                                                       uint64_t address);
const struct tac_capture_module *tac_capture_module_in(const struct tac_capture *capture,
                                                       uint32_t pid, uint64_t address);

/* The process of a thread of the system, as the functions above want it: 0 for the traced program,
 * and where it is not known. */
uint32_t tac_capture_pid_of(const struct tac_capture *capture, uint32_t tid);

/* Name of a function of the kernel by an address in it, or NULL. */
const char *tac_capture_symbol_of(const struct tac_capture *capture, uint64_t address);

/* First index whose begin_ns (ns) is >= ns; count when none. */
#define TAC_CAPTURE_LOWER(capture, array, field, at_ns)                                            \
    tac_capture_lower((capture)->array, (capture)->array##_count, sizeof *(capture)->array,        \
                      offsetof(__typeof__(*(capture)->array), field), at_ns)
size_t tac_capture_lower(const void *array, size_t count, size_t stride, size_t offset,
                         uint64_t ns);

#endif
