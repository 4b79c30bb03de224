/* SPDX-License-Identifier: MIT
 * trace.h - the recorder that a real-time thread can carry in production.
 *
 * A thread that wants to be seen calls tac_thread_register() once, before its real-time work. From
 * then on its zones, plots, messages, locks, memory operations and cycles (tactus/cycle.h) go as
 * 16-byte records into a ring of its own that was mapped, touched and (where permitted) locked at
 * registration. A helper thread of normal priority, started by tac_trace_start(), drains the rings
 * into a recording.
 *
 * The real-time law: every event macro and every function marked "Real-time: yes" makes no system
 * call, allocation, lock, wait or page fault on the traced thread, from its first event on. A full
 * ring drops the event and counts it; the recording holds the gap. The end of a zone always has
 * room, so nesting never breaks: at every moment  emitted = stored + counted drops.
 * An unregistered thread records nothing; its events are counted as drops of the process.
 *
 * Not from signal handlers: an event there could tear the event that it interrupts.
 * Depth of zones: TAC_ZONE_DEPTH(records) at least, 4 094 with a ring of the default size; as far
 * as the helper has read the begins, up to records - 2. Deeper zones are counted drops, and the
 * nesting of the others stays right.
 *
 * Switches. TAC_TRACE_OFF: macros vanish, the object code is that of a file without them.
 * TAC_TRACE_LEVEL (default 2): macros above the level vanish. TAC_TRACE_CATEGORIES (default all): a
 * bit mask; macros of other categories vanish. At run time: tac_trace_set_categories(). Compiled in
 * but not recording: one load and one branch a zone. */
#ifndef TACTUS_TRACE_H
#define TACTUS_TRACE_H

#include "tactus/error.h"

#include <stddef.h>
#include <stdint.h>
#if defined(__arm__)
#include <time.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What an event is about; bit i of the masks. From TAC_CAT_USER on: yours. */
enum tac_trace_category {
    TAC_CAT_APP = 0,     /* the program's own zones, plots and messages */
    TAC_CAT_CYCLE = 1,   /* begin and end of cycles */
    TAC_CAT_NODE = 2,    /* one node (block) of a graph */
    TAC_CAT_TASK = 3,    /* a cluster of nodes; a worker's share */
    TAC_CAT_MEMORY = 4,  /* heap operations */
    TAC_CAT_LOCK = 5,    /* waits for locks */
    TAC_CAT_CALL = 6,    /* library or system calls that real-time rules warn of */
    TAC_CAT_PLOT = 7,    /* plots of Tactus' own parts */
    TAC_CAT_CONTROL = 8, /* plan exchange, parameters, messages from outside */
    TAC_CAT_USER = 16,
    TAC_CAT_MAX = 32
};

#define TAC_TRACE_ALL 0xffffffffu

/* Zones that can be open at once on a thread with a ring of so many records, whatever the helper
 * does. */
#define TAC_ZONE_DEPTH(records) ((records) / 2 - 2)

#ifndef TAC_TRACE_CATEGORIES
#define TAC_TRACE_CATEGORIES TAC_TRACE_ALL
#endif
#ifndef TAC_TRACE_LEVEL
#define TAC_TRACE_LEVEL 2
#endif

/* ---- sites ---------------------------------------------------------------------------------- */

/* Where an event comes from: constant, in static storage (macros) or from tac_trace_site_new().
 * The helper thread reads it when it first meets it, so the recording needs no live target. */
struct tac_trace_site {
    const char *name;
    const char *function; /* or NULL */
    const char *file;     /* or NULL */
    const char *unit;     /* of a plot ("%", "B", "Hz"), or NULL */
    uint32_t line;
    uint8_t category, level, reserved[2];
};

/* A site with a name made at run time (a node of a patch): copied, valid until the process ends;
 * the same (name, category, unit) gives the same site. unit may be NULL, which is "". NULL when
 * name is NULL, category is no category, or 65 536 sites or the memory are used up. Thread: any but
 * real-time ones (a lock, memory). */
