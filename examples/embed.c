/* SPDX-License-Identifier: MIT
 * embed.c - the engine in a program of your own, under an audio callback of your own.
 *
 *     cc embed.c $(pkg-config --cflags --libs tactus) && ./a.out
 *
 * Here `callback` is called by a loop; in a real program an audio system calls it. Notes and
 * parameter changes may come from any thread; an edit is a load while it plays. */
#include <tactus/engine.h>

#include <stdio.h>
#include <string.h>

enum { FRAMES = 64, SECONDS_CYCLES = 48000 / FRAMES };

static const char patch[] = "name: embedded\n"
                            "voices:\n"
                            "  keys:\n"
                            "    count: 16\n"
                            "    nodes:\n"
                            "      osc: {block: saw, frequency: 8.1758 Hz, level: 20 %%}\n"
                            "      vcf: {block: svf, cutoff: %d Hz}\n"
                            "      env: {block: adsr, attack: 5 ms, release: 200 ms}\n"
                            "      vca: {block: gain}\n"
                            "    cables:\n"
                            "      - keys.pitch -> osc.pitch\n"
                            "      - keys.gate -> env\n"
                            "      - osc -> vcf -> vca\n"
                            "      - env.out -> vca.control\n"
                            "cables: [vca -> output]\n";

static int load(struct tac_engine *engine, int cutoff_hz)
{
    char text[sizeof patch + 16], line[512];
    struct tac_error err;
    snprintf(text, sizeof text, patch, cutoff_hz);
    int code = tac_engine_load_text(engine, text, strlen(text), "embedded", NULL, &err);
    if (code < 0)
        fprintf(stderr, "%s\n", tac_error_format(&err, line, sizeof line));
    return code;
}

static void callback(struct tac_engine *engine, float *left, float *right)
{
    float *out[2] = {left, right};
    tac_engine_process(engine, NULL, out, FRAMES);
}

static int play(struct tac_engine *engine)
{
    static const float chord[] = {57, 60, 64, 69};
    float left[FRAMES], right[FRAMES];
    uint32_t keys, cutoff;
    if (tac_engine_section_find(engine, "keys", &keys) < 0 ||
        tac_engine_param_find(engine, "vcf.cutoff", &cutoff) < 0)
        return -1;
    for (int cycle = 0; cycle < SECONDS_CYCLES; cycle++) {
        if (cycle % 100 < 4)
            (void)tac_engine_play_note(engine, keys, chord[cycle % 100], 0.8f, 10);
        if (cycle == 300)
            (void)tac_engine_param_set(engine, cutoff, 4000, 0);
        if (cycle == 500 && load(engine, 1500) < 0)
            return -1;
        callback(engine, left, right);
    }
    return 0;
}

int main(void)
{
    struct tac_engine *engine;
    struct tac_engine_config config = {.rate_hz = 48000, .threads = 2};
    struct tac_engine_stats stats;
    struct tac_engine_meter meter = {0};
    if (tac_engine_new(&config, &engine) < 0 || load(engine, 800) < 0 || play(engine) < 0)
        return 1;
    tac_engine_stats(engine, &stats);
    (void)tac_engine_meter(engine, 0, &meter);
    printf("%llu cycles, %llu notes, %llu plans, %u voices, peak %.2f\n",
           (unsigned long long)stats.cycles, (unsigned long long)stats.notes,
           (unsigned long long)stats.plans, stats.voices_active, (double)meter.peak);
    tac_engine_free(engine);
    return stats.notes && meter.peak > 0 ? 0 : 1;
}
