/* SPDX-License-Identifier: MIT
 * test_api.c - what a program can say: texts and numbers of the right zone, zones as deep as is
 * promised, any number of cycle sources, locks with their holders, the heap and its pools by the
 * heap's hooks, and the switches of level and category. */
#define TAC_TRACE_LEVEL 1
#include "capture/capture.h"
#include "tactus/cycle.h"
#include "tactus/lock.h"
#include "tactus/pool.h"
#include "tactus/trace_heap.h"
#include "trace/lane.h"

#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static char path[64];
static struct tac_capture *capture;

static int begin(struct tac_trace_config config)
{
    config.path = path;
    return tac_trace_start(&config);
}

static const struct tac_capture *finish(void)
{
    struct tac_error err = {0};
    tac_capture_close(capture);
    capture = NULL;
    if (tac_trace_stop() < 0 || tac_capture_open(path, &err, &capture) < 0) {
        printf("# %s\n", err.text);
        return NULL;
    }
    return capture;
}

static const struct tac_capture_zone *zone_named(const struct tac_capture *c, const char *name)
{
    for (size_t i = 0; i < c->zones_count; i++)
        if (!strcmp(c->sites[c->zones[i].site].name, name))
            return &c->zones[i];
    return NULL;
}

/* On a thread of its own, which returns what it is given when all is well. */
static void run(void *(*work)(void *))
{
    pthread_t thread;
    void *done = NULL;
    REQUIRE(pthread_create(&thread, NULL, work, path) == 0);
    pthread_join(thread, &done);
    REQUIRE(done);
}

static void texts_and_numbers_belong_to_their_zone(void)
{
    const struct tac_trace_site *preset = tac_trace_site_new("preset 12", TAC_CAT_APP, NULL);
    REQUIRE(preset);
    REQUIRE(begin((struct tac_trace_config){.categories = 1u << TAC_CAT_APP}) == 0);
    {
        TAC_ZONE("outer");
        TAC_ZONE_NAMED(seen, TAC_CAT_APP, 1, "seen");
        TAC_ZONE_VALUE_OF(seen, 5);
        TAC_ZONE_TEXT_OF(seen, preset);
        {
            TAC_ZONE_NAMED(unseen, TAC_CAT_NODE, 1, "not recorded");
            TAC_ZONE_VALUE_OF(unseen, 9);
            TAC_ZONE_TEXT_OF(unseen, preset);
        }
    }
    {
        TAC_ZONE("literal");
        TAC_ZONE_TEXT("from the wavetable");
    }
    const struct tac_capture *c = finish();
    REQUIRE(c && c->zones_count == 3);
    const struct tac_capture_zone *outer = zone_named(c, "outer"), *seen = zone_named(c, "seen"),
                                  *literal = zone_named(c, "literal");
    REQUIRE(outer && seen && literal);
    CHECK(outer->value == 0 && outer->text == TAC_CAPTURE_NONE);
    REQUIRE(seen->value == 5 && seen->text != TAC_CAPTURE_NONE);
    CHECK_STR(c->sites[seen->text].name, "preset 12");
    REQUIRE(literal->text != TAC_CAPTURE_NONE);
    CHECK_STR(c->sites[literal->text].name, "from the wavetable");
}

static void levels_above_the_compiled_one_vanish(void)
{
    REQUIRE(begin((struct tac_trace_config){0}) == 0);
    {
        TAC_ZONE("coarse");
        TAC_ZONE_FINE("fine");
    }
    const struct tac_capture *c = finish();
    REQUIRE(c && c->zones_count == 1);
    CHECK(zone_named(c, "coarse") != NULL);
}

static const struct tac_trace_site *level_site;

static void nest(uint32_t depth)
{
    TAC_ZONE_SITE(level_site);
    if (depth > 1)
        nest(depth - 1);
}

struct descent {
    uint32_t records, depth;
};

static void *descend(void *arg)
{
    const struct descent *d = arg;
    if (tac_thread_register("deep", d->records))
        return NULL;
    nest(d->depth);
    tac_thread_unregister();
    return arg;
}

