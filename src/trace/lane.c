/* SPDX-License-Identifier: MIT
 * lane.c - registration of threads, and the slow path of a ring that looks full.
 *
 * Everything a traced thread may run is tac_trace_room(): constant cost, no loop. The rest is
 * control. */
#include "trace/lane.h"

#include "base/bits.h"
#include "tactus/cycle.h"
#include "tactus/error.h"
#include "trace/format.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { HUGE_FROM = 2 << 20 }; /* a ring above it would use up the TLB in small pages */

struct tac_lane tac_lane_none, tac_lane_silent;
_Atomic uint64_t tac_lane_unregistered;
_Atomic uint32_t tac_lane_budget;
struct tac_lane *tac_lanes[TAC_LANES_MAX];
_Atomic uint32_t tac_lanes_count;
void (*tac_lane_appears)(struct tac_lane *lane);
void (*tac_lane_ends)(struct tac_lane *lane);

__thread struct tac_trace_lane *tac_trace_lane_here = &tac_lane_none.ring;
uint32_t tac_trace_mask;

static pthread_mutex_t control = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static uint32_t next_id = 1;

static_assert(sizeof(struct tac_trace_record) == sizeof(struct tac_format_record), "one layout");
static_assert((int)TAC_RECORD_ZONE_BEGIN == (int)TAC_REC_ZONE_BEGIN, "one numbering");
static_assert((int)TAC_RECORD_ZONE_END == (int)TAC_REC_ZONE_END, "one numbering");

void tac_control_lock(void)
{
    pthread_mutex_lock(&control);
}

void tac_control_unlock(void)
{
    pthread_mutex_unlock(&control);
}

void tac_control_wait(pthread_cond_t *cond, const struct timespec *until)
{
    pthread_cond_timedwait(cond, &control, until);
}

/* Only the thread that forked lives here, under another number. */
static void fork_child(void)
{
    const struct tac_lane *own = pthread_getspecific(key);
    uint32_t count = atomic_load(&tac_lanes_count);
    for (uint32_t i = 0; i < count; i++)
        if (tac_lanes[i] == own)
            tac_lanes[i]->tid = (uint32_t)syscall(SYS_gettid);
        else
            tac_lanes[i]->state = TAC_LANE_FREE;
    pthread_mutex_unlock(&control);
}

static bool is_own(const struct tac_lane *lane)
{
    return lane != &tac_lane_none && lane != &tac_lane_silent;
}