TAC_API const struct tac_trace_site *tac_trace_site_new(const char *name, uint32_t category,
                                                        const char *unit);

/* ---- session -------------------------------------------------------------------------------- */

enum tac_trace_evidence {
    /* The kernel's own account of the registered threads by perf_event_open: switched out and
     * in, pre-empted or not, page faults with address. No system call on the traced thread. Where
     * refused, the recording says so and goes on. */
    TAC_EVIDENCE_PERF = 1,
    /* CPU time, context switches and page faults of the thread in its cycles, and the denormal
     * flag: two system calls at the end of cycles that used more than half of the time to their
     * deadline, that have no deadline, and of one in eight others (about 0.35 us the pair); without
     * PERF, or where that is refused, two at the begin of each as well. The one declared exception
     * to the real-time law. */
    TAC_EVIDENCE_CLOCK = 2,
    /* With PERF: the program's call stack where a registered thread leaves its CPU and at its page
     * faults, taken by the kernel, which costs it a few us each. Leaving the CPU needs
     * kernel.perf_event_paranoid <= 1 or privilege. By frame pointers (code without them gives
     * short stacks), or, with stack_bytes, from copies of the stack. */
    TAC_EVIDENCE_STACKS = 4,
};

struct tac_trace_config {
    /* The recording: a file, made, or emptied when it exists. Or a stream to `tactus capture`:
     * "tcp:HOST:PORT", "unix:PATH", "unix:@NAME" connects, now or when the other end is there, and
     * again when the connection breaks; "listen:" in front of such an address waits for the other
     * end and records only while it is there ("listen:" alone: for tactus capture --pid). NULL: fd
     * is used. The environment variable TACTUS_RECORD comes before this and fd. */
    const char *path;
    int fd;                    /* file, pipe or connected socket; stays the caller's */
    uint32_t evidence;         /* TAC_EVIDENCE_... or'ed */
    uint32_t categories;       /* run-time mask; 0 = all */
    uint32_t drain_ms;         /* how often the rings are drained; 0 = 5; 1 .. 1000 */
    uint32_t events_per_cycle; /* budget between two cycle begins of a thread, in 16-byte records: a
                                  zone takes 2; a plot, message, heap operation or lock event 2,
                                  REALLOC 3; a zone's number or text and a flow 1; a text 1 and a
                                  stack 1 and what they carry. What goes beyond is suppressed and
                                  counted, in events; cycles are always within. 0 = no budget */
    const char *const *meta; /* "key=value" lines for the header, NULL-terminated, or NULL. Keys in
                                use: program, heap (system|tactus), run, patch, config.<name> */
    uint32_t flight_s;    /* > 0: flight recorder. Keep the last flight_s seconds in memory (at most
                             flight_bytes) and write only around late cycles and on
                             tac_trace_keep(); constant memory otherwise, and a file that grows by
                             new names (of sites, threads, modules) alone */
    size_t flight_bytes;  /* 0 = 16 MiB */
    const char *token;    /* of a stream, at most 64 bytes; NULL: the environment's TACTUS_TOKEN */
    size_t stream_bytes;  /* queue of a stream: what is not acknowledged yet; at least 256 KiB;
                             0 = 4 MiB. What has no room is dropped and counted by the helper */
    uint32_t stack_bytes; /* with STACKS: 0: the kernel walks frame pointers. Otherwise it copies
                             the registers and so much of the stack (rounded up to 8, at most 16
                             KiB; 4096 is mostly enough), and the reader unwinds it by the call
                             frame information of the program's files, which compilers write for all
                             code (DWARF 5, 6.4). The copy is made by the kernel where the thread is
                             in it anyway; at most 1 000 a second and thread are kept, 500 of
                             them of samples. x86-64, arm64, armhf. The environment variable
                             TACTUS_STACKS=BYTES asks for PERF, STACKS and so many bytes whatever
                             the program says */
    uint32_t samples_hz;  /* with PERF: where each registered thread computes, so often a second of
                             its CPU time, by a timer of the kernel that interrupts it for a few us
                             (in a guest where it was measured, 46); with STACKS, with its call
                             stack. 0: none; at most 10 000. In the program's own code alone, or in
                             the kernel's as well with kernel.perf_event_paranoid <= 1 or
                             privilege. The environment
                             variable TACTUS_SAMPLES=HZ asks for PERF and so many whatever the
                             program says */
};