/* The helper sleeps for a second, so nothing but the ring decides. */
static void depth(uint32_t records, uint32_t deep, uint64_t want)
{
    struct descent d = {records, deep};
    pthread_t thread;
    void *done = NULL;
    REQUIRE(begin((struct tac_trace_config){.drain_ms = 1000}) == 0);
    REQUIRE(pthread_create(&thread, NULL, descend, &d) == 0);
    pthread_join(thread, &done);
    const struct tac_capture *c = finish();
    REQUIRE(done && c);
    CHECK_MSG(c->zones_count >= want && c->zones_count <= deep, "%zu of %u", c->zones_count, deep);
    uint32_t deepest = 0;
    for (size_t i = 0; i < c->zones_count; i++) {
        CHECK(c->zones[i].end_ns != TAC_CAPTURE_OPEN);
        deepest = c->zones[i].depth > deepest ? c->zones[i].depth : deepest;
    }
    CHECK(deepest + 1 == c->zones_count);
    const struct tac_capture_thread *t = &c->threads[c->threads_count - 1];
    CHECK(t->stored + t->dropped == 2 * (uint64_t)deep);
}

static void zones_nest_as_deep_as_is_promised(void)
{
    level_site = tac_trace_site_new("level", TAC_CAT_APP, NULL);
    REQUIRE(level_site);
    depth(64, TAC_ZONE_DEPTH(64), TAC_ZONE_DEPTH(64));
    depth(8192, TAC_ZONE_DEPTH(8192), TAC_ZONE_DEPTH(8192));
    depth(64, 100, TAC_ZONE_DEPTH(64)); /* deeper: counted, and the rest stays nested */
    depth(1024, 5000, TAC_ZONE_DEPTH(1024));
}

static void cycle_sources_are_many_and_independent(void)
{
    enum { SOURCES = 300 };
    int source[SOURCES];
    REQUIRE(begin((struct tac_trace_config){0}) == 0);
    for (int i = 0; i < SOURCES; i++) {
        char name[32];
        snprintf(name, sizeof name, "source %d", i);
        source[i] = tac_cycle_source_open(name, 1000u + (unsigned)i);
        REQUIRE(source[i] >= 0);
    }
    /* they overlap: each ends in the order it began */
    for (int i = 0; i < SOURCES; i++)
        TAC_CYCLE_BEGIN(source[i], 1, (uint32_t)i);
    for (int i = 0; i < SOURCES; i++)
        TAC_CYCLE_END(source[i]);
    const struct tac_capture *c = finish();
    REQUIRE(c && c->cycles_count == SOURCES);
    for (size_t i = 0; i < c->cycles_count; i++) {
        const struct tac_capture_cycle *k = &c->cycles[i];
        char name[32];
        snprintf(name, sizeof name, "source %u", k->frames);
        CHECK_STR(c->sources[k->source].name, name);
        CHECK(c->sources[k->source].period_ns == 1000u + k->frames);
        CHECK(k->end_ns != TAC_CAPTURE_OPEN);
    }
}

static void emit_by_function(const struct tac_trace_site *site)
{
    tac_trace_plot(site, 1);
    tac_trace_message(site, 1);
    tac_trace_flow(TAC_FLOW_BEGIN, 1);
    tac_trace_text("text", 4);
    tac_zone_value(1);
    tac_zone_text(site);
}

static void functions_obey_the_session_and_its_categories(void)
{
    static const struct tac_trace_site node = {.name = "node", .category = TAC_CAT_NODE};
    struct tac_trace_stats stats;
    uint32_t head = tac_trace_lane_here->head;
    emit_by_function(&node);
    CHECK(tac_trace_lane_here->head == head);
    REQUIRE(begin((struct tac_trace_config){.categories = 1u << TAC_CAT_TASK}) == 0);
    emit_by_function(&node);
    tac_trace_get_stats(&stats);
    CHECK_MSG(stats.stored == 2, "%llu", (unsigned long long)stats.stored); /* of any zone */
    tac_trace_set_categories(1u << TAC_CAT_NODE);
    emit_by_function(&node);
    const struct tac_capture *c = finish();
    REQUIRE(c && c->plots_count == 1 && c->messages_count == 1 && c->flows_count == 0);
}

/* What is in the ring still counts; the helper sleeps for a second. */
static void counts_are_whole_at_every_moment(void)
{
    struct tac_trace_stats stats;
    REQUIRE(begin((struct tac_trace_config){.drain_ms = 1000}) == 0);
    for (int i = 1; i < 100; i++) {
        tac_trace_text("a text that takes three records", 31);
        tac_trace_get_stats(&stats);
        CHECK(stats.stored == (uint64_t)i && !stats.dropped);
    }
    REQUIRE(finish());
}

static void *overfill_with_stacks(void *arg)
{
    void *pc[1] = {arg};
    struct tac_trace_stats stats;
    if (tac_thread_register("stacks", 64) || begin((struct tac_trace_config){.drain_ms = 1000}))
        return NULL;
    for (uintptr_t i = 1; i <= 40; i++) {
        tac_trace_memory(TAC_MEMORY_ALLOC, (void *)i, NULL, 8, tac_trace_counter());
        tac_trace_stack(pc, 1);
        pc[0] = (void *)((uintptr_t)pc[0] + 1);
    }
    tac_trace_get_stats(&stats);
    CHECK(stats.stored + stats.dropped == 80 && stats.dropped);
    return finish() ? arg : NULL;
}

