/* SPDX-License-Identifier: MIT
 * format.h - the recording, byte by byte: the same on disk and on the wire.
 * docs/recording-format.md says it in prose.
 *
 * A recording is a row of chunks, little-endian, each with a header that has its own length and a
 * CRC-32C over header and payload. Any prefix is readable; after damage a reader looks for the next
 * magic whose CRC fits. A chunk is written by one write(2) where the kernel takes it whole, so two
 * writers with O_APPEND (the traced program, the kernel capture) may share a file. Memory of
 * reader and writer does not depend on the length before.
 *
 * Changing anything here changes TAC_FORMAT_VERSION; readers refuse versions they do not know. */
#ifndef TAC_TRACE_FORMAT_H
#define TAC_TRACE_FORMAT_H

#include <assert.h>
#include <stdint.h>
#include <string.h>

#define TAC_FORMAT_MAGIC 0x52434154u /* "TACR" */
#define TAC_FORMAT_VERSION 1u
#define TAC_CHUNK_BYTES_MAX (8u << 20) /* payload; anything larger is damage */
#define TAC_TEXT_BYTES_MAX 240u
#define TAC_STACK_MAX 32u

enum tac_chunk_kind {
    TAC_CHUNK_META = 1,    /* text lines "key=value\n"; the first chunk is one: format=1 ... */
    TAC_CHUNK_CLOCK = 2,   /* struct tac_format_clock [count] */
    TAC_CHUNK_SITE = 3,    /* struct tac_format_site, then its strings: name, function, file, unit,
                              each ended by a zero byte */
    TAC_CHUNK_LANE = 4,    /* struct tac_format_lane: a thread registers, or is renamed */
    TAC_CHUNK_RECORDS = 5, /* struct tac_format_record [count] of lane `id`; `sequence` is the
                              number of records of the lane before; whole events only */
    TAC_CHUNK_SOURCE = 6,  /* struct tac_format_source: a source of cycles */
    TAC_CHUNK_KERNEL = 7,  /* struct tac_format_kernel [count]; id = stream (CPU, or lane) */
    TAC_CHUNK_COMM = 8,    /* struct tac_format_comm [count]: names of threads of the system */
    TAC_CHUNK_MODULE = 9,  /* text lines "start end offset build-id-or-dash path\n", hexadecimal;
                              id = process (0: that of the META line pid). A later chunk of a
                              process adds to and overrules an earlier one */
    TAC_CHUNK_LANE_END = 10, /* struct tac_format_lane: the thread ended; loss counters are final */
    TAC_CHUNK_END = 11,      /* the session was stopped in order: struct tac_format_end */
    TAC_CHUNK_STACKS = 12,   /* count times struct tac_format_stack, each followed by its addresses:
                                call stacks that the kernel took */
    TAC_CHUNK_SYMBOLS = 13,  /* text lines "address name\n", hexadecimal: functions of the kernel
                                that  stand in stacks */
    TAC_CHUNK_LOST = 14,     /* struct tac_format_lost: what a stream had no room for; id = lane */
    TAC_CHUNK_STACK_COPIES = 15, /* count times struct tac_format_stack_copy, each followed by its
                                    registers and its bytes: call stacks that the reader unwinds */
};

/* Events, which may be left out or kept back without making the rest unreadable; the other kinds
 * define what they name. */
static inline int tac_chunk_is_events(uint32_t kind)
{
    return kind == TAC_CHUNK_RECORDS || kind == TAC_CHUNK_KERNEL || kind == TAC_CHUNK_STACKS ||
           kind == TAC_CHUNK_STACK_COPIES;
}

/* The same, and what was lost of them. */
static inline int tac_chunk_is_evidence(uint32_t kind)
{
    return tac_chunk_is_events(kind) || kind == TAC_CHUNK_LOST;
}

enum tac_chunk_flags {
    TAC_CHUNK_PACKED =
        1, /* RECORDS, KERNEL: delta-coded, see src/trace/pack.h; count is of records */
    TAC_CHUNK_ZSTD = 2, /* any: the payload is u32 with its bytes when plain, then one zstd frame */
};

struct tac_format_chunk {
    uint32_t magic;
    uint16_t kind;
    uint16_t flags;
    uint32_t bytes; /* of payload */
    uint32_t crc;   /* CRC-32C of the header with crc = 0, then the payload */
    uint32_t id;    /* lane or stream */
    uint32_t count; /* items in the payload */
    uint64_t sequence;
    uint64_t dropped;    /* RECORDS, KERNEL: events of this lane or stream lost so far */
    uint64_t suppressed; /* RECORDS: events beyond the cycle budget so far */
};
static_assert(sizeof(struct tac_format_chunk) == 48, "chunk header");

