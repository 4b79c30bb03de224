/* SPDX-License-Identifier: MIT
 * play_report.c - the status line and the summary of `tactus play`; see play_report.h. */
#include "cli/play_report.h"

#include "base/clock.h"
#include "base/text.h"
#include "cli/overload_words.h"
#include "cli/readings.h"

#include <math.h>
#include <stdio.h>

static double decibels(float level)
{
    return level > 1e-6f ? 20 * log10((double)level) : -120;
}

/* What thread `index` has computed: the first for every engine, the others, whom all of them share,
 * in all; false past the last. */
static bool add_thread(const struct tac_player *p, uint32_t index,
                       struct tac_engine_thread *ret_sum)
{
    struct tac_engine_thread one;
    *ret_sum = (struct tac_engine_thread){0};
    for (uint32_t e = 0; e < (index ? 1 : p->engines); e++) {
        if (tac_engine_thread(p->engine[e], index, &one) < 0)
            return false;
        ret_sum->tasks += one.tasks;
        ret_sum->mean_ns += one.mean_ns;
        ret_sum->busy_ns += one.busy_ns;
        ret_sum->worst_ns = one.worst_ns > ret_sum->worst_ns ? one.worst_ns : ret_sum->worst_ns;
    }
    return true;
}

/* How busy each thread has been since the status before. */
static void add_loads(const struct tac_player *p, struct tac_play_pace *pace, struct tac_text *t)
{
    struct tac_engine_thread thread;
    uint64_t now = tac_clock_ns();
    double span_ns = pace->at_ns ? (double)(now - pace->at_ns) : 0;
    tac_text_addf(t, "  threads");
    for (uint32_t i = 0; add_thread(p, i, &thread); i++) {
        double busy_ns = thread.busy_ns - pace->busy_ns[i];
        tac_text_addf(t, " %.0f", span_ns > 0 && busy_ns > 0 ? 100 * busy_ns / span_ns : 0);
        pace->busy_ns[i] = thread.busy_ns;
    }
    tac_text_addf(t, " %%");
    pace->at_ns = now;
}

/* How the helpers are doing; empty with one thread. */
static const char *helpers(const struct tac_player *p, const struct tac_engine_stats *e,
                           struct tac_play_pace *pace, char *buffer, size_t size)
{
    struct tac_text t = {0};
    buffer[0] = 0;
    if (e->threads < 2)
        return buffer;
    tac_text_addf(&t, "  helpers %u of %u%s", e->helping, e->threads - 1,
                  e->helpers_away ? " (stopped)"
                  : e->alone      ? " (not needed)"
                                  : "");
    add_loads(p, pace, &t);
    snprintf(buffer, size, "%s", tac_text_string(&t));
    tac_text_fini(&t);
    return buffer;
}

/* Values that were replaced by silence, and whose they were; empty when there were none. */
static const char *runaways(const struct tac_engine_stats *e, char *buffer, size_t size)
{
    buffer[0] = 0;
    if (e->runaways)
        snprintf(buffer, size, "  RUNAWAY %llu values silenced%s%.64s",
                 (unsigned long long)e->runaways, e->runaway[0] ? ", from " : "", e->runaway);
    return buffer;
}

/* The node that costs most, which is the first suspect when cycles are late. */
static struct tac_engine_cost find_costliest(const struct tac_player *p)
{
    struct tac_engine_cost cost, most = {0};
    for (uint32_t e = 0; e < p->engines; e++)
        for (uint32_t i = 0; tac_engine_cost(p->engine[e], i, &cost) == 0; i++)
            if (cost.mean_ns > most.mean_ns)
                most = cost;
    return most;
}

/* Cycles that were lost to what was computed in them. */
static uint64_t misses(const struct tac_backend_stats *b)
{
    return b->late - b->late_begin + b->xruns;
}

/* Whom to suspect of what was lost since the status before; empty when nothing was. */
static const char *suspect(const struct tac_player *p, struct tac_play_pace *pace,
                           const struct tac_backend_stats *b, char *buffer, size_t size)
{
    buffer[0] = 0;
    if (misses(b) > pace->misses) {
        struct tac_engine_cost most = find_costliest(p);
        char mean[16];
        if (most.node)
            snprintf(buffer, size, "  costliest %.64s, %s a slice", most.node,
                     tac_text_duration(most.mean_ns, mean, sizeof mean));
    }
    pace->misses = misses(b);
    return buffer;
}

/* Of the time that was played since the status before, in percent. */
static double load_since(const struct tac_player *p, struct tac_play_pace *pace,
                         const struct tac_backend_stats *b)
{
    double played_s = (double)(b->frames - pace->frames) / p->stream->rate_hz;
    double busy_ns = (double)(b->busy_ns - pace->stream_busy_ns);
    pace->frames = b->frames;
    pace->stream_busy_ns = b->busy_ns;
    return played_s > 0 ? busy_ns / 1e7 / played_s : 0;
}

