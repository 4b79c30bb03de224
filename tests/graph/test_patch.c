/* SPDX-License-Identifier: MIT
 * test_patch.c - patches that are good, and every kind of mistake with its place and its code. */
#include "graph/graph.h"

#include "dsp/block.h"

#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static int read_patch(const char *text, struct tac_graph **ret_graph, struct tac_error *err)
{
    *err = (struct tac_error){0};
    return tac_graph_read(text, strlen(text), "p.yaml", "", ret_graph, err);
}

static const char good[] = "name: two\n"
                           "tempo: 90 bpm\n"
                           "output: 2\n"
                           "nodes:\n"
                           "  a: {block: sine, frequency: 1 kHz}\n"
                           "  b: {block: gain, level: -6 dB, channels: 2}\n"
                           "voices:\n"
                           "  lead:\n"
                           "    count: 5\n"
                           "    nodes:\n"
                           "      osc: {block: saw}\n"
                           "    cables:\n"
                           "      - lead.pitch -> osc.pitch\n"
                           "cables:\n"
                           "  - a.out -> b.in[2]\n"
                           "  - osc -> b -> output\n";

static void a_good_patch_is_resolved(void)
{
    struct tac_graph *g;
    struct tac_error err;
    REQUIRE(read_patch(good, &g, &err) == 0);
    CHECK_STR(g->name, "two");
    CHECK(g->tempo_bpm == 90);
    CHECK(g->node_count == 5 && g->cable_count == 4 && g->section_count == 1);
    int64_t b = tac_graph_find(g, "b"), osc = tac_graph_find(g, "osc");
    REQUIRE(b >= 0 && osc >= 0);
    CHECK(g->node[b].lanes == 2 && g->node[osc].lanes == 5);
    CHECK(g->node[b].param[0] == -6);
    CHECK(g->cable[2].summed && g->cable[2].from.count == 1);
    CHECK(g->cable[1].to.first == 1 && g->cable[1].to.count == 1);
    CHECK(g->warning_count == 0);
    tac_graph_free(g);
}

static void each_node_follows_what_it_hears(void)
{
    struct tac_graph *g;
    struct tac_error err;
    REQUIRE(read_patch(good, &g, &err) == 0);
    uint32_t place[5];
    for (uint32_t i = 0; i < g->node_count; i++)
        place[g->order[i]] = i;
    for (uint32_t i = 0; i < g->cable_count; i++)
        CHECK(place[g->cable[i].from.node] < place[g->cable[i].to.node]);
    tac_graph_free(g);
}

static void a_node_that_is_not_heard_is_warned_of(void)
{
    struct tac_graph *g;
    struct tac_error err;
    REQUIRE(read_patch("nodes:\n  a: {block: sine}\n", &g, &err) == 0);
    REQUIRE(g->warning_count == 1);
    CHECK(g->warning[0].line == 2 && strstr(g->warning[0].text, "'a'"));
    tac_graph_free(g);
}

static void a_patch_of_nothing_is_warned_of(void)
{
    static const struct {
        const char *text;
        uint32_t warnings;
    } patches[] = {{"output: 2\n", 1},
                   {"nodes: {}\n", 1},
                   {"input: 2\n", 1},
                   {"input: 2\ncables: [input -> output]\n", 0}};
    for (size_t i = 0; i < sizeof patches / sizeof *patches; i++) {
        struct tac_graph *g;
        struct tac_error err;
        REQUIRE(read_patch(patches[i].text, &g, &err) == 0);
        CHECK_MSG(g->warning_count == patches[i].warnings, "%s", patches[i].text);
        tac_graph_free(g);
    }
}