struct tac_format_clock {
    uint64_t counter, ns; /* raw counter and CLOCK_MONOTONIC at one moment */
    uint64_t width;       /* uncertainty in counter ticks */
    uint64_t boot_ns;     /* CLOCK_BOOTTIME - CLOCK_MONOTONIC: a jump tells a suspended machine */
};
static_assert(sizeof(struct tac_format_clock) == 32, "clock pair");

#define TAC_CLOCK_EARLY_NS 200000000u

/* A flight recorder writes the pairs of its first moments at once, so that each part of the
 * recording has a rate to go by; the others wait among the events. first_ns: of the first pair, 0
 * before it came. */
static inline int tac_clock_is_early(uint64_t *first_ns, const void *payload)
{
    struct tac_format_clock pair;
    memcpy(&pair, payload, sizeof pair);
    *first_ns = *first_ns ? *first_ns : pair.ns;
    return pair.ns - *first_ns < TAC_CLOCK_EARLY_NS;
}

struct tac_format_site {
    uint64_t id; /* payload of the records that name it */
    uint32_t line;
    uint8_t category, level, reserved[2];
};
static_assert(sizeof(struct tac_format_site) == 16, "site");

struct tac_format_lane {
    uint32_t lane; /* unique in the recording */
    uint32_t pid, tid;
    uint32_t capacity; /* records of its ring */
    uint64_t counter;  /* when it registered, or ended */
    char name[32];
};
static_assert(sizeof(struct tac_format_lane) == 56, "lane");

struct tac_format_source {
    uint32_t id, reserved;
    uint64_t period_ns;
    char name[32];
};
static_assert(sizeof(struct tac_format_source) == 48, "source");

struct tac_format_comm {
    uint32_t tid, pid; /* pid 0: not known */
    char name[16];
};
static_assert(sizeof(struct tac_format_comm) == 24, "comm");

enum tac_stack_kind { TAC_STACK_KERNEL = 1, TAC_STACK_USER = 2 };

struct tac_format_stack {
    uint64_t ns;   /* that of the kernel event of the same CPU that it belongs to */
    uint32_t tid;  /* whose stack it is */
    uint16_t cpu;  /* 0xffff: not known */
    uint8_t kind;  /* enum tac_stack_kind */
    uint8_t count; /* u64 addresses that follow, innermost first; at most TAC_STACK_MAX */
};
static_assert(sizeof(struct tac_format_stack) == 16, "stack");

#define TAC_STACK_BYTES_MAX 16384u
#define TAC_STACK_REGISTERS_MAX 33u

struct tac_format_stack_copy {
    uint64_t ns;       /* as in struct tac_format_stack */
    uint64_t address;  /* the stack pointer: of the first byte of the copy */
    uint32_t tid;      /* whose stack it is */
    uint16_t cpu;      /* 0xffff: not known */
    uint8_t registers; /* u64 that follow: by their DWARF numbers from 0 on, and last the program
                          counter, whatever its number is */
    uint8_t reserved;
    uint32_t bytes; /* of stack that follow the registers, a multiple of 8 */
    uint32_t reserved2;
};
static_assert(sizeof(struct tac_format_stack_copy) == 32, "copy of a stack");

struct tac_format_end {
    uint64_t counter, stored, dropped, suppressed, unregistered;
};
static_assert(sizeof(struct tac_format_end) == 40, "end");

/* Events of a lane that its recorder took from the ring and then had to throw away, because the
 * connection did not take them. They count as dropped in every later header of the lane. */
struct tac_format_lost {
    uint64_t begin, end; /* counters of the first and the last of them */
    uint64_t events;     /* without GAP records */
    uint64_t records;    /* by which `sequence` of the next chunk is ahead */
};
static_assert(sizeof(struct tac_format_lost) == 32, "lost");

/* ---- records of a lane ----------------------------------------------------------------------- */

struct tac_format_record {
    uint64_t counter;
    uint64_t word; /* type << 56 | payload */
};
static_assert(sizeof(struct tac_format_record) == 16, "record");

/* An event is one head record and, for some types, records that follow it and are plain data (a, b
 * below are their two words). Time order within a lane is the order of the head records; events
 * with a duration are written at their end. */