/* Start recording. One session a process at a time. Returns 0; -TAC_E_BUSY when one runs, -EINVAL
 * for a bad config, -errno of open(), -EAGAIN/-ENOMEM when the helper cannot be made; for streams
 * -EHOSTUNREACH when the host has no address, -EADDRINUSE, -EACCES when others than this machine
 * could connect without a token. Nobody need be there yet. Thread: control. config may be dropped
 * afterwards. */
TAC_API TAC_MUST_CHECK int tac_trace_start(const struct tac_trace_config *config);

/* Drain what is there, close the recording, end the helper. 0, -ENOENT when no session runs, or the
 * first -errno of a write that failed (disk full): the file is readable up to that point. A stream
 * is given two seconds to take the rest: -ETIMEDOUT when it did not.
 * Thread: control. */
TAC_API int tac_trace_stop(void);

/* True while a session records. Real-time: yes. */
TAC_API int tac_trace_is_on(void);

/* Change the run-time category mask of the running session. Thread: any. Real-time: yes. */
TAC_API void tac_trace_set_categories(uint32_t mask);

/* Flight recorder: write out what is kept and go on writing for another flight_s seconds.
 * Thread: any. Real-time: yes. */
TAC_API void tac_trace_keep(void);

/* Add a "key=value" line to the running recording. 0, -ENOENT when none runs, -EINVAL. Thread: any
 * but real-time ones. */
TAC_API int tac_trace_meta(const char *key, const char *value);

/* Counts since the start of the session. For events of the calling thread, and for others that are
 * done with theirs: emitted = stored + dropped + suppressed + unregistered. */
struct tac_trace_stats {
    uint64_t stored;       /* events that went into a ring */
    uint64_t dropped;      /* events lost to full rings */
    uint64_t suppressed;   /* events beyond the budget of their cycle */
    uint64_t unregistered; /* events of threads that did not register */
    uint64_t bytes;        /* written, or sent over a connection */
    uint32_t threads;      /* registered now */
};
/* Thread: any. Real-time: no (a lock). */
TAC_API void tac_trace_get_stats(struct tac_trace_stats *ret_stats);

/* ---- threads -------------------------------------------------------------------------------- */

/* Give the calling thread a ring and a name (copied, at most 31 bytes kept; NULL keeps the kernel's
 * name). records: size of the ring, rounded up to a power of two, 64 .. 2^20; 0 = 8192 (128 KiB).
 * May be called with or without a session; calling it again changes the name, and outside all zones
 * also the ring, when a larger one is asked for. The ring goes back when the thread ends. 0,
 * -EINVAL when records is above 2^20, -ENOMEM, -TAC_E_LIMIT when 1024 threads are registered.
 * Real-time: no; from its return on, the thread's events are. */
TAC_API int tac_thread_register(const char *name, uint32_t records);

/* Give the ring back early. Later events of the thread are counted as unregistered. Inside open
 * zones it stays the thread's, for their ends, until the thread ends, registers again, or calls
 * this outside of them. Real-time: no. */
TAC_API void tac_thread_unregister(void);

/* ---- the ring, as the macros see it; use the macros and functions below -------------------------
 * Invariants: record is written before head moves past it (release); limit <= tail + records -
 * (ends owed to open zones), so an end never waits for room; only the owner writes these fields.
 * A zone that begins takes one from limit and gives it back when it ends: reach - limit is the
 * number of ends that are owed, and costs the zones no count of their own. */
struct tac_trace_record {
    uint64_t counter; /* tac_trace_counter() at the event */
    uint64_t word;    /* type << 56 | 56 bits of payload, see src/trace/format.h */
};

