/* SPDX-License-Identifier: MIT
 * perf.c - see perf.h. Record layouts: perf_event_open(2), "PERF_RECORD_SWITCH",
 * "PERF_RECORD_SAMPLE".
 *
 * All events carry the same sample_type, so that a record can be told apart by its identifier and
 * its time is found at a fixed place:
 *   SAMPLE  id, ip, pid/tid, time, addr, cpu, then [n, n addresses]
 *           or [ABI, registers] [size, so many bytes of stack, bytes that are valid]
 *   SWITCH, LOST  ... pid/tid, time, cpu, id
 * The fourth, only without stacks, is a sample where a fault begins; the second and third come at
 * its end. The fifth event, only with stacks, is a sample where the thread leaves its CPU; it comes
 * just before the SWITCH record of the same moment, and its stack waits for that record's time. The
 * sixth counts the thread's CPU time and is a sample each time that so much has gone by; the
 * seventh is the pulse, the same without a stack. */
#include "trace/perf.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { PAGES = 32, PAGES_LEAST = 16, PAGES_WITH_CHAINS = 64, PAGES_WITH_COPIES = 256 };
enum { FAULTING = 3, LEAVING = 4, SAMPLING = 5, PULSING = 6, EVENTS = 7 };
enum {
    SAMPLE_STACK = 56,
    COPIES_A_SECOND = 1000
}; /* where in a sample its stack is; of a thread */

struct tac_perf {
    int fd[EVENTS]; /* switches, minor faults, major faults, FAULTING, LEAVING, SAMPLING, PULSING */
    uint64_t id[EVENTS];
    uint32_t pages; /* of the ring */
    struct tac_perf_config config;
    uint32_t copies; /* in the second that began at second_ns */
    uint64_t second_ns;
    unsigned char stack[TAC_PERF_STACK_MAX]; /* read last, as in the chunk; without its time */
    uint32_t stack_bytes;                    /* 0: none; kept for the switch that is to come */
    struct perf_event_mmap_page *page;
    size_t page_bytes;
};

static const uint64_t counted[EVENTS] = {
    PERF_COUNT_SW_DUMMY,       PERF_COUNT_SW_PAGE_FAULTS_MIN,  PERF_COUNT_SW_PAGE_FAULTS_MAJ,
    PERF_COUNT_SW_PAGE_FAULTS, PERF_COUNT_SW_CONTEXT_SWITCHES, PERF_COUNT_SW_TASK_CLOCK,
    PERF_COUNT_SW_TASK_CLOCK};

/* The kernel's numbers of the registers (asm/perf_regs.h), in the order of their DWARF numbers (the
 * psABIs of x86-64, arm64 and arm), the program counter last. */
#if defined(__x86_64__)
static const unsigned char registers[] = {0,  3,  2,  1,  4,  5,  6,  7, 16,
                                          17, 18, 19, 20, 21, 22, 23, 8};
enum { STACK_POINTER = 7 };
#elif defined(__aarch64__)
static const unsigned char registers[] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10,
                                          11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
                                          22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32};