static void count_up(_Atomic uint64_t *counter, uint64_t n)
{
    /* one writer: no read-modify-write needed */
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

/* What the recording does not tell yet. The bases are seen by who sees the recording's mask. */
struct gap {
    uint64_t dropped, suppressed;
};

static uint64_t since(uint64_t count, uint64_t told, uint64_t base)
{
    return count - (told > base ? told : base);
}

static struct gap gap_of(const struct tac_lane *lane)
{
    (void)__atomic_load_n(&tac_trace_mask, __ATOMIC_ACQUIRE);
    return (struct gap){
        since(atomic_load_explicit(&lane->dropped, memory_order_relaxed), lane->told_dropped,
              atomic_load_explicit(&lane->dropped_base, memory_order_relaxed)),
        since(atomic_load_explicit(&lane->suppressed, memory_order_relaxed), lane->told_suppressed,
              atomic_load_explicit(&lane->suppressed_base, memory_order_relaxed))};
}

static void put_gap(struct tac_lane *lane, struct gap gap)
{
    struct tac_trace_lane *ring = &lane->ring;
    tac_lane_put(ring, 0, tac_trace_counter(), (uint64_t)TAC_REC_GAP << 56 | gap.dropped);
    tac_lane_put(ring, 1, lane->gap_counter, gap.suppressed);
    tac_lane_publish(ring, 2);
    lane->told_dropped = atomic_load_explicit(&lane->dropped, memory_order_relaxed);
    lane->told_suppressed = atomic_load_explicit(&lane->suppressed, memory_order_relaxed);
}

static void refuse(struct tac_lane *lane, enum tac_lane_refused why, uint32_t weight)
{
    lane->refused_head = lane->ring.head;
    lane->refused_why = why;
    if (why != TAC_LANE_UNWANTED)
        count_up(why == TAC_LANE_SUPPRESSED ? &lane->suppressed : &lane->dropped, weight);
}

void tac_lane_refuse(struct tac_trace_lane *ring)
{
    struct tac_lane *lane = tac_lane_of(ring);
    if (is_own(lane))
        refuse(lane, TAC_LANE_UNWANTED, 0);
}

bool tac_lane_follows(struct tac_trace_lane *ring)
{
    struct tac_lane *lane = tac_lane_of(ring);
    if (!is_own(lane) || !lane->refused_why || lane->refused_head != ring->head)
        return true;
    refuse(lane, lane->refused_why, 1);
    return false;
}

int tac_trace_room(struct tac_trace_lane *ring, uint32_t n, uint32_t weight)
{
    struct tac_lane *lane = tac_lane_of(ring);
    if (lane == &tac_lane_silent)
        return 0;
    if (lane == &tac_lane_none) {
        atomic_fetch_add_explicit(&tac_lane_unregistered, weight, memory_order_relaxed);
        return 0;
    }
    /* pairs with the release store of the helper: what it has read may be overwritten */
    uint32_t tail = atomic_load_explicit(&lane->tail, memory_order_acquire);
    struct gap untold = gap_of(lane);
    uint32_t gap = untold.dropped || untold.suppressed ? 2 : 0;
    uint32_t open = tac_lane_open(ring), limit = tail + ring->mask + 1 - open;
    if (!atomic_load_explicit(&tac_lane_budget, memory_order_relaxed))
        lane->budgeted = 0; /* left over from a session that had one */
    bool over =
        lane->budgeted && (int32_t)(lane->budget_end - open - ring->head) < (int32_t)(n + gap);
    if (!over && (int32_t)(limit - ring->head) >= (int32_t)(n + gap)) {
        if (gap)
            put_gap(lane, untold);
        uint32_t budget = lane->budget_end - open;
        tac_lane_set_limit(ring, lane->budgeted && (int32_t)(budget - limit) < 0 ? budget : limit);
        return 1;
    }
    if (!gap)
        lane->gap_counter = tac_trace_counter();
    refuse(lane, over ? TAC_LANE_SUPPRESSED : TAC_LANE_DROPPED, weight);
    tac_lane_set_limit(ring,
                       ring->head); /* so that the next one comes here and writes the gap first */
    return 0;
}

/* The owner's last word: nothing of it writes into the ring any more. */
static void give_back(struct tac_lane *lane)
{
    tac_control_lock();
    lane->end_counter = tac_trace_counter();
    lane->state = tac_lane_ends ? TAC_LANE_ENDED : TAC_LANE_FREE;
    if (tac_lane_ends)
        tac_lane_ends(lane);
    tac_control_unlock();
}

/* The thread ends: of zones that are open still, no end comes. */
static void forget(void *lane)
{
    tac_trace_lane_here = &tac_lane_none.ring;
    give_back(lane);
}

/* The code of the events that are not inlined: its first run is to fault no page in either. */
static void touch_code(void)
{
#ifdef MADV_POPULATE_READ
    const uintptr_t page = 4096, code[] = {(uintptr_t)tac_trace_room, (uintptr_t)tac_trace_text,
                                           (uintptr_t)tac_trace_stack, (uintptr_t)tac_cycle_begin,
                                           (uintptr_t)tac_cycle_end};
    for (size_t i = 0; i < sizeof code / sizeof *code; i++)
        madvise((void *)(code[i] & ~(page - 1)), 2 * page, MADV_POPULATE_READ);
#endif
}

static void init(void)
{
    touch_code();
    pthread_key_create(&key, forget);
    pthread_atfork(tac_control_lock, tac_control_unlock, fork_child);
}

/* Of the free lanes that are large enough, the smallest. */
static struct tac_lane *find_free(uint32_t records)
{
    struct tac_lane *found = NULL;
    uint32_t count = atomic_load(&tac_lanes_count);
    for (uint32_t i = 0; i < count; i++) {
        struct tac_lane *lane = tac_lanes[i];
        if (lane->state == TAC_LANE_FREE && lane->ring.mask >= records - 1 &&
            (!found || lane->ring.mask < found->ring.mask))
            found = lane;
    }
    return found;
}

/* In the table: behind the last lane or, when it is full, where one lies that is free and too
 * small; TAC_LANES_MAX: nowhere. */
static uint32_t find_place(void)
{
    uint32_t i = atomic_load(&tac_lanes_count);
    if (i < TAC_LANES_MAX)
        return i;
    for (i = 0; i < TAC_LANES_MAX && tac_lanes[i]->state != TAC_LANE_FREE; i++)
        continue;
    return i;
}

/* With the control mutex held: all who walk the table have it. */
static void put_in_table(struct tac_lane *lane, uint32_t place)
{
    uint32_t count = atomic_load(&tac_lanes_count);
    if (place < count) {
        struct tac_region old = tac_lanes[place]->region;
        tac_region_close(&old);
    }
    tac_lanes[place] = lane;
    atomic_store(&tac_lanes_count, place < count ? count : count + 1);
}

static int make(uint32_t records, struct tac_lane **ret_lane)
{
    uint32_t place = find_place();
    if (place == TAC_LANES_MAX)
        return -TAC_E_LIMIT;
    size_t head = tac_align_up(sizeof(struct tac_lane), 64);
    size_t bytes = head + (size_t)records * sizeof(struct tac_trace_record);
    struct tac_region region;
    int error = tac_region_open(
        bytes, TAC_REGION_TRY_LOCK | (bytes > HUGE_FROM ? TAC_REGION_HUGE : 0), &region);
    if (error)
        return error;
    struct tac_lane *lane = region.base;
    lane->region = region;
    lane->ring.mask = records - 1;
    lane->ring.record = (struct tac_trace_record *)(void *)((char *)region.base + head);
    put_in_table(lane, place);
    *ret_lane = lane;
    return 0;
}

static void set_name(struct tac_lane *lane, const char *name)
{
    char own[16] = "";
    if (!name) {
        prctl(PR_GET_NAME, own);
        name = own;
    }
    strncpy(lane->name, name, sizeof lane->name - 1);
    lane->version++;
}

static void begin(struct tac_lane *lane)
{
    uint32_t head = lane->ring.head;
    atomic_store(&lane->tail, head);
    lane->ring.limit = lane->ring.reach = head + lane->ring.mask + 1;
    lane->budgeted = 0;
    lane->told_dropped = lane->told_suppressed = lane->sequence = 0;
    lane->refused_why = TAC_LANE_STORED;
    atomic_store(&lane->dropped, 0);
    atomic_store(&lane->suppressed, 0);
    atomic_store(&lane->dropped_base, 0);
    atomic_store(&lane->suppressed_base, 0);
    lane->announced = 0;
    lane->id = next_id++;
    lane->tid = (uint32_t)syscall(SYS_gettid);
    lane->begin_counter = tac_trace_counter();
    lane->state = TAC_LANE_LIVE;
    tac_region_touch(lane->region.base, lane->region.bytes);
}

static int add(const char *name, uint32_t records)
{
    struct tac_lane *lane = find_free(records);
    int error = lane ? 0 : make(records, &lane);
    if (error)
        return error;
    memset(lane->name, 0, sizeof lane->name);
    set_name(lane, name);
    begin(lane);
    pthread_setspecific(key, lane);
    tac_trace_lane_here = &lane->ring;
    if (tac_lane_appears)
        tac_lane_appears(lane);
    return 0;
}

/* The calling thread's lane, also one that waits for the ends of zones: it is in use again. */
static struct tac_lane *lane_here(void)
{
    struct tac_lane *kept = pthread_getspecific(key);
    if (kept)
        tac_trace_lane_here = &kept->ring;
    return tac_lane_of(tac_trace_lane_here);
}

int tac_thread_register(const char *name, uint32_t records)
{
    pthread_once(&once, init);
    records = records ? records : TAC_LANE_RECORDS;
    records = records < TAC_LANE_RECORDS_MIN ? TAC_LANE_RECORDS_MIN : records;
    if (records > TAC_LANE_RECORDS_MAX)
        return -EINVAL;
    struct tac_lane *here = lane_here();
    /* who was registered by another (the watch library) with a smaller ring gets the one it wants
     */
    if (is_own(here) && !tac_lane_open(&here->ring) && records > here->ring.mask + 1) {
        tac_thread_unregister();
        here = &tac_lane_none;
    }
    int result = 0;
    tac_control_lock();
    if (!is_own(here))
        result = add(name, (uint32_t)tac_power_of_two_ceil(records));
    else if (name)
        set_name(here, name);
    tac_control_unlock();
    return result;
}

void tac_thread_unregister(void)
{
    pthread_once(&once, init);
    struct tac_lane *lane = lane_here();
    if (!is_own(lane))
        return;
    tac_trace_lane_here = &tac_lane_none.ring;
    if (tac_lane_open(&lane->ring))
        return; /* their ends go into this ring: it stays the thread's */
    pthread_setspecific(key, NULL);
    give_back(lane);
}