struct tac_trace_lane {
    struct tac_trace_record *record;
    uint32_t mask;  /* records - 1 */
    uint32_t head;  /* free-running; published with release order */
    uint32_t limit; /* plain events may move head up to here without asking */
    uint32_t reach; /* limit as it would be without open zones */
};

extern TAC_API __thread struct tac_trace_lane *tac_trace_lane_here
    __attribute__((tls_model("initial-exec")));
extern TAC_API uint32_t tac_trace_mask; /* categories that record now; 0 when no session */

enum { TAC_RECORD_ZONE_BEGIN = 1, TAC_RECORD_ZONE_END = 2, TAC_RECORDS_AHEAD = 32 };

/* Make room for n records: true when there is. Otherwise the event (weight 1, or 2 for a zone) is
 * counted. Real-time: yes. */
TAC_API int tac_trace_room(struct tac_trace_lane *lane, uint32_t n, uint32_t weight);

/* The raw counter; the recording pairs it with CLOCK_MONOTONIC. Real-time: yes. */
static inline uint64_t tac_trace_counter(void)
{
#if defined(__x86_64__) || defined(__i386__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t count;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(count));
    return count;
#else
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
#endif
}

/* ---- zones ---------------------------------------------------------------------------------- */

struct tac_zone {
    struct tac_trace_lane *lane; /* NULL: not recorded */
};

/* Open a zone at a site; on: result of TAC_TRACE_ON(). Real-time: yes. */
static inline __attribute__((always_inline)) struct tac_zone
tac_zone_begin(const struct tac_trace_site *site, uint32_t on)
{
    struct tac_zone zone = {0};
    if (__builtin_expect(on != 0, 0)) {
        struct tac_trace_lane *lane = tac_trace_lane_here;
        uint32_t head = lane->head;
        if (__builtin_expect((int32_t)(lane->limit - head) < 2, 0)) {
            if (!tac_trace_room(lane, 2, 2))
                return zone;
            head = lane->head;
        }
        struct tac_trace_record *r = &lane->record[head & lane->mask];
        /* the helper has read these lines since: fetch them back before they are needed. To be
         * read: fetched to be written they made the slowest zones slower (p99.9 423 instead of 295
         * ns) */
        __builtin_prefetch(&lane->record[(head + TAC_RECORDS_AHEAD) & lane->mask]);
        lane->limit--;
        r->word = (uint64_t)TAC_RECORD_ZONE_BEGIN << 56 | (uint64_t)(uintptr_t)site;
        r->counter = tac_trace_counter();
        __atomic_store_n(&lane->head, head + 1, __ATOMIC_RELEASE);
        zone.lane = lane;
    }
    return zone;
}

/* Close it, on the same thread, innermost first. Real-time: yes. */
static inline __attribute__((always_inline)) void tac_zone_end(struct tac_zone *zone)
{
    struct tac_trace_lane *lane = zone->lane;
    if (__builtin_expect(lane != 0, 0)) {
        uint32_t head = lane->head;
        struct tac_trace_record *r = &lane->record[head & lane->mask];
        lane->limit++;
        r->counter = tac_trace_counter();
        r->word = (uint64_t)TAC_RECORD_ZONE_END << 56;
        __atomic_store_n(&lane->head, head + 1, __ATOMIC_RELEASE);
    }
}

#define TAC_TRACE_ON(category) (__atomic_load_n(&tac_trace_mask, __ATOMIC_RELAXED) >> (category)&1u)
#define TAC_TRACE_COMPILED(category, level)                                                        \
    (((TAC_TRACE_CATEGORIES) >> (category)&1u) && (level) <= (TAC_TRACE_LEVEL))
#define TAC_TRACE_PASTE_(a, b) a##b
#define TAC_TRACE_PASTE(a, b) TAC_TRACE_PASTE_(a, b)
#define TAC_TRACE_SITE_(id, category_, level_, name_, unit_)                                       \
    static const struct tac_trace_site id = {name_,    __func__,  __FILE__, unit_,                 \
                                             __LINE__, category_, level_,   {0, 0}}

