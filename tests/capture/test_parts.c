/* SPDX-License-Identifier: MIT
 * test_parts.c - a recording in parts: every cycle belongs to exactly one of them, has two seconds
 * around it there, and nothing is told as lost at the edges. */
#include "capture/parts.h"

#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { EVENTS = 220000, PER_CYCLE = 22 };

#define START_NS 5000000000ull /* of make_long's recordings */

static char path[] = "/tmp/tactus-parts-XXXXXX";

struct sum {
    size_t parts, cycles, zones, gaps;
    uint64_t last_ns, shortest_ns; /* of what surrounds an inner part */
};

static void look(struct sum *s, const struct tac_part *part)
{
    const struct tac_capture *c = part->capture;
    s->parts++;
    s->gaps += c->gaps_count;
    for (size_t i = 0; i < c->cycles_count; i++)
        if (c->cycles[i].end_ns >= part->from_ns && c->cycles[i].end_ns < part->to_ns) {
            CHECK(c->cycles[i].end_ns > s->last_ns);
            s->last_ns = c->cycles[i].end_ns;
            s->cycles++;
        }
    for (size_t i = 0; i < c->zones_count; i++)
        s->zones += c->zones[i].begin_ns >= part->from_ns && c->zones[i].begin_ns < part->to_ns;
    bool has_more = part->from_ns > START_NS + TAC_PARTS_AROUND_NS; /* than there was before */
    uint64_t before = has_more ? part->from_ns - c->begin_ns : UINT64_MAX;
    uint64_t after = part->to_ns != UINT64_MAX ? c->end_ns - part->to_ns : UINT64_MAX;
    before = before < after ? before : after;
    s->shortest_ns = before < s->shortest_ns ? before : s->shortest_ns;
}

static struct sum walk(uint64_t events)
{
    struct sum s = {.shortest_ns = UINT64_MAX};
    struct tac_parts *parts = NULL;
    struct tac_part part;
    int r = tac_parts_open(path, events, NULL, &parts);
    while (r >= 0 && (r = tac_parts_next(parts, &part, NULL)) > 0) {
        look(&s, &part);
        tac_capture_close(part.capture);
    }
    CHECK(r == 0 && tac_parts_next(parts, &part, NULL) == 0);
    tac_parts_close(parts);
    return s;
}

static void check_all_is_there(const struct sum *s)
{
    CHECK_MSG(s->cycles == EVENTS / PER_CYCLE, "%zu cycles", s->cycles);
    CHECK_MSG(s->zones == EVENTS / PER_CYCLE * 10, "%zu zones", s->zones);
    CHECK_MSG(s->gaps == 0, "%zu gaps", s->gaps);
}

static void parts_make_the_whole(void)
{
    struct sum s = walk(30000);
    check_all_is_there(&s);
    CHECK_MSG(s.parts >= 3, "%zu parts", s.parts);
    CHECK_MSG(s.shortest_ns >= TAC_PARTS_AROUND_NS - 100000000, "%llu ns",
              (unsigned long long)s.shortest_ns);
}

static void few_events_are_one_part(void)
{
    struct sum s = walk(2 * EVENTS);
    check_all_is_there(&s);
    CHECK(s.parts == 1);
}

static void what_is_no_recording_is_refused(void)
{
    struct tac_parts *parts = NULL;
    struct tac_part part;
    struct tac_error err;
    char other[64];
    snprintf(other, sizeof other, "%s.txt", path);
    FILE *file = fopen(other, "we");
    REQUIRE(file);
    for (int i = 0; i < 1000; i++)
        fputs("no recording\n", file);
    fclose(file);
    CHECK(tac_parts_open("/nonexistent", 1, &err, &parts) == -ENOENT);
    CHECK(tac_capture_check(other, &err) == -TAC_E_SYNTAX);
    REQUIRE(tac_parts_open(other, 1, &err, &parts) == 0);
    CHECK(tac_parts_next(parts, &part, &err) == -TAC_E_SYNTAX);
    tac_parts_close(parts);
    unlink(other);
}

int main(int argc, char **argv)
{
    char command[512];
    int fd = mkstemp(path);
    if (argc < 2 || fd < 0)
        return 1;
    close(fd);
    snprintf(command, sizeof command, "'%s' %s %d", argv[1], path, EVENTS);
    if (system(command))
        return 1;
    TEST(parts_make_the_whole);
    TEST(few_events_are_one_part);
    TEST(what_is_no_recording_is_refused);
    unlink(path);
    return test_end();
}