static void latency_is_that_of_the_longest_way_from_the_input(void)
{
    static const char *const cables[] = {
        "input -> output", "input -> l -> output", "input -> l -> s -> output, input -> output",
        "input -> g -> output, s -> output", "input -> g, g -> s -> output, s ~> g"};
    uint32_t l = tac_blocks_get((uint32_t)tac_blocks_find("limiter"))->latency_frames;
    uint32_t s = tac_blocks_get((uint32_t)tac_blocks_find("shaper"))->latency_frames;
    const uint32_t late[] = {0, l, l + s, 0, s};
    CHECK(l && s);
    for (size_t i = 0; i < sizeof cables / sizeof *cables; i++) {
        char text[300];
        struct tac_graph *g;
        struct tac_error err;
        snprintf(text, sizeof text,
                 "input: 1\noutput: 1\nnodes: {l: {block: limiter}, s: {block: shaper}, g: {block: "
                 "gain}}\ncables: [%s]\n",
                 cables[i]);
        REQUIRE(read_patch(text, &g, &err) == 0);
        CHECK_MSG(g->latency_frames == late[i], "%s: %u", cables[i], g->latency_frames);
        tac_graph_free(g);
    }
}

#define N "nodes:\n  a: {block: sine}\n  b: {block: gain}\n  w: {block: gain, channels: 3}\n"

static const struct {
    const char *text;
    int code;
    unsigned line;
    const char *says;
} mistakes[] = {
    {"", -TAC_E_SYNTAX, 0, "empty"},
    {"- 1\n", -TAC_E_SYNTAX, 1, "a patch is a map"},
    {"nodes: {a: {block: sine", -TAC_E_SYNTAX, 2, "not YAML"},
    {"tune: 3\n", -TAC_E_UNKNOWN, 1, "tune"},
    {"name: x\nname: y\n", -TAC_E_DUPLICATE, 2, "given twice"},
    {"a: &x 1\n", -TAC_E_SYNTAX, 1, "anchors"},
    {"a: *x\n", -TAC_E_SYNTAX, 1, "aliases"},
    {"a: \"\\0\"\n", -TAC_E_SYNTAX, 1, "zero byte"},
    {"tempo: fast\n", -TAC_E_SYNTAX, 1, "not a number"},
    {"tempo: 1e30\n", -TAC_E_RANGE, 1, "out of range"},
    {"output: 65\n", -TAC_E_RANGE, 1, "out of range"},
    {"output: 1.5\n", -TAC_E_RANGE, 1, "whole number"},
    {"nodes:\n  a: {block: sinus}\n", -TAC_E_UNKNOWN, 2, "no block 'sinus'"},
    {"nodes:\n  a: {frequency: 3 Hz}\n", -TAC_E_SYNTAX, 2, "block: NAME"},
    {"nodes:\n  a: 3\n", -TAC_E_SYNTAX, 2, "a node is a map"},
    {"nodes:\n  '1a': {block: sine}\n", -TAC_E_SYNTAX, 2, "cannot be a name"},
    {"nodes:\n  output: {block: sine}\n", -TAC_E_DUPLICATE, 2, "another 'output'"},
    {"nodes:\n  a: {block: sine, colour: red}\n", -TAC_E_UNKNOWN, 2, "no parameter 'colour'"},
    {"nodes:\n  a: {block: sine, frequency: 3}\n", -TAC_E_UNIT, 2, "lacks its unit"},
    {"nodes:\n  a: {block: sine, frequency: 3 dB}\n", -TAC_E_UNIT, 2, "wrong unit"},
    {"nodes:\n  a: {block: sine, frequency: 1e300 Hz}\n", -TAC_E_RANGE, 2, "out of range"},
    {"nodes:\n  a: {block: sine, frequency: [1]}\n", -TAC_E_SYNTAX, 2, "one value"},
    {"nodes:\n  a: {block: noise, colour: mauve}\n", -TAC_E_UNKNOWN, 2, "white, pink"},
    {"nodes:\n  a: {block: sine, channels: 0}\n", -TAC_E_RANGE, 2, "out of range"},
    {"nodes:\n  a: {block: sequencer, notes: 4}\n", -TAC_E_SYNTAX, 2, "a list"},
    {"voices:\n  v: {count: 9999}\n", -TAC_E_RANGE, 2, "out of range"},
    {"voices:\n  v: {mode: trio}\n", -TAC_E_UNKNOWN, 2, "poly, mono, legato"},
    {"voices:\n  v: {nodes: {s: {block: sequencer}}}\n", -TAC_E_RANGE, 2, "deals in notes"},
    {N "cables:\n  - a.out\n", -TAC_E_SYNTAX, 6, "arrow"},
    {N "cables:\n  - a.out => b.in\n", -TAC_E_SYNTAX, 6, "arrow"},
    {N "cables:\n  - a.out -> \n", -TAC_E_SYNTAX, 6, "is missing"},
    {N "cables:\n  - c.out -> b.in\n", -TAC_E_UNKNOWN, 6, "no node 'c'"},
    {N "cables:\n  - input -> b.in\n", -TAC_E_UNKNOWN, 6, "input: CHANNELS"},
    {N "cables:\n  - a.left -> b.in\n", -TAC_E_UNKNOWN, 6, "it has: out"},
    {N "cables:\n  - a.out -> b.knob\n", -TAC_E_UNKNOWN, 6, "it has: in, control, level"},
    {N "cables:\n  - a.out[2] -> b.in\n", -TAC_E_RANGE, 6, "has 1 channel, not 2"},
    {N "cables:\n  - a.out[0] -> b.in\n", -TAC_E_SYNTAX, 6, "count from 1"},
    {N "cables:\n  - w.out -> output\n", -TAC_E_RANGE, 6, "do not fit"},
    {N "cables:\n  - {a: b}\n", -TAC_E_SYNTAX, 6, "no cable"},
    {N "cables:\n  - a.out -> b.in\n  - b.out -> b.level\n", -TAC_E_LOOP, 7, "b -> b"},
    {N "  c: {block: gain}\ncables:\n  - b.out -> c.in\n  - c.out -> b.in\n", -TAC_E_LOOP, 7,
     "b -> c -> b"},
};

