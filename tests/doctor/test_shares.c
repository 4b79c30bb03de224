/* SPDX-License-Identifier: MIT
 * test_shares.c - property test: whatever a recording says, also nonsense, every nanosecond of a
 * late cycle is charged exactly once, shares sum to one, and nothing is concluded about a cycle
 * that was not recorded. Random recordings, seeded. */
#include "doctor/places.h"
#include "doctor/rule.h"
#include "make_recording.h"

#include "test.h"

#include "tactus/trace.h"

#include <string.h>
#include <unistd.h>

enum { SEEDS = 150, CYCLES = 60, PERIOD = 1000000, AUDIO = 101, OTHER = 102, EVENTS = 400 };

static uint64_t state;

static uint64_t draw(uint64_t below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return below ? (state >> 33) % below : 0;
}

static void put_cycles(struct tac_make *m, uint32_t lane, uint64_t *ret_end)
{
    uint64_t at = 5000000;
    for (int i = 0; i < CYCLES; i++) {
        uint64_t release = 5000000 + (uint64_t)i * PERIOD;
        at = at > release ? at : release;
        uint64_t begin = at + draw(4) * draw(400000),
                 end = begin + 1000 + draw(i % 3 ? 600000 : 4000000);
        struct tac_make_evidence e = {.cpu_ns = draw(end - begin + 1),
                                      .voluntary = (uint32_t)draw(3),
                                      .involuntary = (uint32_t)draw(3),
                                      .minor = (uint32_t)(draw(4) ? 0 : draw(900)),
                                      .major = (uint32_t)(draw(9) ? 0 : draw(5)),
                                      .denormal = (uint32_t)draw(2)};
        tac_make_cycle(m, lane, 0, begin, release + PERIOD, end, 48, draw(8) ? &e : NULL);
        at = end + 500;
    }
    *ret_end = at;
}

static void put_kernel(struct tac_make *m, uint64_t end)
{
    static const uint32_t tids[] = {0, AUDIO, OTHER, 777};
    for (uint64_t n = draw(EVENTS); n > 0; n--) {
        struct tac_format_kernel e = {.ns = 4000000 + draw(end),
                                      .type = (uint16_t)(1 + draw(TAC_KERNEL_TYPES - 1)),
                                      .cpu = (uint16_t)draw(2),
                                      .tid = tids[draw(4)],
                                      .a = (uint64_t)tids[draw(4)] << 32 | draw(140),
                                      .b = draw(9) << 32 | draw(140)};
        if (e.type != TAC_KERNEL_LOST || !draw(40))
            tac_make_kernel(m, e);
    }
}

static void put_own(struct tac_make *m, const uint32_t lane[2], uint64_t end)
{
    static const char *const call[] = {"nanosleep", "write", "fdatasync"};
    uint64_t at[2] = {4000000, 4000000};
    for (uint64_t n = draw(120); n > 0; n--) {
        unsigned who = (unsigned)draw(2);
        uint64_t from = at[who] + draw(200000), to = from + draw(draw(6) ? 4000 : 900000);
        if (to >= end)
            break;
        uint64_t kind = draw(3);
        if (kind == 0)
            tac_make_memory(m, lane[who], draw(2) ? TAC_MEMORY_ALLOC : TAC_MEMORY_FREE, from, 24,
                            from, to);
        else if (kind == 1)
            tac_make_lock_wait(m, lane[who], 0x5000, draw(2) ? OTHER : 0, from, to);
        else
            tac_make_zone(m, lane[who], TAC_CAT_CALL, call[draw(3)], from, to);
        at[who] = to + 1;
    }
    if (!draw(3)) {
        uint64_t from = 6000000 + draw(end / 2);
        tac_make_gap(m, lane[0], from, from + draw(3000000), 1 + draw(500));
    }
}

static size_t judged_misses;

/* What is unexplained claims nothing; all else claims something. */
static bool is_sure_enough(const struct tac_verdict *v)
{
    if (!strcmp(v->rule->name, "unexplained"))
        return v->confidence == 0;
    return v->confidence > 0 && v->confidence <= 1;
}

static void check_diagnosis(const struct tac_diagnosis *d, uint64_t seed)
{
    double shares = 0;
    judged_misses += d->misses_count;
    size_t wrong = 0, early = 0, misses = 0;
    for (size_t i = 0; i < d->misses_count; i++) {
        const struct tac_miss *m = &d->misses[i];
        uint64_t sum = 0, carried = 0;
        for (unsigned k = 0; k < m->count; k++) {
            sum += m->verdict[k].ns;
            carried += m->verdict[k].carried_ns;
            wrong += m->verdict[k].carried_ns > m->verdict[k].ns;
            wrong += k > 0 && m->verdict[k].ns > m->verdict[k - 1].ns;
            wrong += !is_sure_enough(&m->verdict[k]);
        }
        wrong += sum != m->late_ns || carried != m->carried_ns || m->count == 0;
        early += m->root > i;
    }
    for (size_t i = 0; i < d->causes_count; i++) {
        shares += d->causes[i].share;
        misses += d->causes[i].misses;
    }
    CHECK_MSG(wrong == 0, "seed %llu: %zu", (unsigned long long)seed, wrong);
    CHECK(early == 0 && misses == d->misses_count);
    CHECK_MSG(d->causes_count == 0 || fabs(shares - 1) < 1e-6 || shares == 0, "seed %llu: %g",
              (unsigned long long)seed, shares);
}

static void every_nanosecond_is_charged_once(void)
{
    char path[64];
    snprintf(path, sizeof path, "shares-%d.tac", (int)getpid());
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        state = seed;
        struct tac_make *m = tac_make_open(path);
        uint32_t lane[2] = {tac_make_thread(m, AUDIO, "audio"), tac_make_thread(m, OTHER, "other")};
        tac_make_source(m, 0, "audio", PERIOD);
        if (draw(2))
            tac_make_meta(m, "virtual", "yes");
        uint64_t end;
        put_cycles(m, lane[0], &end);
        if (draw(4))
            put_kernel(m, end);
        put_own(m, lane, end);
        tac_make_close(m);
        struct tac_error err = {0};
        struct tac_capture *capture;
        struct tac_diagnosis *d;
        REQUIRE(tac_capture_open(path, &err, &capture) == 0);
        REQUIRE(tac_diagnosis_new(capture, "random", &d) == 0);
        check_diagnosis(d, seed);
        tac_diagnosis_free(d);
        tac_capture_close(capture);
    }
    unlink(path);
    CHECK_MSG(judged_misses > 20 * SEEDS, "only %zu misses", judged_misses);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(every_nanosecond_is_charged_once);
    return test_end();
}