/* ---- functions behind the macros; call them directly with sites of your own. All real-time ------
 * Each looks at the run-time mask itself, for the category of its site, or for the one that its
 * macro has; the number and the text of a zone are recorded whenever a session records. */

TAC_API void tac_trace_plot(const struct tac_trace_site *site, double value);
TAC_API void tac_trace_message(const struct tac_trace_site *site, uint64_t value);
/* Text made at run time: the first 240 bytes are copied into the ring. */
TAC_API void tac_trace_text(const char *text, size_t bytes);
/* A number for the innermost recorded zone of the thread; a text for it, the name of a site
 * (interned by tac_trace_site_new, or static). */
TAC_API void tac_zone_value(uint64_t value);
TAC_API void tac_zone_text(const struct tac_trace_site *text);

/* A flow links events of different threads (a hand-over): begin, any steps, end, under one id of
 * the caller's choice (48 bits), each attached to the zone that is open where it is called. */
enum tac_trace_flow { TAC_FLOW_BEGIN, TAC_FLOW_STEP, TAC_FLOW_END };
TAC_API void tac_trace_flow(enum tac_trace_flow step, uint64_t id);

/* Heap operations, from the heap's hooks. begin: tac_trace_counter() before the operation; the call
 * itself marks the end. FREE: bytes may be 0 when not known. */
enum tac_memory_op {
    TAC_MEMORY_ALLOC = 0,
    TAC_MEMORY_FREE = 1,
    TAC_MEMORY_REALLOC = 2, /* old is the block before; ptr may equal it */
    TAC_MEMORY_POOL_GET = 3,
    TAC_MEMORY_POOL_PUT = 4,
    TAC_MEMORY_FAIL = 5, /* an allocation that was refused; ptr NULL */
};
TAC_API void tac_trace_memory(enum tac_memory_op op, const void *ptr, const void *old, size_t bytes,
                              uint64_t begin);
/* The same with an end that was taken before. A heap that does not read the counter for each short
 * operation gives the time it read last as both: end may not lie before the event that the thread
 * recorded last. */
TAC_API void tac_trace_memory_at(enum tac_memory_op op, const void *ptr, const void *old,
                                 size_t bytes, uint64_t begin, uint64_t end);

/* A lock was waited for from begin until now. lock: its address. holder: the kernel's thread id of
 * the one who had it, or 0 when not known. Uncontended operations need no event. */
TAC_API void tac_trace_lock_wait(const void *lock, uint32_t holder, uint64_t begin);
/* A lock was taken / given back by this thread (for who-held-it; optional). */
TAC_API void tac_trace_lock_held(const void *lock, int taken);
/* Where the holder of the wait just recorded on this thread took the lock: a code address. */
TAC_API void tac_trace_lock_taken_at(const void *lock, const void *pc);

/* Return addresses that led to the event just emitted on this thread, innermost first; at most 32
 * are kept. Symbols are found by the reader from the module list in the recording. When that event
 * was not recorded (its category is off, or there was no room), the stack is not either, nor goes
 * to another event; after the macros of zones, plots, messages and flows, which look at the mask
 * first, ask TAC_TRACE_WANTS before it. */
TAC_API void tac_trace_stack(void *const *pc, unsigned n);

#ifdef TAC_TRACE_OFF

#define TAC_ZONE_AT(category, level, name) ((void)0)
#define TAC_ZONE_SITE(site) ((void)0)
#define TAC_ZONE_NAMED(variable, category, level, name) ((void)0)
#define TAC_ZONE_NAMED_SITE(variable, site) ((void)0)
#define TAC_ZONE_VALUE(value) ((void)0)
#define TAC_ZONE_VALUE_OF(variable, value) ((void)0)
#define TAC_ZONE_TEXT(text) ((void)0)
#define TAC_ZONE_TEXT_OF(variable, site) ((void)0)
#define TAC_PLOT_AT(category, level, name, unit, value) ((void)0)
#define TAC_PLOT_SITE(site, value) ((void)0)
#define TAC_MESSAGE_AT(category, level, text, value) ((void)0)
#define TAC_TEXT(text, bytes) ((void)0)
#define TAC_FLOW(step, id) ((void)0)
#define TAC_MEMORY(op, ptr, old, bytes, begin) ((void)0)
#define TAC_LOCK_WAITED(lock, holder, begin) ((void)0)
#define TAC_LOCK_TAKEN(lock) ((void)0)
#define TAC_LOCK_GIVEN(lock) ((void)0)
#define TAC_THREAD(name) ((void)0)