enum { STACK_POINTER = 31 };
#elif defined(__arm__)
static const unsigned char registers[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
enum { STACK_POINTER = 13 };
#else
static const unsigned char registers[1];
enum { STACK_POINTER = 0 };
#endif

static uint64_t register_mask(void)
{
    uint64_t mask = 0;
    for (size_t i = 0; sizeof registers > 1 && i < sizeof registers; i++)
        mask |= 1ull << registers[i];
    return mask;
}

enum tac_perf_stacks tac_perf_stacks(bool wanted, uint32_t copy_bytes)
{
    if (!wanted)
        return TAC_PERF_NO_STACKS;
    return copy_bytes && sizeof registers > 1 ? TAC_PERF_COPIES : TAC_PERF_CHAINS;
}

bool tac_perf_has_stacks(const struct tac_perf *perf)
{
    return perf->config.stacks != TAC_PERF_NO_STACKS;
}

bool tac_perf_has_samples(const struct tac_perf *perf)
{
    return perf->fd[SAMPLING] >= 0;
}

static uint64_t stack_fields(const struct tac_perf_config *config, int which)
{
    return which == PULSING                    ? 0
           : config->stacks == TAC_PERF_CHAINS ? PERF_SAMPLE_CALLCHAIN
           : config->stacks == TAC_PERF_COPIES ? PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER
                                               : 0;
}

/* CPU time from one to the next; 1: each event. */
static uint64_t period_of(const struct tac_perf_config *config, int which)
{
    return which == SAMPLING ? config->sample_ns : which == PULSING ? config->pulse_ns : 1;
}

static int open_event(const struct tac_perf *perf, uint32_t tid, int which, bool kernel)
{
    bool chains = perf->config.stacks == TAC_PERF_CHAINS,
         copies = perf->config.stacks == TAC_PERF_COPIES;
    struct perf_event_attr attr = {
        .type = PERF_TYPE_SOFTWARE,
        .size = sizeof attr,
        .config = counted[which],
        .sample_type = PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_IP | PERF_SAMPLE_TID |
                       PERF_SAMPLE_TIME | PERF_SAMPLE_ADDR | PERF_SAMPLE_CPU |
                       stack_fields(&perf->config, which),
        .exclude_callchain_kernel = 1,
        .sample_max_stack = chains ? TAC_STACK_MAX : 0,
        .sample_regs_user = copies ? register_mask() : 0,
        .sample_stack_user = copies ? perf->config.copy_bytes : 0,
        .sample_period = period_of(&perf->config, which),
        .sample_id_all = 1,
        .context_switch = which == 0,
        .exclude_kernel = !kernel,
        .exclude_hv = 1,
        .use_clockid = 1,
        .clockid = CLOCK_MONOTONIC,
        .watermark = 1, /* the helper polls by time; nobody is to be woken */
        .wakeup_watermark = UINT32_MAX,
    };
    int fd = (int)syscall(SYS_perf_event_open, &attr, tid, -1, -1, PERF_FLAG_FD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static size_t map_bytes(const struct tac_perf *perf)
{
    return (perf->pages + 1) * perf->page_bytes;
}

/* As large as is permitted: rings count against a limit of locked memory. */
static void *map_ring(struct tac_perf *perf)
{
    void *page;
    perf->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    perf->pages = perf->config.stacks == TAC_PERF_COPIES   ? PAGES_WITH_COPIES
                  : perf->config.stacks == TAC_PERF_CHAINS ? PAGES_WITH_CHAINS
                                                           : PAGES;
    for (;; perf->pages /= 2) {
        page = mmap(NULL, map_bytes(perf), PROT_READ | PROT_WRITE, MAP_SHARED, perf->fd[0], 0);
        if (page != MAP_FAILED || errno != EPERM || perf->pages == PAGES_LEAST)
            return page;
    }
}

/* Where the thread leaves its CPU is inside the kernel: without privilege that event stays away. A
 * stack at the end of each fault is enough. */
static bool is_wanted(const struct tac_perf *perf, int which, bool kernel)
{
    switch (which) {
    case FAULTING:
        return !perf->config.stacks;
    case LEAVING:
        return perf->config.stacks && kernel;
    case SAMPLING:
    case PULSING:
        return period_of(&perf->config, which) != 0;
    default:
        return true;
    }
}

static int open_all(struct tac_perf *perf, uint32_t tid, bool kernel)
{
    for (int i = 0; i < EVENTS; i++) {
        if (!is_wanted(perf, i, kernel))
            continue;
        perf->fd[i] = open_event(perf, tid, i, kernel);
        if (i >= SAMPLING && perf->fd[i] < 0)
            continue; /* no descriptor left, say: the rest goes on without */
        if (perf->fd[i] < 0)
            return perf->fd[i];
        if (ioctl(perf->fd[i], PERF_EVENT_IOC_ID, &perf->id[i]))
            return -errno;
    }
    void *page = map_ring(perf);
    if (page == MAP_FAILED)
        return -errno;
    perf->page = page;
    for (int i = 1; i < EVENTS; i++)
        if (perf->fd[i] >= 0 && ioctl(perf->fd[i], PERF_EVENT_IOC_SET_OUTPUT, perf->fd[0]))
            return -errno;
    return 0;
}

void tac_perf_close(struct tac_perf *perf)
{
    if (!perf)
        return;
    if (perf->page)
        munmap(perf->page, map_bytes(perf));
    for (int i = 0; i < EVENTS; i++)
        if (perf->fd[i] >= 0)
            close(perf->fd[i]);
    free(perf);
}

void tac_perf_leave(struct tac_perf *perf)
{
    if (perf)
        perf->page = NULL;
    tac_perf_close(perf);
}

static int try_open(uint32_t tid, bool kernel, const struct tac_perf_config *config,
                    struct tac_perf **ret_perf)
{
    struct tac_perf *perf = calloc(1, sizeof *perf);
    if (!perf)
        return -ENOMEM;
    memset(perf->fd, -1, sizeof perf->fd);
    perf->config = *config;
    int error = open_all(perf, tid, kernel);
    if (error)
        tac_perf_close(perf);
    else
        *ret_perf = perf;
    return error;
}

static bool is_refused(int error)
{
    return error == -EACCES || error == -EPERM;
}

/* As much as is permitted: the kernel's side and stacks, then without the one, then the other. */
int tac_perf_open(uint32_t tid, const struct tac_perf_config *config, struct tac_perf **ret_perf)
{
    struct tac_perf_config less = {.sample_ns = config->sample_ns, .pulse_ns = config->pulse_ns};
    int error = try_open(tid, true, config, ret_perf);
    if (is_refused(error))
        error = try_open(tid, false, config, ret_perf);
    if (is_refused(error) && config->stacks)
        error = tac_perf_open(tid, &less, ret_perf);
    return error;
}

/* The u64 at byte `at` of the ring. Records are multiples of 8 and the ring is a power of two. */
static uint64_t word_at(const struct tac_perf *perf, uint64_t at)
{
    const char *data = (const char *)perf->page + perf->page_bytes;
    uint64_t word;
    memcpy(&word, data + (at & (perf->pages * perf->page_bytes - 1)), sizeof word);
    return word;
}

static void copy_out(const struct tac_perf *perf, uint64_t at, unsigned char *to, size_t bytes)
{
    const char *data = (const char *)perf->page + perf->page_bytes;
    size_t size = (size_t)(perf->pages * perf->page_bytes), place = (size_t)at & (size - 1);
    size_t first = bytes < size - place ? bytes : size - place;
    memcpy(to, data + place, first);
    memcpy(to + first, data, bytes - first);
}

/* The addresses of a sample, without the marks that tell kernel and program apart. */
static void read_chain(struct tac_perf *perf, uint64_t at, uint64_t end)
{
    struct tac_format_stack head = {.kind = TAC_STACK_USER};
    uint64_t n = end - at >= 8 ? word_at(perf, at) : 0;
    unsigned char *to = perf->stack + sizeof head;
    for (uint64_t i = 1; i <= n && head.count < TAC_STACK_MAX && at + 8 * i < end; i++) {
        uint64_t pc = word_at(perf, at + 8 * i);
        if (pc < (uint64_t)PERF_CONTEXT_MAX)
            memcpy(to + 8 * head.count++, &pc, sizeof pc);
    }
    memcpy(perf->stack, &head, sizeof head);
    perf->stack_bytes = head.count ? (uint32_t)(sizeof head + 8 * head.count) : 0;
}

/* The registers of a sample, which the kernel gives in the order of its own numbers. */
static uint64_t read_register(const struct tac_perf *perf, uint64_t at, unsigned number)
{
    uint64_t below = register_mask() & ((1ull << number) - 1);
    return word_at(perf, at + 8 * (uint64_t)__builtin_popcountll(below));
}

static void read_copy(struct tac_perf *perf, uint64_t at, uint64_t end)
{
    const uint64_t count = sizeof registers;
    struct tac_format_stack_copy head = {.registers = (uint8_t)count};
    unsigned char *to = perf->stack + sizeof head;
    uint64_t stack = at + 8 + 8 * count; /* behind the ABI and the registers */
    perf->stack_bytes = 0;
    if (stack + 8 > end || word_at(perf, at) == PERF_SAMPLE_REGS_ABI_NONE)
        return;
    for (size_t i = 0; i < count; i++) {
        uint64_t value = read_register(perf, at + 8, registers[i]);
        memcpy(to + 8 * i, &value, sizeof value);
    }
    head.address = read_register(perf, at + 8, registers[STACK_POINTER]);
    uint64_t room = word_at(perf, stack);
    uint64_t valid = room && stack + 16 + room <= end ? word_at(perf, stack + 8 + room) : 0;
    head.bytes =
        (uint32_t)(valid < perf->config.copy_bytes ? valid : perf->config.copy_bytes) & ~7u;
    copy_out(perf, stack + 8, to + 8 * count, head.bytes);
    memcpy(perf->stack, &head, sizeof head);
    perf->stack_bytes = (uint32_t)(sizeof head + 8 * count) + head.bytes;
}

static void read_stack(struct tac_perf *perf, uint64_t at, uint64_t end)
{
    if (perf->config.stacks == TAC_PERF_CHAINS)
        read_chain(perf, at + SAMPLE_STACK, end);
    else if (perf->config.stacks == TAC_PERF_COPIES)
        read_copy(perf, at + SAMPLE_STACK, end);
}

/* Copies are large: a thread that switches all the time is not to fill the disk. Samples, which
 * come all the time, leave half of them to the rest. */
static bool is_within_rate(struct tac_perf *perf, const struct tac_format_kernel *e)
{
    uint32_t most = e->type == TAC_KERNEL_SAMPLE ? COPIES_A_SECOND / 2 : COPIES_A_SECOND;
    if (perf->config.stacks != TAC_PERF_COPIES)
        return true;
    if (e->ns - perf->second_ns >= 1000000000u) {
        perf->second_ns = e->ns;
        perf->copies = 0;
    }
    return perf->copies < most && ++perf->copies;
}

/* The stack that was read belongs to this event. */
static void put_stack(struct tac_perf *perf, struct tac_perf_batch *b,
                      const struct tac_format_kernel *e)
{
    uint32_t bytes = perf->stack_bytes;
    perf->stack_bytes = 0;
    if (!bytes || bytes > b->stacks_max - b->stacks_bytes || !is_within_rate(perf, e))
        return;
    unsigned char *to = b->stacks + b->stacks_bytes;
    memcpy(to, perf->stack, bytes);
    memcpy(to, &e->ns, sizeof e->ns);
    bool copies = perf->config.stacks == TAC_PERF_COPIES;
    memcpy(to + (copies ? offsetof(struct tac_format_stack_copy, tid)
                        : offsetof(struct tac_format_stack, tid)),
           &e->tid, sizeof e->tid);
    memcpy(to + (copies ? offsetof(struct tac_format_stack_copy, cpu)
                        : offsetof(struct tac_format_stack, cpu)),
           &e->cpu, sizeof e->cpu);
    b->stacks_bytes += bytes;
    b->stacks_count++;
}

static const uint16_t sampled[EVENTS] = {
    0, TAC_KERNEL_FAULT_MINOR, TAC_KERNEL_FAULT_MAJOR, TAC_KERNEL_FAULT,
    0, TAC_KERNEL_SAMPLE,      TAC_KERNEL_PULSE};

/* Where it was. Addresses of the kernel have their uppermost bit set, also those of 32 bits. */
static uint64_t address_of(const struct tac_perf *perf, uint64_t at)
{
    uint32_t misc = (uint32_t)(word_at(perf, at) >> 32 & 0xffff);
    uint64_t mark = (misc & PERF_RECORD_MISC_CPUMODE_MASK) == PERF_RECORD_MISC_KERNEL;
    return word_at(perf, at + 16) | mark << 63;
}

static bool decode_sample(struct tac_perf *perf, uint64_t at, uint64_t end,
                          struct tac_perf_batch *b, struct tac_format_kernel *e)
{
    uint64_t id = word_at(perf, at + 8);
    for (int i = 0; i < EVENTS; i++)
        if (perf->fd[i] >= 0 && id == perf->id[i])
            e->type = sampled[i];
    read_stack(perf, at, e->type == TAC_KERNEL_PULSE ? at + SAMPLE_STACK : end);
    if (!e->type)
        return false;
    e->b = e->type == TAC_KERNEL_PULSE ? 0 : address_of(perf, at);
    e->tid = (uint32_t)(word_at(perf, at + 24) >> 32);
    e->ns = word_at(perf, at + 32);
    e->a = e->type == TAC_KERNEL_SAMPLE  ? perf->config.sample_ns
           : e->type == TAC_KERNEL_PULSE ? perf->config.pulse_ns
                                         : word_at(perf, at + 40);
    e->cpu = (uint16_t)word_at(perf, at + 48);
    put_stack(perf, b, e);
    return true;
}

static bool decode(struct tac_perf *perf, uint64_t at, struct tac_perf_batch *b,
                   struct tac_format_kernel *e)
{
    uint64_t word = word_at(perf, at);
    uint32_t type = (uint32_t)word, misc = (uint32_t)(word >> 32 & 0xffff);
    uint64_t end = at + (word >> 48);
    *e = (struct tac_format_kernel){.cpu = 0xffff};
    if (type == PERF_RECORD_SAMPLE)
        return decode_sample(perf, at, end, b, e);
    if (type == PERF_RECORD_SWITCH) {
        e->type = misc & PERF_RECORD_MISC_SWITCH_OUT ? TAC_KERNEL_OUT : TAC_KERNEL_IN;
        e->a = misc & PERF_RECORD_MISC_SWITCH_OUT_PREEMPT ? 1 : 0;
    } else if (type == PERF_RECORD_LOST) {
        e->type = TAC_KERNEL_LOST;
        e->a = word_at(perf, at + 16);
    } else {
        return false;
    }
    e->tid = (uint32_t)(word_at(perf, end - 32) >> 32);
    e->ns = word_at(perf, end - 24);
    e->cpu = (uint16_t)word_at(perf, end - 16);
    if (e->type == TAC_KERNEL_OUT)
        put_stack(perf, b, e);
    perf->stack_bytes = 0; /* of a switch that was lost */
    return true;
}

bool tac_perf_read(struct tac_perf *perf, struct tac_perf_batch *b)
{
    uint64_t head = __atomic_load_n(&perf->page->data_head, __ATOMIC_ACQUIRE);
    uint64_t tail = perf->page->data_tail, begin = tail;
    b->events_count = b->stacks_bytes = b->stacks_count = 0;
    while (tail < head && b->events_count < b->events_max &&
           b->stacks_bytes + TAC_PERF_STACK_MAX <= b->stacks_max) {
        uint64_t bytes = word_at(perf, tail) >> 48;
        if (bytes < 8)
            break;
        b->events_count += decode(perf, tail, b, &b->events[b->events_count]);
        tail += bytes;
    }
    __atomic_store_n(&perf->page->data_tail, tail, __ATOMIC_RELEASE);
    return tail != begin;
}