static void a_stack_shares_the_fate_of_its_event(void)
{
    void *pc[1] = {path};
    REQUIRE(begin((struct tac_trace_config){.categories = 1u << TAC_CAT_LOCK}) == 0);
    TAC_LOCK_TAKEN(&path);
    TAC_MEMORY(TAC_MEMORY_ALLOC, path, NULL, 8, tac_trace_counter());
    tac_trace_stack(pc, 1);
    TAC_LOCK_GIVEN(&path);
    tac_trace_stack(pc, 1);
    const struct tac_capture *c = finish();
    REQUIRE(c && c->holds_count == 2 && c->stacks_count == 1);
    run(overfill_with_stacks);
    REQUIRE(capture->memory_count > 0);
    for (size_t i = 0; i < capture->stacks_count; i++) {
        uint64_t of = capture->stacks[i].pc[0] - (uintptr_t)path + 1;
        size_t k = 0;
        while (k < capture->memory_count && capture->memory[k].ptr != of)
            k++;
        CHECK_MSG(k < capture->memory_count, "the event of stack %zu is not there", i);
    }
}

/* ---- recordings, one after another -------------------------------------------------------------
 */

static void flood(int events)
{
    for (int i = 0; i < events; i++)
        TAC_MESSAGE("flood", 1);
}

/* Nobody drains, so the ring is full; the recording ends without room for a gap. */
static void *lose_then_record_anew(void *arg)
{
    if (tac_thread_register("loser", 64) || begin((struct tac_trace_config){.drain_ms = 1000}))
        return NULL;
    flood(1000);
    if (tac_trace_stop() < 0 || begin((struct tac_trace_config){.drain_ms = 1000}))
        return NULL;
    flood(3);
    return finish() ? arg : NULL;
}

static void a_recording_tells_no_losses_of_the_one_before(void)
{
    run(lose_then_record_anew);
    CHECK(capture->messages_count == 3);
    CHECK_MSG(capture->gaps_count == 0, "%zu", capture->gaps_count);
}

static void sources_have_whole_names_and_ids(void)
{
    int a = tac_cycle_source_open("a name that is longer than thirty-one bytes: a", 1);
    int b = tac_cycle_source_open("a name that is longer than thirty-one bytes: b", 2);
    CHECK(a >= 0 && b >= 0 && a != b);
    CHECK(tac_cycle_source_open("a name that is longer than thirty-one bytes: a", 1) == a);
    CHECK(tac_cycle_source_open(NULL, 1) == -EINVAL);
    REQUIRE(begin((struct tac_trace_config){0}) == 0);
    int none[] = {-1, TAC_CYCLE_SOURCES_MAX, TAC_CYCLE_SOURCES_MAX + a};
    for (size_t i = 0; i < 3; i++) {
        TAC_CYCLE_BEGIN(none[i], 1, 0);
        TAC_CYCLE_END(none[i]);
    }
    TAC_CYCLE_BEGIN(b, 1, 0);
    TAC_CYCLE_END(b);
    const struct tac_capture *c = finish();
    REQUIRE(c && c->cycles_count == 1);
    CHECK(c->sources[c->cycles[0].source].period_ns == 2);
    CHECK_STR(c->sources[c->cycles[0].source].name, "a name that is longer than thir");
}

static void sites_are_told_apart_by_their_units(void)
{
    const struct tac_trace_site *hz = tac_trace_site_new("rate", TAC_CAT_APP, "Hz");
    CHECK(hz && tac_trace_site_new("rate", TAC_CAT_APP, "Hz") == hz);
    CHECK(tac_trace_site_new("rate", TAC_CAT_APP, "1/min") != hz);
    CHECK(tac_trace_site_new("rate", TAC_CAT_APP, NULL) ==
          tac_trace_site_new("rate", TAC_CAT_APP, ""));
    CHECK(!tac_trace_site_new(NULL, TAC_CAT_APP, NULL));
    CHECK(!tac_trace_site_new("rate", TAC_CAT_MAX, NULL));
}

/* ---- threads that come and go ------------------------------------------------------------------
 */

static void *of_another_thread(void *arg)
{
    if (tac_thread_register("another", 64))
        return NULL;
    TAC_ZONE("another's");
    return arg;
}