enum tac_record_type {
    TAC_REC_ZONE_BEGIN = 1, /* payload site */
    TAC_REC_ZONE_END = 2,   /* closes the innermost open zone */
    TAC_REC_ZONE_VALUE = 3, /* belongs to the innermost open zone. payload 0: counter is a number;
                               otherwise a site whose name is the zone's text, counter 0 */
    TAC_REC_PLOT = 4,       /* site; + {double value, 0} */
    TAC_REC_MESSAGE = 5,    /* site; + {value, 0} */
    TAC_REC_TEXT = 6,       /* bytes; + ceil(bytes / 16) records of text */
    TAC_REC_FLOW = 7,       /* step << 48 | low 48 bits of the id; */
    TAC_REC_MEMORY = 8,     /* op << 48 | bytes (48 bits, saturated); + {ptr, ticks}; at its end */
    TAC_REC_REALLOC = 9,    /* as MEMORY; + {ptr, ticks} + {old ptr, 0} */
    TAC_REC_LOCK_WAIT = 10, /* holder tid; + {lock, ticks}; at its end */
    TAC_REC_LOCK_HELD = 11, /* 0 given back, 1 taken: + {lock, 0}; TAC_LOCK_TAKEN_AT: + {lock, where
                               the holder of the wait before took it} */
    TAC_REC_STACK = 12,     /* n; + ceil(n / 2) records of addresses; belongs to the event before */
    TAC_REC_CYCLE_BEGIN = 13, /* evidence << 48 | source << 32 | frames; + {deadline ns, 0};
                                 evidence 1: + {thread cpu ns, voluntary << 32 | involuntary}
                                             + {minflt << 32 | majflt, denormal flag seen}.
                                 Evidence 0: word of the data TAC_CYCLE_SPARED_BIT when a reader
                                 can work them out from the thread's accounts before and its kernel
                                 events since | denormal flag seen */
    TAC_REC_CYCLE_END = 14,   /* as CYCLE_BEGIN, deadline 0. Evidence 0: + {0, TAC_CYCLE_SPARED_BIT
                                 when the accounts were left out since the cycle ended well in
                                 time | denormal flag seen} */
    TAC_REC_GAP = 15,         /* events dropped here; + {counter at the first, suppressed} */
};

enum { TAC_LOCK_TAKEN_AT = 2, TAC_CYCLE_SPARED_BIT = 2 };

/* Data records after a head record. */
static inline uint32_t tac_record_extra(uint64_t word)
{
    switch (word >> 56) {
    case TAC_REC_PLOT:
    case TAC_REC_MESSAGE:
    case TAC_REC_MEMORY:
    case TAC_REC_LOCK_WAIT:
    case TAC_REC_LOCK_HELD:
    case TAC_REC_GAP:
        return 1;
    case TAC_REC_REALLOC:
        return 2;
    case TAC_REC_TEXT:
        return (uint32_t)((word & 0xff) + 15) / 16;
    case TAC_REC_STACK:
        return (uint32_t)((word & 0x3f) + 1) / 2;
    case TAC_REC_CYCLE_BEGIN:
    case TAC_REC_CYCLE_END:
        return word >> 48 & 1 ? 3 : 1;
    default:
        return 0;
    }
}

/* ---- kernel events -----------------------------------------------------------------------------
 */

