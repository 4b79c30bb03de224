/* SPDX-License-Identifier: MIT
 * info.c - `tactus info`: what is in a recording, and what is not. */
#include "cli/cmd.h"

#include "base/text.h"
#include "capture/capture.h"

#include <inttypes.h>
#include <stdio.h>

static void print_problems(const struct tac_capture *c)
{
    static const struct {
        uint32_t bit;
        const char *text;
    } list[] = {
        {TAC_CAPTURE_TRUNCATED, "the file ends inside a chunk: it was cut off"},
        {TAC_CAPTURE_DAMAGED, "parts are damaged and were left out"},
        {TAC_CAPTURE_NOT_CLOSED, "there is no end mark: the program died, or is still recording"},
        {TAC_CAPTURE_CLOCK_POOR, "the clocks were paired too seldom: times are approximate"},
        {TAC_CAPTURE_SUSPENDED, "the machine was suspended in between"},
        {TAC_CAPTURE_FREQUENCY, "the counter changed its rate: times are approximate"},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        if (c->problems & list[i].bit)
            printf("problem     %s\n", list[i].text);
    if (c->bytes_damaged)
        printf("damaged     %" PRIu64 " of %" PRIu64 " bytes\n", c->bytes_damaged, c->bytes);
}

static void print_head(const struct tac_capture *c, const char *path)
{
    char size[16], span[16];
    uint64_t events = 0;
    for (size_t i = 0; i < c->threads_count; i++)
        events += c->threads[i].stored;
    double seconds = (double)(c->end_ns - c->begin_ns) / 1e9;
    printf("recording   %s, %s, %s, %.0f events/s\n", path,
           tac_text_bytes((double)c->bytes, size, sizeof size),
           tac_text_duration(seconds * 1e9, span, sizeof span),
           seconds > 0 ? (double)events / seconds : 0.0);
    printf("clock       %.6f MHz counter, %" PRIu64
           " pairs with CLOCK_MONOTONIC, each within %" PRIu64 " ns\n",
           c->counter_hz / 1e6, c->clock_pairs, c->clock_width_ns);
    print_problems(c);
    for (size_t i = 0; i < c->meta_count; i++)
        printf("%-11s %s\n", c->meta[i].key, c->meta[i].value);
}

static double seconds_of(const struct tac_capture *c, const struct tac_capture_thread *t)
{
    uint64_t begin = t->begin_ns > c->begin_ns ? t->begin_ns : c->begin_ns;
    uint64_t end = t->end_ns < c->end_ns ? t->end_ns : c->end_ns;
    return end > begin ? (double)(end - begin) / 1e9 : 0;
}

static void print_threads(const struct tac_capture *c)
{
    printf("\n%-24s %8s %12s %10s %10s %10s %10s\n", "thread", "tid", "events", "events/s",
           "dropped", "suppressed", "damaged");
    for (size_t i = 0; i < c->threads_count; i++) {
        const struct tac_capture_thread *t = &c->threads[i];
        double seconds = seconds_of(c, t);
        printf("%-24s %8u %12" PRIu64 " %10.0f %10" PRIu64 " %10" PRIu64 " %10" PRIu64 "\n",
               t->name, t->tid, t->stored, seconds > 0 ? (double)t->stored / seconds : 0.0,
               t->dropped, t->suppressed, t->damaged);
    }
    if (c->unregistered)
        printf("%-24s %8s %12s %10s %10" PRIu64 "\n", "(not registered)", "", "", "",
               c->unregistered);
}

/* The first gaps: where not to look for what is not there. */
static void print_gaps(const struct tac_capture *c)
{
    enum { SHOWN = 5 };
    if (c->gaps_count)
        printf("\n%-24s %12s %12s %10s %10s\n", "events lost", "from", "for", "dropped", "damaged");
    for (size_t i = 0; i < c->gaps_count && i < SHOWN; i++) {
        const struct tac_capture_gap *g = &c->gaps[i];
        char from[16], span[16];
        printf("%-24s %12s %12s %10" PRIu64 " %10" PRIu64 "\n",
               g->thread < c->threads_count ? c->threads[g->thread].name : "(kernel events)",
               tac_text_duration((double)(int64_t)(g->begin_ns - c->begin_ns), from, sizeof from),
               tac_text_duration((double)(g->end_ns - g->begin_ns), span, sizeof span),
               g->dropped + g->suppressed, g->damaged);
    }
    if (c->gaps_count > SHOWN)
        printf("... and %zu more\n", c->gaps_count - SHOWN);
}

static void print_sources(const struct tac_capture *c)
{
    if (c->sources_count)
        printf("\n%-24s %10s %10s %10s\n", "cycles of", "count", "missed", "unended");
    for (size_t s = 0; s < c->sources_count; s++) {
        uint64_t count = 0, missed = 0, open = 0;
        for (size_t i = 0; i < c->cycles_count; i++)
            if (c->cycles[i].source == s) {
                count++;
                missed += tac_capture_late_ns(&c->cycles[i]) > 0;
                open += c->cycles[i].end_ns == TAC_CAPTURE_OPEN;
            }
        printf("%-24s %10" PRIu64 " %10" PRIu64 " %10" PRIu64 "\n", c->sources[s].name, count,
               missed, open);
    }
}

static int run(const struct tac_cmd_args *args)
{
    struct tac_error err;
    struct tac_capture *c;
    if (tac_capture_open(args->operand[0], &err, &c) < 0)
        return tac_cmd_fail_error(&err);
    print_head(c, args->operand[0]);
    print_threads(c);
    print_sources(c);
    print_gaps(c);
    printf("\nzones %zu, memory operations %zu, lock waits %zu, plot points %zu, messages %zu, "
           "kernel events %zu, gaps %zu\n",
           c->zones_count, c->memory_count, c->locks_count, c->plots_count, c->messages_count,
           c->kernel_count, c->gaps_count);
    int found = c->problems & (TAC_CAPTURE_TRUNCATED | TAC_CAPTURE_DAMAGED);
    tac_capture_close(c);
    return found ? TAC_EXIT_FOUND : TAC_EXIT_OK;
}

TAC_CMD(info) = {
    .name = "info",
    .summary = "say what is in a recording: threads, rates, losses, evidence",
    .synopsis = "RECORDING",
    .text =
        "Prints the machine and the configuration that a recording states, its threads with the "
        "events that were stored and lost, its cycles, which kernel evidence was available, and "
        "what is wrong with the file.",
    .exits =
        "0 the recording is whole; 1 it is cut off or damaged, what could be read was printed; "
        "2 wrong usage; 3 it could not be read at all, one line on standard error says why.",
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