static void *unregister_inside_a_zone(void *arg)
{
    if (tac_thread_register("leaver", 64))
        return NULL;
    {
        TAC_ZONE("left");
        tac_thread_unregister();
        run(of_another_thread);
        TAC_ZONE("unregistered");
    }
    tac_thread_unregister();
    run(of_another_thread); /* in the ring that is free now */
    return arg;
}

static void the_end_of_a_zone_goes_where_its_begin_went(void)
{
    REQUIRE(begin((struct tac_trace_config){0}) == 0);
    run(unregister_inside_a_zone);
    const struct tac_capture *c = finish();
    REQUIRE(c && c->zones_count == 3);
    CHECK(c->unregistered == 2 && c->problems == 0);
    for (size_t i = 0; i < 3; i++)
        CHECK(c->zones[i].end_ns != TAC_CAPTURE_OPEN && c->zones[i].depth == 0);
    const struct tac_capture_zone *left = zone_named(c, "left");
    REQUIRE(left);
    CHECK_STR(c->threads[left->thread].name, "leaver");
}

static void *register_again_inside_a_zone(void *arg)
{
    if (tac_thread_register("first", 64))
        return NULL;
    TAC_ZONE("around");
    tac_thread_unregister();
    if (tac_thread_register("second", 0))
        return NULL;
    TAC_ZONE("inside");
    return arg;
}

static void who_registers_again_inside_a_zone_goes_on_in_its_ring(void)
{
    REQUIRE(begin((struct tac_trace_config){0}) == 0);
    run(register_again_inside_a_zone);
    const struct tac_capture *c = finish();
    REQUIRE(c && c->zones_count == 2);
    const struct tac_capture_zone *around = zone_named(c, "around"), *inside;
    inside = zone_named(c, "inside");
    REQUIRE(around && inside);
    CHECK(around->thread == inside->thread && inside->depth == 1);
    CHECK_STR(c->threads[around->thread].name, "second");
}

static void *register_with(void *records)
{
    int error = tac_thread_register("one of many", *(const uint32_t *)records);
    uint32_t got = error ? 0 : tac_trace_lane_here->mask + 1;
    *(uint32_t *)records = got;
    return NULL;
}

static uint32_t records_for(uint32_t records)
{
    pthread_t thread;
    if (!pthread_create(&thread, NULL, register_with, &records))
        pthread_join(thread, NULL);
    return records;
}

/* The table is filled by hand with threads that live, but for one free ring. */
static void a_full_table_of_ended_threads_refuses_nobody(void)
{
    static struct tac_lane live = {.state = TAC_LANE_LIVE};
    uint32_t count = atomic_load(&tac_lanes_count), kept = 0;
    CHECK(records_for(1024) >= 1024 && records_for(64) >= 64);
    struct tac_lane *before[TAC_LANES_MAX];
    memcpy(before, tac_lanes, sizeof before);
    count = atomic_load(&tac_lanes_count);
    while (kept < count && tac_lanes[kept]->state != TAC_LANE_FREE)
        kept++;
    REQUIRE(kept < count);
    for (uint32_t i = 0; i < TAC_LANES_MAX; i++)
        if (i != kept)
            tac_lanes[i] = &live;
    atomic_store(&tac_lanes_count, TAC_LANES_MAX);
    CHECK(records_for(64) == tac_lanes[kept]->ring.mask + 1); /* what is large enough is taken */
    CHECK(records_for(1 << 15) == 1 << 15 && records_for(64) == 1 << 15);
    tac_lanes[kept]->state = TAC_LANE_LIVE;
    CHECK(records_for(64) == 0);
    before[kept] = tac_lanes[kept];
    before[kept]->state = TAC_LANE_FREE;
    memcpy(tac_lanes, before, sizeof before);
    atomic_store(&tac_lanes_count, count);
    CHECK(tac_thread_register("too large", (1 << 20) + 1) == -EINVAL);
}

/* ---- locks -------------------------------------------------------------------------------------
 */

static struct tac_lock lock;
static int holder_ready;
static uint32_t holder_tid;

static void *hold(void *unused)
{
    struct timespec nap = {0, 30000000};
    (void)unused;
    tac_thread_register("holder", 0);
    tac_lock_take(&lock);
    holder_tid = (uint32_t)syscall(SYS_gettid);
    __atomic_store_n(&holder_ready, 1, __ATOMIC_RELEASE);
    nanosleep(&nap, NULL);
    tac_lock_give(&lock);
    return NULL;
}