enum tac_kernel_type {
    TAC_KERNEL_SWITCH = 1, /* tid leaves the CPU, other comes: a = other tid << 32 | other prio,
                              b = prev_state << 32 | own prio (kernel priorities: 0..99 real-time,
                              100..139 normal) */
    TAC_KERNEL_OUT = 2,    /* own-process tier: tid left the CPU; a = 1 pre-empted, 0 it slept */
    TAC_KERNEL_IN = 3,     /* own-process tier: tid is back */
    TAC_KERNEL_WAKING = 4, /* tid (the waker, on this CPU) wakes a = target << 32 | prio;
                              b = target CPU << 32 | 1 when from interrupt context */
    TAC_KERNEL_FAULT_MINOR = 5, /* tid; a = address, b = instruction pointer; own-process tier: in
                                   the kernel with the uppermost bit set (32-bit machines too) */
    TAC_KERNEL_FAULT_MAJOR = 6,
    TAC_KERNEL_FAULT = 7,     /* one begins: a, b as above; minor or major is told at its end */
    TAC_KERNEL_IRQ_BEGIN = 8, /* a = irq number */
    TAC_KERNEL_IRQ_END = 9,
    TAC_KERNEL_SOFTIRQ_BEGIN = 10, /* a = vector: 0 HI, 1 TIMER, 2 NET_TX, 3 NET_RX, 4 BLOCK, ... */
    TAC_KERNEL_SOFTIRQ_END = 11,
    TAC_KERNEL_RUNTIME = 12,   /* sched_stat_runtime: a = ns of CPU time credited to tid */
    TAC_KERNEL_MIGRATE = 13,   /* a = target tid, b = from << 32 | to CPU */
    TAC_KERNEL_FORK = 14,      /* a = child tid, b = flags of clone(2): threads share the memory */
    TAC_KERNEL_MMAP_WAIT = 15, /* mmap_lock: begins to acquire; a = 1 for writing */
    TAC_KERNEL_MMAP_GOT = 16,  /* a = 1 for writing, b = 1 success */
    TAC_KERNEL_RECLAIM_BEGIN = 17,
    TAC_KERNEL_RECLAIM_END = 18,
    TAC_KERNEL_COMPACT_BEGIN = 19,
    TAC_KERNEL_COMPACT_END = 20,
    TAC_KERNEL_PAGES = 21,  /* page allocation of order > 0: a = order */
    TAC_KERNEL_SIGNAL = 22, /* a = signal, delivered to tid */
    TAC_KERNEL_IPI = 23,    /* a = 1 reschedule, 2 call function (TLB shootdown and the like) */
    TAC_KERNEL_LOST = 24,   /* a = events the kernel dropped before this one */
    TAC_KERNEL_MMAP_RELEASE = 25, /* a = 1 for writing */
    TAC_KERNEL_KSWAPD = 26,       /* background reclaim is woken: a = node << 32 | order */
    TAC_KERNEL_BLOCK_ISSUE = 27,  /* a request to a disk: a = device << 32 | bytes, b = sector */
    TAC_KERNEL_BLOCK_DONE = 28,   /* a = device << 32 | sectors, b = sector */
    TAC_KERNEL_PRIORITY = 29, /* priority inheritance: a = target tid << 32 | new prio, b = old */
    TAC_KERNEL_EXIT = 30,     /* tid ends */
    TAC_KERNEL_EXEC = 31,     /* tid runs another program in its place */
    TAC_KERNEL_FAULT_PROTECTED = 32, /* a write to a page that is there and read-only (x86): a =
                                        address, b = ip */
    TAC_KERNEL_SAMPLE = 33, /* own-process tier: a timer of tid's CPU time found it computing:
                               a = ns from one to the next, b = ip as of FAULT_MINOR */
    TAC_KERNEL_PULSE = 34,  /* own-process tier, in a virtual machine: a timer of tid's CPU time
                               came: a = ns from one to the next */
    TAC_KERNEL_TYPES
};

struct tac_format_kernel {
    uint64_t ns; /* CLOCK_MONOTONIC */
    uint16_t type;
    uint16_t cpu; /* 0xffff: not known */
    uint32_t tid;
    uint64_t a, b;
};
static_assert(sizeof(struct tac_format_kernel) == 32, "kernel event");

/* ---- over a connection -------------------------------------------------------------------------
 * Who connects sends a KNOCK. Then the recorder sends HELLO and waits for the ANSWER, which says
 * how many chunks of the recording are there already, and goes on with the one after them, in
 * frames. While chunks flow, the other end acknowledges them by further ANSWERs. */

#define TAC_WIRE_VERSION 2u
#define TAC_WIRE_KNOCK 0x4b434154u    /* "TACK" */
#define TAC_WIRE_HELLO 0x48434154u    /* "TACH" */
#define TAC_WIRE_ANSWER 0x41434154u   /* "TACA" */
#define TAC_WIRE_BYTES_MAX (1u << 20) /* payload of a chunk over a connection */
#define TAC_TOKEN_BYTES 64u

enum tac_wire_status {
    TAC_WIRE_GO = 0,
    TAC_WIRE_BAD_TOKEN = 1,
    TAC_WIRE_BAD_VERSION = 2,
    TAC_WIRE_BUSY = 3,    /* somebody else is served, or there are too many */
    TAC_WIRE_GOODBYE = 4, /* of an ANSWER: wants no more, and does not come back */
};

struct tac_wire_knock {
    uint32_t magic, version;
    char token[TAC_TOKEN_BYTES]; /* filled up with zeros */
};
static_assert(sizeof(struct tac_wire_knock) == 72, "knock");

struct tac_wire_hello {
    uint32_t magic, version;
    uint64_t session; /* made by chance when the recording began */
    uint64_t first;   /* number of the oldest chunk that can still be sent */
    uint32_t pid;
    uint32_t status; /* enum tac_wire_status: of the knock */
};
static_assert(sizeof(struct tac_wire_hello) == 32, "hello");

struct tac_wire_answer {
    uint32_t magic;
    uint32_t status; /* enum tac_wire_status */
    uint64_t chunks; /* of the session, received so far; 0 at first: begin a new recording */
};
static_assert(sizeof(struct tac_wire_answer) == 16, "answer");

/* So many bytes of chunks, in a row over all frames, wherever a chunk ends; in front of them. */
struct tac_wire_frame {
    uint16_t plain;    /* 1 .. 65535 */
    uint16_t squeezed; /* bytes that they became (squeeze.h; plain is 2 000 at most then); 0: they
                          follow as they are */
};
static_assert(sizeof(struct tac_wire_frame) == 4, "frame");

#endif
