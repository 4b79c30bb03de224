/* SPDX-License-Identifier: MIT
 * misses.c - see misses.h. The last begin of a source on a lane is enough: cycles of one source do
 * not nest. */
#include "capture/misses.h"

#include "capture/unpack.h"

#include <stdlib.h>
#include <string.h>

/* Of the cycle that the record begins or ends. NULL: no memory is left. */
static uint64_t *deadline_of(struct tac_misses *m, uint32_t lane,
                             const struct tac_format_record *cycle)
{
    uint64_t key = (uint64_t)lane << 16 | (cycle->word >> 32 & 0xffff);
    uint32_t place = tac_idmap_get(&m->place_of, key);
    if (place)
        return (uint64_t *)m->deadlines.data + place - 1;
    uint64_t *added = tac_list_add(&m->deadlines, sizeof *added);
    return added && tac_idmap_put(&m->place_of, key, (uint32_t)m->deadlines.count) ? added : NULL;
}

static uint32_t look_at(struct tac_misses *m, uint32_t lane,
                        const struct tac_format_record *records, uint32_t n)
{
    uint32_t late = 0;
    for (uint32_t i = 0, extra; i < n; i += 1 + extra) {
        uint64_t type = records[i].word >> 56;
        extra = tac_record_extra(records[i].word);
        if (extra >= n - i)
            break;
        if (type != TAC_REC_CYCLE_BEGIN && type != TAC_REC_CYCLE_END)
            continue;
        uint64_t *deadline = deadline_of(m, lane, &records[i]);
        if (!deadline)
            return late;
        late += type == TAC_REC_CYCLE_END && *deadline &&
                tac_clockmap_ns(&m->clock, records[i].counter) > *deadline;
        *deadline = type == TAC_REC_CYCLE_BEGIN ? records[i + 1].counter : 0;
    }
    return late;
}

static uint32_t look_into(struct tac_misses *m, const struct tac_format_chunk *head,
                          const void *payload, size_t bytes)
{
    uint32_t max = head->count < bytes ? head->count : (uint32_t)bytes, n;
    if (m->clock.pairs.count < 2)
        return 0;
    if (max > m->room) {
        struct tac_format_record *grown = realloc(m->records, max * sizeof *grown);
        if (!grown)
            return 0;
        m->records = grown;
        m->room = max;
    }
    if (head->flags & TAC_CHUNK_PACKED) {
        n = tac_unpack(payload, bytes, m->records, max);
    } else {
        n = (uint32_t)(bytes / sizeof *m->records);
        n = n < max ? n : max;
        if (n)
            memcpy(m->records, payload, n * sizeof *m->records);
    }
    return look_at(m, head->id, m->records, n);
}

uint32_t tac_misses_in(struct tac_misses *m, const struct tac_format_chunk *head,
                       const void *payload)
{
    size_t bytes = head->bytes;
    if (head->kind == TAC_CHUNK_CLOCK && bytes >= sizeof(struct tac_format_clock)) {
        struct tac_format_clock pair;
        memcpy(&pair, payload, sizeof pair);
        tac_clockmap_push(&m->clock, &pair);
    }
    if (head->kind != TAC_CHUNK_RECORDS)
        return 0;
    if (head->flags & TAC_CHUNK_ZSTD) {
        m->zip = m->zip ? m->zip : tac_zip_new();
        long n = m->zip ? tac_zip_out(m->zip, payload, bytes, &payload) : -1;
        if (n < 0)
            return 0;
        bytes = (size_t)n;
    }
    return look_into(m, head, payload, bytes);
}

void tac_misses_fini(struct tac_misses *m)
{
    tac_clockmap_fini(&m->clock);
    tac_idmap_fini(&m->place_of);
    tac_list_fini(&m->deadlines);
    tac_zip_free(m->zip);
    free(m->records);
    *m = (struct tac_misses){0};
}