static void every_mistake_has_its_line(void)
{
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        struct tac_graph *g = NULL;
        struct tac_error err;
        int code = read_patch(mistakes[i].text, &g, &err);
        CHECK_MSG(code == mistakes[i].code && err.line == mistakes[i].line &&
                      strstr(err.text, mistakes[i].says),
                  "mistake %zu: code %d, %u:%u: %s", i, code, err.line, err.column, err.text);
        CHECK(!g);
    }
}

static void a_loop_is_allowed_when_it_is_declared(void)
{
    struct tac_graph *g;
    struct tac_error err;
    REQUIRE(read_patch(N "cables:\n  - a -> b -> output\n  - b.out ~> b.in\n", &g, &err) == 0);
    CHECK(g->cable[2].feedback);
    tac_graph_free(g);
}

static void deep_nesting_is_refused(void)
{
    static char text[100001];
    struct tac_graph *g;
    struct tac_error err;
    memset(text, '[', sizeof text - 1);
    CHECK(read_patch(text, &g, &err) == -TAC_E_LIMIT && err.column == TAC_YAML_DEPTH_MAX + 1);
}

static void garbage_is_refused(void)
{
    enum { BYTES = 10 << 20 };
    unsigned char *text = malloc(BYTES);
    REQUIRE(text);
    uint32_t random = 1;
    for (int i = 0; i < BYTES; i++)
        text[i] = (unsigned char)((random = random * 1664525 + 1013904223) >> 24);
    struct tac_graph *g;
    struct tac_error err = {0};
    CHECK(tac_graph_read((char *)text, BYTES, "p", "", &g, &err) == -TAC_E_SYNTAX);
    CHECK(err.text[0]);
    CHECK(tac_graph_read((char *)text, TAC_YAML_BYTES_MAX + 1u, "p", "", &g, &err) == -TAC_E_LIMIT);
    free(text);
}

