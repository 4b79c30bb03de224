/* SPDX-License-Identifier: MIT
 * test_limits.c - patches as large as they may be, and larger: they play, or there is one line that
 * says why not, while the sound goes on.
 *
 * NODES is less where the program runs under an emulator or a sanitizer. */
#include "rig_engine.h"
#include "test.h"

#include <stdlib.h>

#ifndef NODES
#define NODES (TAC_SANITIZED ? 3000 : 100000)
#endif

#define ONE "{block: lfo, rate: 0, depth: 0, centre: 1}"

enum { TEXT_BYTES = 17 << 20 };
static char *text;

/* A chain of gains, or as many side by side into one input; level: of the last or of each. */
static void write_patch(bool chain, const char *level, const char *more)
{
    char *at = text + sprintf(text, "output: 1\nnodes:\n  one: " ONE "\n");
    for (int i = 0; i < NODES; i++)
        at += sprintf(at, "  n%d: {block: gain%s}\n", i, !chain || i == NODES - 1 ? level : "");
    at += sprintf(at, "cables:\n");
    for (int i = 0; i + chain < NODES; i++)
        at += chain ? sprintf(at, "  - n%d -> n%d\n", i, i + 1)
                    : sprintf(at, "  - one -> n%d -> output\n", i);
    if (chain)
        at += sprintf(at, "  - one -> n0\n  - n%d -> output\n", NODES - 1);
    sprintf(at, "%s", more);
}

static void very_many_nodes_play_and_are_edited(void)
{
    for (int chain = 0; chain < 2; chain++) {
        write_patch(chain, chain ? ", level: -6.0206 dB" : ", level: -60 dB", "");
        struct tac_engine *e = rig_open(text);
        REQUIRE(e);
        rig_play(e, 0, 256, 64);
        double level = chain ? 0.5 : NODES * 0.001;
        CHECK_NEAR((double)rig_out[0][255] / level, 1, 1e-4);
        struct tac_engine_info info;
        tac_engine_info(e, &info);
        CHECK(info.nodes == NODES + 2);
        write_patch(chain, chain ? ", level: -6.0206 dB" : ", level: -60 dB",
                    "  - one -> output\n");
        REQUIRE(rig_load(e, text) == 0);
        rig_play(e, 0, 1280, 64);
        CHECK_NEAR((double)rig_out[0][1279], level + 1, (level + 1) * 1e-4);
        tac_engine_free(e);
    }
}

static char *repeat(char *at, const char *line, uint32_t times)
{
    for (uint32_t i = 0; i < times; i++)
        at += sprintf(at, line, i);
    return at;
}

static void write_too_large(int which)
{
    char *at = text;
    switch (which) {
    case 0:
        at = repeat(at + sprintf(at, "output: 1\nnodes:\n"), "  n%u: {block: gain}\n", 200001);
        break;
    case 1:
        at = repeat(at + sprintf(at, "output: 1\nnodes: {a: {block: gain}}\ncables:\n"),
                    "- a->output\n", 1000001);
        break;
    case 2:
        memset(at, '#', TEXT_BYTES - 1);
        break;
    case 3:
        at = repeat(at + sprintf(at, "nodes: "), "{a: ", 40);
        break;
    case 4:
        at += sprintf(at, "output: 1\nnodes: {a: {block: gain, channels: 65537}}\n");
        break;
    case 5:
        at += sprintf(at, "output: 1\nvoices: {v: {count: 1025}}\n");
        break;
    default:
        at += sprintf(at, "output: 65\n");
    }
}

static void what_is_too_large_is_one_line_and_the_sound_goes_on(void)
{
    struct tac_engine *e = rig_open("output: 1\nnodes: {one: " ONE "}\ncables: [one -> output]\n");
    REQUIRE(e);
    rig_play(e, 0, 64, 64);
    for (int which = 0; which < 7; which++) {
        struct tac_error err = {0};
        memset(text, 0, TEXT_BYTES);
        write_too_large(which);
        int code = tac_engine_load_text(e, text, strlen(text), "large", NULL, &err);
        CHECK_MSG(code < 0 && code == err.code && err.text[0] && !strchr(err.text, '\n'),
                  "patch %d: %d %s", which, code, err.text);
        rig_play(e, 0, 640, 64);
        CHECK(rig_out[0][0] == 1 && rig_out[0][639] == 1);
    }
    tac_engine_free(e);
}

/* Half a terabyte of delay lines in two lines: an answer at once, and the sound goes on. */
static void what_no_machine_has_is_refused(void)
{
    static const char greedy[] =
        "output: 1\nnodes: {d: {block: delay, max_time: 30, channels: 65536}}\n"
        "cables: ['d.out[1] -> output']\n";
    struct tac_engine *e =
        rig_open("output: 1\nnodes: {s: {block: sine}}\ncables: [s -> output]\n");
    struct tac_error err = {0};
    REQUIRE(e);
    CHECK(tac_engine_load_text(e, greedy, sizeof greedy - 1, "t", NULL, &err) == -TAC_E_LIMIT);
    CHECK_MSG(err.line == 2 && strstr(err.text, "GiB") && strstr(err.text, "'d'"), "%s", err.text);
    rig_play(e, 0, 2000, 64);
    CHECK(rig_out[0][1013] != 0);
    tac_engine_free(e);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    text = malloc(TEXT_BYTES);
    TEST(very_many_nodes_play_and_are_edited);
    TEST(what_is_too_large_is_one_line_and_the_sound_goes_on);
    free(text);
    TEST(what_no_machine_has_is_refused);
    return test_end();
}
