/* SPDX-License-Identifier: MIT
 * test_traced.c - what a recording holds of an engine that plays with a helper: the zones of nodes
 * in those of tasks, those in the workers', and all of it in the cycles. */
#include "rig_engine.h"
#include "test.h"

#include "capture/capture.h"
#include "tactus/cycle.h"

#include <stdlib.h>
#include <unistd.h>

enum { CALL = 96, CALLS = 64, MOST_CALLS = 4000 };

static const char patch[] = "output: 2\n"
                            "voices:\n"
                            "  v:\n"
                            "    count: 100\n"
                            "    nodes:\n"
                            "      osc: {block: saw, frequency: 8.1758 Hz}\n"
                            "      vcf: {block: svf, cutoff: 900 Hz}\n"
                            "      vca: {block: gain, level: -40 dB}\n"
                            "    cables:\n"
                            "      - v.pitch -> osc.pitch\n"
                            "      - osc -> vcf -> vca -> output\n";

static char path[64];
static struct tac_engine_info info;
static struct tac_engine_stats stats;

/* Calls until a helper took part too, for it may be slow to come on a busy machine. */
static int play(uint32_t threads)
{
    int source = tac_cycle_source_open("engine", 2000000), calls = 0;
    struct tac_engine *e = rig_open_threads(patch, threads);
    if (!e)
        return -1;
    for (; calls < CALLS || (threads > 1 && !stats.tasks_given && calls < MOST_CALLS); calls++) {
        tac_cycle_begin(source, 0, CALL);
        rig_play(e, 0, CALL, CALL);
        tac_cycle_end(source);
        tac_engine_stats(e, &stats);
    }
    tac_engine_info(e, &info);
    tac_engine_free(e);
    return calls;
}

/* The recording of such a play; NULL when that failed. *ret_calls: process calls. */
static struct tac_capture *record(uint32_t threads, uint32_t categories, int *ret_calls)
{
    struct tac_error err = {0};
    struct tac_capture *c = NULL;
    struct tac_trace_config config = {.path = path, .categories = categories, .drain_ms = 1};
    int fd;
    stats.tasks_given = 0;
    snprintf(path, sizeof path, "/tmp/tactus-traced-XXXXXX");
    if ((fd = mkstemp(path)) < 0)
        return NULL;
    close(fd);
    if (tac_thread_register("audio", 1u << 19) == 0 && tac_trace_start(&config) == 0) {
        *ret_calls = play(threads);
        if (tac_trace_stop() < 0 || tac_capture_open(path, &err, &c) < 0)
            printf("# %s\n", err.text);
    }
    unlink(path);
    return c;
}

static const char *name_of(const struct tac_capture *c, const struct tac_capture_zone *z)
{
    return c->sites[z->site].name;
}

static uint8_t category_of(const struct tac_capture *c, const struct tac_capture_zone *z)
{
    return c->sites[z->site].category;
}

static uint32_t count_zones(const struct tac_capture *c, const char *name)
{
    uint32_t count = 0;
    for (size_t i = 0; i < c->zones_count; i++)
        count += !strcmp(name_of(c, &c->zones[i]), name);
    return count;
}

static bool in_a_cycle(const struct tac_capture *c, const struct tac_capture_zone *z)
{
    for (size_t i = 0; i < c->cycles_count; i++)
        if (c->cycles[i].begin_ns <= z->begin_ns && z->end_ns <= c->cycles[i].end_ns &&
            c->cycles[i].thread == z->thread)
            return true;
    return false;
}

/* How many zones are not where they belong. Cycles are the audio thread's. */
static uint32_t misplaced(const struct tac_capture *c)
{
    uint32_t wrong = 0;
    for (size_t i = 0; i < c->zones_count; i++) {
        const struct tac_capture_zone *z = &c->zones[i];
        const struct tac_capture_zone *up =
            z->parent == TAC_CAPTURE_NONE ? NULL : &c->zones[z->parent];
        bool audio = z->thread == c->cycles[0].thread;
        bool task = !strncmp(name_of(c, z), "task ", 5);
        bool worker = !strncmp(name_of(c, z), "worker ", 7);
        bool good = worker ? !up : up && category_of(c, up) == TAC_CAT_TASK;
        good = good && (!task || !strcmp(name_of(c, up), audio ? "worker 0" : "worker 1"));
        good = good && (task || worker || category_of(c, z) == TAC_CAT_NODE);
        good = good && (!audio || in_a_cycle(c, z));
        if (!good && !wrong++)
            printf("# %s in %s\n", name_of(c, z), up ? name_of(c, up) : "nothing");
    }
    return wrong;
}

static void nodes_are_in_tasks_in_workers_in_cycles(void)
{
    int calls = 0;
    struct tac_capture *c = record(2, 0, &calls);
    CHECK(c && calls > 0 && c->cycles_count == (size_t)calls);
    CHECK(c->gaps_count == 0 && misplaced(c) == 0);
    CHECK(count_zones(c, "worker 0") >= (uint32_t)(calls * CALL / TAC_ENGINE_SLICE_FRAMES));
    CHECK(count_zones(c, "osc") && count_zones(c, "vcf") && count_zones(c, "vca"));
    CHECK_MSG(!stats.tasks_given || count_zones(c, "worker 1"), "nothing of the helper");
    tac_capture_close(c);
}

/* -1 when the plot has another number of points than there were calls. */
static double last_of_plot(const struct tac_capture *c, const char *name, int calls)
{
    double value = 0;
    int points = 0;
    for (size_t i = 0; i < c->plots_count; i++)
        if (!strcmp(c->sites[c->plots[i].site].name, name)) {
            value = c->plots[i].value;
            points++;
        }
    return points == calls ? value : -1;
}

static void load_and_memory_are_plotted_once_a_cycle(void)
{
    int calls = 0;
    struct tac_capture *c = record(1, 0, &calls);
    CHECK(c);
    CHECK(last_of_plot(c, "engine load", calls) > 0);
    CHECK(last_of_plot(c, "engine memory", calls) == (double)info.memory_bytes);
    CHECK(last_of_plot(c, "engine overload", calls) == 0);
    tac_capture_close(c);
}

static void categories_switch_each_kind(void)
{
    int calls = 0;
    struct tac_capture *c = record(1, 1u << TAC_CAT_CYCLE | 1u << TAC_CAT_TASK, &calls);
    CHECK(c && !c->plots_count && !count_zones(c, "osc") && count_zones(c, "task 0"));
    tac_capture_close(c);
    c = record(1, 1u << TAC_CAT_NODE, &calls);
    CHECK(c && count_zones(c, "osc") && !count_zones(c, "task 0") && !c->cycles_count);
    tac_capture_close(c);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(nodes_are_in_tasks_in_workers_in_cycles);
    TEST(load_and_memory_are_plotted_once_a_cycle);
    TEST(categories_switch_each_kind);
    return test_end();
}