struct told {
    unsigned count;
    unsigned line[32];
    char text[32][TAC_ERROR_TEXT_MAX];
};

static void note(void *user, const struct tac_error *mistake)
{
    struct told *t = user;
    if (t->count < 32) {
        t->line[t->count] = mistake->line;
        memcpy(t->text[t->count], mistake->text, sizeof mistake->text);
    }
    t->count++;
}

static int check_text(const char *text, size_t bytes, struct told *told)
{
    char path[] = "/tmp/tactus-patch-XXXXXX";
    struct tac_error err = {0};
    *told = (struct told){0};
    int fd = mkstemp(path);
    if (fd < 0 || write(fd, text, bytes) != (ssize_t)bytes)
        abort();
    close(fd);
    int code = tac_graph_check(path, note, told, &err);
    if (code < 0)
        CHECK_MSG(told->count == 0 && err.text[0], "%d after %u mistakes", code, told->count);
    else
        CHECK((unsigned)code == told->count || code > TAC_GRAPH_MISTAKES_MAX);
    unlink(path);
    return code;
}

/* Lines 5, 6, 7, 8 and 20 make others wrong, too: those are not told. */
static const char bad[] = "tempo: fast\n"
                          "tune: 3\n"
                          "nodes:\n"
                          "  a: {block: sine, frequency: 1e9 Hz, colour: red}\n"
                          "  b: {block: svff}\n"
                          "  1c: {block: gain}\n"
                          "  d: {block: gain, channels: 0}\n"
                          "  e: {frequency: 3 Hz}\n"
                          "voices:\n"
                          "  v:\n"
                          "    count: 9999\n"
                          "    foo: 1\n"
                          "    nodes: {o: {block: sine, frequncy: 1 kHz}, s: {block: sequencer}}\n"
                          "    cables: [v.gte -> o.level]\n"
                          "cables:\n"
                          "  - a -> b -> output\n"
                          "  - b.out[2] -> d.in[7]\n"
                          "  - d -> e -> output\n"
                          "  - aa -> a.left\n"
                          "  - a => b -> d\n"
                          "overload: [mute: zz, mute: e, set: {a: {level: 3 s}}]\n";

static const struct {
    unsigned line;
    const char *says;
} told_mistakes[] = {
    {2, "no 'tune'"},
    {1, "not a number"},
    {4, "out of range"},
    {4, "no parameter 'colour'"},
    {5, "no block 'svff'; is svf meant?"},
    {6, "cannot be a name"},
    {7, "out of range"},
    {8, "block: NAME"},
    {12, "no 'foo'"},
    {11, "out of range"},
    {13, "no parameter 'frequncy'; is frequency meant?"},
    {13, "deals in notes"},
    {14, "no output 'gte'"},
    {19, "no node 'aa'; is a meant?"},
    {19, "'left'"},
    {20, "arrow"},
    {21, "no node 'zz'"},
    {21, "wrong unit"},
};

static void all_mistakes_are_told_once(void)
{
    enum { COUNT = sizeof told_mistakes / sizeof *told_mistakes };
    struct told told;
    CHECK(check_text(bad, sizeof bad - 1, &told) == COUNT);
    for (unsigned i = 0; i < told.count && i < COUNT; i++)
        CHECK_MSG(told.line[i] == told_mistakes[i].line &&
                      strstr(told.text[i], told_mistakes[i].says),
                  "%u: line %u: %s", i, told.line[i], told.text[i]);
    CHECK(check_text(good, sizeof good - 1, &told) == 0);
    CHECK(check_text("nodes: {a: {block: sine", 23, &told) == -TAC_E_SYNTAX);
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++)
        CHECK_MSG(check_text(mistakes[i].text, strlen(mistakes[i].text), &told) != 0 &&
                      told.count <= 1,
                  "mistake %zu: told %u times", i, told.count);
}

