/* SPDX-License-Identifier: MIT
 * recording.c - opens a recording: scan, define, read events, sort, publish. */
#include "capture/capture.h"

#include "capture/bulk.h"
#include "capture/chunkfile.h"
#include "capture/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void tac_capture_close(struct tac_capture *capture)
{
    tac_reader_free((struct tac_reader *)(void *)capture);
}

static bool sort_zones(struct tac_reader *r)
{
    struct tac_list moved = {0};
    if (!tac_list_sort(&r->zones, sizeof(struct tac_capture_zone), &moved))
        return false;
    const uint32_t *place = moved.data;
    struct tac_capture_zone *z = r->zones.data;
    for (size_t i = 0; i < moved.count; i++)
        if (z[i].parent != TAC_CAPTURE_NONE)
            z[i].parent = place[z[i].parent];
    tac_list_fini(&moved);
    return true;
}

static bool sort_all(struct tac_reader *r)
{
    if (!tac_list_sort(&r->kernel, sizeof(struct tac_capture_kernel), NULL))
        return false;
    return tac_reader_widen_gaps(r) &&
           tac_list_sort(&r->gaps, sizeof(struct tac_capture_gap), NULL) &&
           tac_reader_settle_spared(r) && sort_zones(r) &&
           tac_list_sort(&r->cycles, sizeof(struct tac_capture_cycle), NULL) &&
           tac_list_sort(&r->memory, sizeof(struct tac_capture_memory), NULL) &&
           tac_list_sort(&r->locks, sizeof(struct tac_capture_lock), NULL) &&
           tac_list_sort(&r->holds, sizeof(struct tac_capture_hold), NULL) &&
           tac_list_sort(&r->plots, sizeof(struct tac_capture_plot), NULL) &&
           tac_list_sort(&r->messages, sizeof(struct tac_capture_message), NULL) &&
           tac_list_sort(&r->flows, sizeof(struct tac_capture_flow), NULL) &&
           tac_list_sort(&r->stacks, sizeof(struct tac_capture_stack), NULL) &&
           tac_list_sort(&r->kernel_stacks, sizeof(struct tac_capture_kernel_stack), NULL);
}

/* The gaps of each thread, in time order: place[first[thread]] .. place[first[thread + 1] - 1]. */
struct gap_index {
    size_t *first, *next;
    uint32_t *place;
};

static bool index_gaps(const struct tac_reader *r, struct gap_index *x)
{
    const struct tac_capture_gap *g = r->gaps.data;
    size_t threads = r->threads.count;
    x->first = calloc(threads + 2, sizeof *x->first);
    x->next = calloc(threads + 2, sizeof *x->next);
    x->place = malloc((r->gaps.count + 1) * sizeof *x->place);
    if (!x->first || !x->next || !x->place)
        return false;
    for (size_t k = 0; k < r->gaps.count; k++)
        if (g[k].thread < threads)
            x->first[g[k].thread + 1]++;
    for (size_t t = 0; t < threads; t++)
        x->next[t + 1] = x->first[t + 1] += x->first[t];
    for (size_t k = 0; k < r->gaps.count; k++)
        if (g[k].thread < threads)
            x->place[x->next[g[k].thread]++] = (uint32_t)k;
    return true;
}

static bool meets_gap(const struct tac_reader *r, const struct gap_index *x,
                      const struct tac_capture_cycle *c)
{
    const struct tac_capture_gap *g = r->gaps.data;
    size_t from = x->first[c->thread], end = x->first[c->thread + 1], to = end;
    while (from < to) { /* the first that ends at or after the begin */
        size_t middle = from + (to - from) / 2;
        if (g[x->place[middle]].end_ns < c->begin_ns)
            from = middle + 1;
        else
            to = middle;
    }
    return from < end && g[x->place[from]].begin_ns <= c->end_ns;
}

/* A verdict across a gap would be a guess: say where gaps and cycles meet. */
static bool mark_gaps(struct tac_reader *r)
{
    struct tac_capture_cycle *c = r->cycles.data;
    struct gap_index x = {0};
    bool good = !r->gaps.count || index_gaps(r, &x);
    for (size_t i = 0; good && r->gaps.count && i < r->cycles.count; i++)
        if (meets_gap(r, &x, &c[i]))
            c[i].flags |= TAC_CYCLE_GAP;
    free(x.first);
    free(x.next);
    free(x.place);
    return good;
}

static void mark_stacks(struct tac_reader *r)
{
    const struct tac_capture_stack *s = r->stacks.data;
    struct tac_capture_zone *z = r->zones.data;
    size_t k = 0;
    for (size_t i = 0; i < r->stacks.count; i++) {
        while (k < r->zones.count && z[k].begin_ns <= s[i].ns)
            k++;
        for (size_t j = k; j > 0 && k - j < 64; j--)
            if (z[j - 1].thread == s[i].thread) {
                z[j - 1].stack = 1;
                break;
            }
    }
}

static void map_threads(struct tac_reader *r)
{
    struct tac_capture_thread *t = r->threads.data;
    for (size_t i = 0; i < r->threads.count; i++) {
        t[i].begin_ns = tac_clockmap_ns(&r->clock, t[i].begin_ns);
        if (t[i].end_ns != TAC_CAPTURE_OPEN)
            t[i].end_ns = tac_clockmap_ns(&r->clock, t[i].end_ns);
    }
}