#else

/* True when an event of this category and level is compiled in and recorded now. */
#define TAC_TRACE_WANTS(category, level)                                                           \
    (TAC_TRACE_COMPILED(category, level) ? TAC_TRACE_ON(category) : 0)
/* True when it is compiled in and a session records anything: the function called looks further. */
#define TAC_TRACE_RUNS(category, level)                                                            \
    (TAC_TRACE_COMPILED(category, level) ? __atomic_load_n(&tac_trace_mask, __ATOMIC_RELAXED) : 0)

/* A zone of that name for the macros that name one, to the end of the scope. C: the compiler's
 * cleanup attribute, which pthread_exit() and cancellation heed only in code compiled with
 * -fexceptions (a zone that they leave otherwise has no end); C++: a destructor. */
#ifdef __cplusplus
}
struct tac_zone_scope : tac_zone {
    tac_zone_scope(const tac_trace_site *site, uint32_t on) : tac_zone(tac_zone_begin(site, on))
    {
    }
    ~tac_zone_scope()
    {
        tac_zone_end(this);
    }
    tac_zone_scope(const tac_zone_scope &) = delete;
    tac_zone_scope &operator=(const tac_zone_scope &) = delete;
};
extern "C" {
#define TAC_ZONE_SCOPE_(variable, site, on) tac_zone_scope variable(site, on)
#else
#define TAC_ZONE_SCOPE_(variable, site, on)                                                        \
    struct tac_zone variable __attribute__((cleanup(tac_zone_end), unused)) =                      \
        tac_zone_begin(site, on)
#endif

/* A zone from here to the end of the scope. */
#define TAC_ZONE_NAMED(variable, category, level, name)                                            \
    TAC_TRACE_SITE_(TAC_TRACE_PASTE(tac_site_, __LINE__), category, level, name, 0);               \
    TAC_ZONE_SCOPE_(variable, &TAC_TRACE_PASTE(tac_site_, __LINE__),                               \
                    TAC_TRACE_WANTS(category, level))
#define TAC_ZONE_AT(category, level, name)                                                         \
    TAC_ZONE_NAMED(TAC_TRACE_PASTE(tac_zone_, __LINE__), category, level, name)
/* The same for a site from tac_trace_site_new() or of one's own (not NULL). */
#define TAC_ZONE_NAMED_SITE(variable, site)                                                        \
    TAC_ZONE_SCOPE_(                                                                               \
        variable, site,                                                                            \
        TAC_TRACE_COMPILED((site)->category, (site)->level) ? TAC_TRACE_ON((site)->category) : 0)
#define TAC_ZONE_SITE(site) TAC_ZONE_NAMED_SITE(TAC_TRACE_PASTE(tac_zone_, __LINE__), site)
/* A number, a text (a literal) for the innermost zone that is recorded. */
#define TAC_ZONE_VALUE(value)                                                                      \
    do {                                                                                           \
        if (TAC_TRACE_WANTS(TAC_CAT_APP, 1))                                                       \
            tac_zone_value(value);                                                                 \
    } while (0)
#define TAC_ZONE_TEXT(text)                                                                        \
    do {                                                                                           \
        TAC_TRACE_SITE_(tac_site_, TAC_CAT_APP, 1, text, 0);                                       \
        if (TAC_TRACE_WANTS(TAC_CAT_APP, 1))                                                       \
            tac_zone_text(&tac_site_);                                                             \
    } while (0)
/* The same for a named zone, which must be the innermost: nothing when that one is not recorded
 * (its category is off, or it was dropped), so that no other zone gets them. */
#define TAC_ZONE_VALUE_OF(variable, value)                                                         \
    do {                                                                                           \
        if ((variable).lane)                                                                       \
            tac_zone_value(value);                                                                 \
    } while (0)
#define TAC_ZONE_TEXT_OF(variable, site)                                                           \
    do {                                                                                           \
        if ((variable).lane)                                                                       \
            tac_zone_text(site);                                                                   \
    } while (0)
/* One point of a curve. name and unit are literals. */
#define TAC_PLOT_AT(category, level, name, unit, value)                                            \
    do {                                                                                           \
        TAC_TRACE_SITE_(tac_site_, category, level, name, unit);                                   \
        if (TAC_TRACE_WANTS(category, level))                                                      \
            tac_trace_plot(&tac_site_, value);                                                     \
    } while (0)
#define TAC_PLOT_SITE(site, value)                                                                 \
    do {                                                                                           \
        if (TAC_TRACE_WANTS((site)->category, (site)->level))                                      \
            tac_trace_plot(site, value);                                                           \
    } while (0)
/* A literal text with a number. */
#define TAC_MESSAGE_AT(category, level, text, value)                                               \
    do {                                                                                           \
        TAC_TRACE_SITE_(tac_site_, category, level, text, 0);                                      \
        if (TAC_TRACE_WANTS(category, level))                                                      \
            tac_trace_message(&tac_site_, value);                                                  \
    } while (0)
/* Forms of the functions above that can be compiled out. */
#define TAC_TEXT(text, bytes)                                                                      \
    do {                                                                                           \
        if (TAC_TRACE_WANTS(TAC_CAT_APP, 1))                                                       \
            tac_trace_text(text, bytes);                                                           \
    } while (0)
#define TAC_FLOW(step, id)                                                                         \
    do {                                                                                           \
        if (TAC_TRACE_WANTS(TAC_CAT_APP, 1))                                                       \
            tac_trace_flow(step, id);                                                              \
    } while (0)
#define TAC_MEMORY(op, ptr, old, bytes, begin)                                                     \
    do {                                                                                           \
        if (TAC_TRACE_RUNS(TAC_CAT_MEMORY, 1))                                                     \
            tac_trace_memory(op, ptr, old, bytes, begin);                                          \
    } while (0)
#define TAC_LOCK_WAITED(lock, holder, begin)                                                       \
    do {                                                                                           \
        if (TAC_TRACE_RUNS(TAC_CAT_LOCK, 1))                                                       \
            tac_trace_lock_wait(lock, holder, begin);                                              \
    } while (0)
#define TAC_LOCK_TAKEN(lock)                                                                       \
    do {                                                                                           \
        if (TAC_TRACE_RUNS(TAC_CAT_LOCK, 1))                                                       \
            tac_trace_lock_held(lock, 1);                                                          \
    } while (0)
#define TAC_LOCK_GIVEN(lock)                                                                       \
    do {                                                                                           \
        if (TAC_TRACE_RUNS(TAC_CAT_LOCK, 1))                                                       \
            tac_trace_lock_held(lock, 0);                                                          \
    } while (0)
#define TAC_THREAD(name) ((void)tac_thread_register(name, 0))

#endif

/* The short forms: category APP, level 1. TAC_ZONE_FINE is level 2: inner loops, single notes. */
#define TAC_ZONE(name) TAC_ZONE_AT(TAC_CAT_APP, 1, name)
#define TAC_ZONE_FINE(name) TAC_ZONE_AT(TAC_CAT_APP, 2, name)
#define TAC_PLOT(name, unit, value) TAC_PLOT_AT(TAC_CAT_APP, 1, name, unit, value)
#define TAC_MESSAGE(text, value) TAC_MESSAGE_AT(TAC_CAT_APP, 1, text, value)

#ifdef __cplusplus
}
#endif
#endif