/* What follows from a section or a width that is not known is left out; an input of no channels is
 * none, and a cable from it is told. */
static void what_follows_from_a_mistake_is_not_told(void)
{
    static const struct {
        const char *text;
        int count;
        const char *says;
    } patches[] = {
        {"voices: {v: {count: 9999, mode: trio, steal: all, glide: 3 dB, detune: 99 st, nodes: {o: "
         "{block: sine}}}}\ncables: [v.pitch -> o.pitch, 'o -> output']\n",
         5, "out of range"},
        {"voices: {1v: {nodes: {o: {block: sine}}}}\ncables: [1v.pitch -> o.pitch, o -> output]\n",
         1, "cannot be a name"},
        {"output: 99\nnodes: {g: {block: gain}}\ncables: ['g -> output[7]']\n", 1, "out of range"},
        {"input: x\nnodes: {g: {block: gain}}\ncables: ['input -> g -> output']\n", 1,
         "not a number"},
        {"input: 0\nnodes: {g: {block: gain}}\ncables: ['input -> g -> output']\n", 1,
         "input: CHANNELS"},
        {"input: 0\ntune: 3\nnodes: {g: {block: gain}}\ncables: ['input -> g -> output']\n", 2,
         "tune"},
    };
    for (size_t i = 0; i < sizeof patches / sizeof *patches; i++) {
        struct told told;
        int count = check_text(patches[i].text, strlen(patches[i].text), &told);
        CHECK_MSG(count == patches[i].count && strstr(told.text[0], patches[i].says),
                  "patch %zu: %d mistakes, %s", i, count, told.text[0]);
    }
}

static void more_mistakes_than_one_wants_to_read_are_counted(void)
{
    char text[8192];
    size_t n = (size_t)snprintf(text, sizeof text, "cables:\n");
    for (int i = 0; i < 300; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "  - nobody -> output\n");
    struct told told;
    CHECK(check_text(text, n, &told) == 300 && told.count == TAC_GRAPH_MISTAKES_MAX);
}

static void what_is_cut_off_is_checked_to_its_end(void)
{
    struct told told;
    for (size_t n = 0; n < sizeof bad; n += 11) /* each is a file, which emulators are slow with */
        CHECK_MSG(check_text(bad, n, &told) != 0 || n == 0, "prefix %zu has no mistake", n);
}

/* Whatever is cut off: an answer, and no memory left behind (the sanitizers' run looks). */
static void every_prefix_of_a_patch_gets_an_answer(void)
{
    for (size_t n = 0; n < sizeof good; n++) {
        struct tac_graph *g = NULL;
        struct tac_error err = {0};
        int code = tac_graph_read(good, n, "p", "", &g, &err);
        CHECK_MSG(code == 0 ? g != NULL : err.text[0] != 0, "prefix %zu: %d", n, code);
        tac_graph_free(g);
    }
}

/* 20 000 nodes in a row: the search must not recurse. */
static void a_long_chain_is_ordered(void)
{
    enum { NODES = 20000 };
    char *text = malloc(NODES * 64), *at = text;
    REQUIRE(text);
    at += sprintf(at, "nodes:\n");
    for (int i = 0; i < NODES; i++)
        at += sprintf(at, "  n%d: {block: gain}\n", i);
    at += sprintf(at, "cables:\n");
    for (int i = 1; i < NODES; i++)
        at += sprintf(at, "  - n%d -> n%d\n", i, i - 1);
    struct tac_graph *g;
    struct tac_error err;
    REQUIRE(read_patch(text, &g, &err) == 0);
    CHECK(g->node_count == NODES + 1);
    tac_graph_free(g);
    free(text);
}