/* All definitions, or all events: a lane's names and the clock are known before its events are. */
static void read_chunks(struct tac_reader *r, bool evidence)
{
    const struct tac_reader_chunk *chunks = r->chunks.data;
    for (size_t i = 0; i < r->chunks.count; i++) {
        struct tac_reader_chunk plain;
        if (tac_chunk_is_evidence(chunks[i].head.kind) != evidence ||
            !tac_reader_plain(r, &chunks[i], &plain))
            continue;
        if (evidence)
            tac_reader_events(r, &plain);
        else
            tac_reader_define(r, &plain);
    }
}

static void measure_clock(struct tac_reader *r)
{
    const struct tac_format_clock *pairs = r->clock.pairs.data;
    uint64_t widest = 0;
    for (size_t i = 0; i < r->clock.pairs.count; i++)
        widest = pairs[i].width > widest ? pairs[i].width : widest;
    double ns = r->clock.hz > 0 ? (double)widest / r->clock.hz * 1e9 : 0;
    r->pub.clock_width_ns = ns < 1e18 ? (uint64_t)ns : UINT64_MAX;
}

static int read_recording(struct tac_reader *r, const char *name, struct tac_error *err)
{
    int error = tac_reader_scan(r, name, err);
    if (error)
        return error;
    r->pub.problems |= TAC_CAPTURE_NOT_CLOSED;
    r->pub.begin_ns = UINT64_MAX;
    r->pub.bytes = r->size;
    r->taker = (struct tac_event_taker){r, tac_reader_collect};
    read_chunks(r, false);
    tac_clockmap_init(&r->clock, &r->pairs);
    map_threads(r);
    bool named = tac_reader_sort_names(r, 0);
    tac_reader_show(r);
    read_chunks(r, true);
    tac_reader_events_end(r);
    tac_reader_collect_end(r);
    tac_list_fini(&r->chunks);
    tac_bulk_free(r->owned, r->owned_bytes); /* what is needed was copied */
    r->owned = NULL;
    if (!named || !sort_all(r) || !mark_gaps(r))
        return -ENOMEM;
    mark_stacks(r);
    measure_clock(r);
    r->pub.problems |= r->clock.problems;
    return tac_reader_show(r) ? 0 : -ENOMEM;
}

static int open_with(struct tac_reader *r, const char *name, struct tac_error *err,
                     struct tac_capture **ret_capture)
{
    int error = read_recording(r, name, err);
    if (error == -ENOMEM)
        tac_error_set(err, error, name, 0, 0, "not enough memory to read the recording");
    if (error)
        tac_capture_close(&r->pub);
    else
        *ret_capture = &r->pub;
    return error;
}

int tac_capture_open_part(const void *bytes, size_t size, const char *name, bool is_part,
                          struct tac_error *err, struct tac_capture **ret_capture)
{
    struct tac_reader *r = calloc(1, sizeof *r);
    if (!r)
        return tac_error_set(err, -ENOMEM, name, 0, 0, "not enough memory");
    r->bytes = bytes;
    r->size = size;
    r->is_part = is_part;
    return open_with(r, name, err, ret_capture);
}

int tac_capture_open_memory(const void *bytes, size_t size, const char *name, struct tac_error *err,
                            struct tac_capture **ret_capture)
{
    return tac_capture_open_part(bytes, size, name, false, err, ret_capture);
}

/* All of a file; it may be growing, so the size at the beginning counts. */
static int read_file(int fd, struct tac_reader *r)
{
    struct stat st;
    if (fstat(fd, &st))
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    if ((uint64_t)st.st_size > SIZE_MAX / 2)
        return -EFBIG;
    size_t size = (size_t)st.st_size;
    r->owned_bytes = size + 1;
    r->bytes = r->owned = tac_bulk_resize(NULL, 0, r->owned_bytes);
    while (r->owned && r->size < size) {
        ssize_t n = read(fd, r->owned + r->size, size - r->size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (!n)
            break;
        r->size += (size_t)n;
    }
    return r->owned ? 0 : -ENOMEM;
}

int tac_capture_open(const char *path, struct tac_error *err, struct tac_capture **ret_capture)
{
    struct tac_reader *r = calloc(1, sizeof *r);
    if (!r)
        return tac_error_set(err, -ENOMEM, path, 0, 0, "not enough memory");
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    int error = fd < 0 ? -errno : read_file(fd, r);
    if (fd >= 0)
        close(fd);
    if (!error)
        return open_with(r, path, err, ret_capture);
    tac_reader_free(r);
    return error == -EINVAL ? tac_error_set(err, error, path, 0, 0, "this is not a file")
                            : tac_error_set(err, error, path, 0, 0, "cannot be read: %s",
                                            tac_error_sentence(error));
}

int tac_capture_check(const char *path, struct tac_error *err)
{
    struct tac_chunkfile file;
    struct tac_format_chunk head;
    const unsigned char *payload;
    int result = tac_chunkfile_open(&file, path, err);
    if (result)
        return result;
    result = tac_chunkfile_next(&file, &head, &payload, err);
    tac_chunkfile_close(&file);
    return result < 0 ? result : 0;
}