static void a_wait_names_the_holder(void)
{
    pthread_t thread;
    REQUIRE(tac_lock_init(&lock) == 0);
    REQUIRE(begin((struct tac_trace_config){0}) == 0);
    REQUIRE(pthread_create(&thread, NULL, hold, NULL) == 0);
    while (!__atomic_load_n(&holder_ready, __ATOMIC_ACQUIRE))
        usleep(100);
    CHECK(tac_lock_try(&lock) == 0);
    tac_lock_take(&lock);
    tac_lock_give(&lock);
    CHECK(tac_lock_try(&lock) == 1);
    tac_lock_give(&lock);
    pthread_join(thread, NULL);
    const struct tac_capture *c = finish();
    REQUIRE(c && c->locks_count == 1 && c->holds_count == 6);
    CHECK(c->locks[0].lock == (uintptr_t)&lock && c->locks[0].holder_tid == holder_tid);
    CHECK(c->locks[0].end_ns - c->locks[0].begin_ns > 1000000);
    for (size_t i = 0; i < 6; i++)
        CHECK(c->holds[i].taken == (i + 1) % 2);
    tac_lock_fini(&lock);
}

static void annotated_locks_come_back(void)
{
    REQUIRE(begin((struct tac_trace_config){.categories = 1u << TAC_CAT_LOCK}) == 0);
    uint64_t t = tac_trace_counter();
    TAC_LOCK_WAITED(&path, 7, t);
    TAC_LOCK_TAKEN(&path);
    TAC_LOCK_GIVEN(&path);
    TAC_ZONE("another category");
    const struct tac_capture *c = finish();
    REQUIRE(c && c->locks_count == 1 && c->holds_count == 2 && c->zones_count == 0);
    CHECK(c->locks[0].holder_tid == 7 && c->holds[0].taken == 1 && c->holds[1].taken == 0);
}

/* ---- heap --------------------------------------------------------------------------------------
 */

static size_t count_ops(const struct tac_capture *c, uint32_t op, uint64_t bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < c->memory_count; i++)
        n += c->memory[i].op == op && (c->memory[i].bytes == bytes || op == TAC_MEMORY_FREE);
    return n;
}

static void the_heap_and_its_pools_are_heard(void)
{
    struct tac_pool_config config = {"voices", 96, 2, TAC_POOL_OWNER, NULL, NULL};
    struct tac_pool *pool;
    REQUIRE(tac_pool_new(&config, &pool) == 0);
    tac_heap_hooks_set(tac_trace_heap_hooks());
    REQUIRE(begin((struct tac_trace_config){.categories = 1u << TAC_CAT_MEMORY}) == 0);
    void *block = tac_heap_malloc(333);
    block = tac_heap_realloc(block, 777);
    tac_heap_free(block);
    void *a = tac_pool_get(pool), *b = tac_pool_get(pool);
    CHECK(tac_pool_get(pool) == NULL);
    CHECK(tac_pool_put(pool, a) == 0 && tac_pool_put(pool, b) == 0);
    tac_heap_hooks_set(NULL);
    const struct tac_capture *c = finish();
    tac_pool_free(pool);
    REQUIRE(c);
    CHECK(count_ops(c, TAC_MEMORY_ALLOC, 333) == 1 && count_ops(c, TAC_MEMORY_REALLOC, 777) == 1);
    CHECK(count_ops(c, TAC_MEMORY_FREE, 0) == 1);
    CHECK(count_ops(c, TAC_MEMORY_POOL_GET, 96) == 2 && count_ops(c, TAC_MEMORY_FAIL, 96) == 1);
    CHECK(count_ops(c, TAC_MEMORY_POOL_PUT, 96) == 2);
    CHECK(c->stacks_count == c->memory_count);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    snprintf(path, sizeof path, "/tmp/tactus-test-api-%d", (int)getpid());
    if (tac_thread_register("main", 0))
        return 99;
    TEST(texts_and_numbers_belong_to_their_zone);
    TEST(levels_above_the_compiled_one_vanish);
    TEST(zones_nest_as_deep_as_is_promised);
    TEST(cycle_sources_are_many_and_independent);
    TEST(sources_have_whole_names_and_ids);
    TEST(sites_are_told_apart_by_their_units);
    TEST(functions_obey_the_session_and_its_categories);
    TEST(counts_are_whole_at_every_moment);
    TEST(a_stack_shares_the_fate_of_its_event);
    TEST(a_recording_tells_no_losses_of_the_one_before);
    TEST(the_end_of_a_zone_goes_where_its_begin_went);
    TEST(who_registers_again_inside_a_zone_goes_on_in_its_ring);
    TEST(a_full_table_of_ended_threads_refuses_nobody);
    TEST(a_wait_names_the_holder);
    TEST(annotated_locks_come_back);
    TEST(the_heap_and_its_pools_are_heard);
    tac_capture_close(capture);
    unlink(path);
    return test_end();
}