static void a_recorder_is_heard_by_a_file(void)
{
    struct tac_graph *g;
    struct tac_error err;
    REQUIRE(read_patch("nodes:\n  o: {block: sine}\n  n: {block: noise}\n"
                       "  tape: {block: recorder, file: t.wav}\n"
                       "  deaf: {block: recorder}\ncables:\n  - o -> tape\n  - n -> deaf\n",
                       &g, &err) == 0);
    CHECK(g->warning_count == 2);
    for (uint32_t i = 0; i < g->warning_count; i++)
        CHECK(strstr(g->warning[i].text, "'n'") || strstr(g->warning[i].text, "'deaf'"));
    tac_graph_free(g);
}

/* Two names of one file, and one that is not there yet. */
static void no_recorder_writes_over_what_is_read_or_written(void)
{
    static const struct {
        const char *a, *b, *says;
    } cases[] = {
        {"player, file: %s", "recorder, file: %s", "'b' would write over what 'a' plays"},
        {"recorder, file: new.wav", "recorder, file: new.wav",
         "'b' would write over what 'a' records"},
        {"player, file: %s", "recorder, file: new.wav", NULL},
    };
    char path[] = "/tmp/tactus-same-XXXXXX";
    int fd = mkstemp(path);
    REQUIRE(fd >= 0);
    close(fd);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char form[400], text[600], other[64];
        struct tac_graph *g;
        struct tac_error err = {0};
        snprintf(other, sizeof other, "/tmp/./%s", path + 5);
        snprintf(form, sizeof form, "nodes:\n  a: {block: %s}\n  b: {block: %s}\n", cases[i].a,
                 cases[i].b);
        snprintf(text, sizeof text, form, path, other);
        int code = read_patch(text, &g, &err);
        CHECK_MSG(cases[i].says
                      ? code == -EEXIST && strstr(err.text, cases[i].says) && err.line == 3
                      : code == 0,
                  "%zu: %d %s", i, code, err.text);
        if (code >= 0)
            tac_graph_free(g);
    }
    unlink(path);
}

static void a_mark_of_byte_order_is_passed_over(void)
{
    struct tac_graph *g;
    struct tac_error err;
    REQUIRE(read_patch("\xef\xbb\xbfnodes:\n  o: {block: sine}\n", &g, &err) == 0);
    tac_graph_free(g);
}

static void seeds_are_whole_numbers(void)
{
    static const char *const wrong[] = {"-1", "1.5", "1e99"};
    struct tac_graph *g;
    struct tac_error err;
    char text[80];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(text, sizeof text, "seed: %s\nnodes: {}\n", wrong[i]);
        CHECK_MSG(read_patch(text, &g, &err) == -TAC_E_RANGE && err.line == 1, "%s", wrong[i]);
    }
    REQUIRE(read_patch("seed: 9007199254740992\nnodes: {}\n", &g, &err) == 0);
    CHECK(g->seed == 1ull << 53);
    tac_graph_free(g);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(a_good_patch_is_resolved);
    TEST(each_node_follows_what_it_hears);
    TEST(a_node_that_is_not_heard_is_warned_of);
    TEST(a_patch_of_nothing_is_warned_of);
    TEST(latency_is_that_of_the_longest_way_from_the_input);
    TEST(every_mistake_has_its_line);
    TEST(a_loop_is_allowed_when_it_is_declared);
    TEST(deep_nesting_is_refused);
    TEST(garbage_is_refused);
    TEST(all_mistakes_are_told_once);
    TEST(what_follows_from_a_mistake_is_not_told);
    TEST(more_mistakes_than_one_wants_to_read_are_counted);
    TEST(what_is_cut_off_is_checked_to_its_end);
    TEST(every_prefix_of_a_patch_gets_an_answer);
    TEST(a_long_chain_is_ordered);
    TEST(a_recorder_is_heard_by_a_file);
    TEST(no_recorder_writes_over_what_is_read_or_written);
    TEST(a_mark_of_byte_order_is_passed_over);
    TEST(seeds_are_whole_numbers);
    return test_end();
}
