/* SPDX-License-Identifier: MIT
 * emit.c - the events that are too large to be inlined. Each writes one to nine records into the
 * caller's ring: constant cost, no loop but the copy of a bounded text or stack. */
#include "tactus/trace.h"
#include "trace/format.h"
#include "trace/lane.h"

#include <stdbool.h>
#include <string.h>

static uint64_t head_word(enum tac_record_type type, uint64_t payload)
{
    return (uint64_t)type << 56 | (payload & 0x00ffffffffffffffull);
}

/* Whether an event of the category is recorded; if not, a stack that follows is not either. */
static bool wanted(uint32_t category)
{
    if (TAC_TRACE_ON(category))
        return true;
    tac_lane_refuse(tac_trace_lane_here);
    return false;
}

static void emit1(enum tac_record_type type, uint64_t payload, uint64_t counter)
{
    struct tac_trace_lane *ring = tac_lane_claim(1);
    if (!ring)
        return;
    tac_lane_put(ring, 0, counter, head_word(type, payload));
    tac_lane_publish(ring, 1);
}

static void emit2(enum tac_record_type type, uint64_t payload, uint64_t a, uint64_t b)
{
    struct tac_trace_lane *ring = tac_lane_claim(2);
    if (!ring)
        return;
    tac_lane_put(ring, 0, tac_trace_counter(), head_word(type, payload));
    tac_lane_put(ring, 1, a, b);
    tac_lane_publish(ring, 2);
}

void tac_trace_plot(const struct tac_trace_site *site, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (wanted(site->category))
        emit2(TAC_REC_PLOT, (uintptr_t)site, bits, 0);
}

void tac_trace_message(const struct tac_trace_site *site, uint64_t value)
{
    if (wanted(site->category))
        emit2(TAC_REC_MESSAGE, (uintptr_t)site, value, 0);
}

void tac_trace_text(const char *text, size_t bytes)
{
    if (!wanted(TAC_CAT_APP))
        return;
    bytes = bytes > TAC_TEXT_BYTES_MAX ? TAC_TEXT_BYTES_MAX : bytes;
    uint32_t extra = (uint32_t)(bytes + 15) / 16;
    struct tac_trace_lane *ring = tac_lane_claim(1 + extra);
    if (!ring)
        return;
    tac_lane_put(ring, 0, tac_trace_counter(), head_word(TAC_REC_TEXT, bytes));
    for (uint32_t i = 0; i < extra; i++) {
        uint64_t word[2] = {0, 0};
        size_t left = bytes - i * 16u;
        memcpy(word, text + i * 16u, left < 16 ? left : 16);
        tac_lane_put(ring, 1 + i, word[0], word[1]);
    }
    tac_lane_publish(ring, 1 + extra);
}

void tac_zone_value(uint64_t value)
{
    if (tac_trace_mask)
        emit1(TAC_REC_ZONE_VALUE, 0, value);
}

void tac_zone_text(const struct tac_trace_site *text)
{
    struct tac_trace_lane *ring = tac_trace_mask ? tac_lane_claim(1) : NULL;
    if (!ring)
        return;
    tac_lane_put(ring, 0, 0, head_word(TAC_REC_ZONE_VALUE, (uintptr_t)text));
    tac_lane_publish(ring, 1);
}

void tac_trace_flow(enum tac_trace_flow step, uint64_t id)
{
    if (wanted(TAC_CAT_APP))
        emit1(TAC_REC_FLOW, (uint64_t)step << 48 | (id & 0xffffffffffffull), tac_trace_counter());
}

void tac_trace_memory_at(enum tac_memory_op op, const void *ptr, const void *old, size_t bytes,
                         uint64_t begin, uint64_t end)
{
    if (!wanted(TAC_CAT_MEMORY))
        return;
    uint32_t n = op == TAC_MEMORY_REALLOC ? 3 : 2;
    struct tac_trace_lane *ring = tac_lane_claim(n);
    if (!ring)
        return;
    uint64_t size = bytes, most = 0xffffffffffff;
    size = size > most ? most : size;
    enum tac_record_type type = n == 3 ? TAC_REC_REALLOC : TAC_REC_MEMORY;
    tac_lane_put(ring, 0, end, head_word(type, (uint64_t)op << 48 | size));
    tac_lane_put(ring, 1, (uintptr_t)ptr, end - begin);
    if (n == 3)
        tac_lane_put(ring, 2, (uintptr_t)old, 0);
    tac_lane_publish(ring, n);
}

void tac_trace_memory(enum tac_memory_op op, const void *ptr, const void *old, size_t bytes,
                      uint64_t begin)
{
    tac_trace_memory_at(op, ptr, old, bytes, begin, tac_trace_counter());
}

void tac_trace_lock_wait(const void *lock, uint32_t holder, uint64_t begin)
{
    if (wanted(TAC_CAT_LOCK))
        emit2(TAC_REC_LOCK_WAIT, holder, (uintptr_t)lock, tac_trace_counter() - begin);
}

void tac_trace_lock_held(const void *lock, int taken)
{
    if (wanted(TAC_CAT_LOCK))
        emit2(TAC_REC_LOCK_HELD, taken != 0, (uintptr_t)lock, 0);
}

void tac_trace_lock_taken_at(const void *lock, const void *pc)
{
    if (wanted(TAC_CAT_LOCK))
        emit2(TAC_REC_LOCK_HELD, TAC_LOCK_TAKEN_AT, (uintptr_t)lock, (uintptr_t)pc);
}

void tac_trace_stack(void *const *pc, unsigned n)
{
    n = n > TAC_STACK_MAX ? TAC_STACK_MAX : n;
    uint32_t extra = (n + 1) / 2;
    if (!tac_trace_mask || !tac_lane_follows(tac_trace_lane_here))
        return;
    struct tac_trace_lane *ring = tac_lane_claim(1 + extra);
    if (!ring)
        return;
    tac_lane_put(ring, 0, tac_trace_counter(), head_word(TAC_REC_STACK, n));
    for (uint32_t i = 0; i < extra; i++)
        tac_lane_put(ring, 1 + i, (uintptr_t)pc[2 * i],
                     2 * i + 1 < n ? (uint64_t)(uintptr_t)pc[2 * i + 1] : 0);
    tac_lane_publish(ring, 1 + extra);
}