const char *tac_play_status(struct tac_player *p, struct tac_play_pace *pace, char *buffer,
                            size_t size)
{
    struct tac_backend_stats b;
    struct tac_engine_stats e;
    struct tac_engine_overload o;
    char busy[16], crew[400], shed[256], wild[128], who[128];
    p->stream->backend->stats(p->stream, &b);
    tac_player_stats(p, &e);
    tac_player_overload(p, &o);
    tac_overload_status(&o, shed, sizeof shed);
    double played_s = (double)b.frames / p->stream->rate_hz;
    snprintf(
        buffer, size,
        "%.1f s  load %.1f %%  worst %s  late %llu  skipped %llu  xruns %llu  voices %u  memory "
        "%.1f MiB  peak %.1f dB%s%s%s%s%s%s",
        played_s, load_since(p, pace, &b), tac_text_duration((double)e.worst_ns, busy, sizeof busy),
        (unsigned long long)b.late, (unsigned long long)b.skipped, (unsigned long long)b.xruns,
        e.voices_active, (double)p->info.memory_bytes / 1048576, decibels(tac_player_peak(p)),
        suspect(p, pace, &b, who, sizeof who), runaways(&e, wild, sizeof wild),
        helpers(p, &e, pace, crew, sizeof crew), b.away ? "  DEVICE AWAY" : "", shed[0] ? "  " : "",
        shed);
    for (uint32_t i = 0; i < p->engines; i++) /* the worst of each interval */
        tac_engine_stats_reset(p->engine[i]);
    return buffer;
}

static void print_costliest(struct tac_player *p)
{
    struct tac_engine_cost most = find_costliest(p);
    char mean[16], worst[16];
    if (most.node)
        printf("costliest node: %s (%s, %u lanes), %s a slice, worst %s\n", most.node, most.block,
               most.lanes, tac_text_duration(most.mean_ns, mean, sizeof mean),
               tac_text_duration(most.worst_ns, worst, sizeof worst));
}

static void print_threads(const struct tac_player *p, double played_s)
{
    struct tac_engine_thread thread;
    char mean[16], worst[16];
    for (uint32_t i = 0; add_thread(p, i, &thread); i++)
        printf("  thread %u: %llu tasks, load %.1f %%, %s a slice, worst %s\n", i,
               (unsigned long long)thread.tasks, played_s > 0 ? thread.busy_ns / 1e7 / played_s : 0,
               tac_text_duration(thread.mean_ns, mean, sizeof mean),
               tac_text_duration(thread.worst_ns, worst, sizeof worst));
}

static void print_overload(struct tac_player *p)
{
    struct tac_engine_overload o;
    char line[320];
    tac_player_overload(p, &o);
    if (tac_overload_summary(&o, line, sizeof line)[0])
        printf("%s\n", line);
}

static void print_runaways(const struct tac_engine_stats *e)
{
    if (e->runaways)
        printf("runaway: %llu values were no number or beyond +120 dB and were silenced%s%s\n",
               (unsigned long long)e->runaways, e->runaway[0] ? "; the latest came from " : "",
               e->runaway);
}

void tac_play_summary(struct tac_player *p)
{
    struct tac_backend_stats b;
    struct tac_engine_stats e;
    char worst[16], late[16], wake[16];
    p->stream->backend->stats(p->stream, &b);
    tac_player_stats(p, &e);
    double played_s = (double)b.frames / p->stream->rate_hz;
    printf("%.1f s played, %llu cycles of %u frames; load %.1f %%, worst cycle %s; woke at most %s "
           "after time\n",
           played_s, (unsigned long long)b.cycles, p->stream->frames,
           played_s > 0 ? (double)b.busy_ns / 1e7 / played_s : 0,
           tac_text_duration((double)b.worst_busy_ns, worst, sizeof worst),
           tac_text_duration((double)b.worst_wake_ns, wake, sizeof wake));
    printf("late cycles: %llu (%llu of them began too late), worst %s; skipped: %llu; xruns: %llu; "
           "frames missing from disk: %llu\n",
           (unsigned long long)b.late, (unsigned long long)b.late_begin,
           tac_text_duration((double)b.worst_late_ns, late, sizeof late),
           (unsigned long long)b.skipped, (unsigned long long)b.xruns,
           (unsigned long long)e.stream_underruns);
    if (e.threads > 1) {
        printf("threads: %u; helpers computed %llu tasks, the audio thread took %llu of theirs and "
               "repeated %llu\n",
               e.threads, (unsigned long long)e.tasks_given, (unsigned long long)e.tasks_taken,
               (unsigned long long)e.tasks_lost);
        print_threads(p, played_s);
    }
    if (b.losses)
        printf("the device was away %llu time%s%s\n", (unsigned long long)b.losses,
               b.losses == 1 ? "" : "s", b.away ? ", and still is" : " and came back");
    tac_readings_print(p);
    print_overload(p);
    print_runaways(&e);
    if (misses(&b))
        print_costliest(p);
    if (p->record && tac_wav_writer_dropped(p->record))
        printf("recording: %llu frames dropped, the disk was too slow\n",
               (unsigned long long)tac_wav_writer_dropped(p->record));
}
