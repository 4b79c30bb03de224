/* SPDX-License-Identifier: MIT
 * timeline.c - see timeline.h. */
#include "doctor/timeline.h"

#include "tactus/trace.h"

#include <stdlib.h>
#include <string.h>

enum { PIECES_MAX = 700, CPUS_MAX = 64, LANES_MAX = 64, COLUMNS = 1200 };

struct window {
    const struct tac_capture *capture;
    uint64_t from_ns, to_ns, zero_ns;
    uint32_t thread; /* of the cycle */
};

static double us(const struct window *w, uint64_t ns)
{
    uint64_t cut = ns < w->from_ns ? w->from_ns : ns > w->to_ns ? w->to_ns : ns;
    return ((double)cut - (double)w->zero_ns) / 1e3;
}

/* Pieces shorter than a thousandth of the picture are drawn only while there is room. */
static bool is_visible(const struct window *w, uint64_t from, uint64_t to, size_t drawn)
{
    if (to <= w->from_ns || from >= w->to_ns || drawn >= PIECES_MAX)
        return false;
    return drawn < PIECES_MAX / 2 || to - from > (w->to_ns - w->from_ns) / 1000;
}

/* Page faults are moments; each took its price up to then. Returns how many fell into the column
 * that ends at to_ns, from *at on. */
static uint64_t faults_until(const struct tac_layout *l, size_t *at, uint64_t to_ns)
{
    uint64_t count = 0;
    for (; *at < l->sights.count &&
           (l->sights.data[*at].kind != TAC_SIGHT_FAULT || l->sights.data[*at].from_ns < to_ns);
         ++*at)
        count += l->sights.data[*at].kind == TAC_SIGHT_FAULT;
    return count;
}

/* The accounts as runs of columns: each column shows the account with the most of its time. */
static void add_segments(const struct window *w, const struct tac_layout *l, double fault_ns,
                         struct tac_text *t)
{
    size_t fault = 0;
    uint64_t start = l->release_ns, span = l->cycle->end_ns - start;
    uint64_t column_ns = span / COLUMNS + 1;
    size_t at = 0;
    int run = -1, drawn = 0;
    uint64_t run_from = start;
    tac_text_add(t, "\"segments\":[");
    for (uint64_t column = 0; column <= span / column_ns; column++) {
        uint64_t from = start + column * column_ns;
        uint64_t to = l->cycle->end_ns - from > column_ns ? from + column_ns : l->cycle->end_ns;
        uint64_t time[TAC_ACCOUNTS] = {0};
        int best = -1;
        while (at < l->segments && l->segment[at].to_ns <= from)
            at++;
        for (size_t i = at; i < l->segments && l->segment[i].from_ns < to; i++) {
            const struct tac_segment *s = &l->segment[i];
            time[s->account] +=
                (s->to_ns < to ? s->to_ns : to) - (s->from_ns > from ? s->from_ns : from);
        }
        uint64_t paged = (uint64_t)((double)faults_until(l, &fault, to) * fault_ns);
        paged = paged > time[TAC_ACCOUNT_FAULT] ? paged - time[TAC_ACCOUNT_FAULT] : 0; /* seen */
        paged = paged < time[TAC_ACCOUNT_OWN] ? paged : time[TAC_ACCOUNT_OWN];
        time[TAC_ACCOUNT_OWN] -= paged;
        time[TAC_ACCOUNT_FAULT] += paged;
        for (int a = 0; a < TAC_ACCOUNTS; a++)
            if (time[a] && (best < 0 || time[a] > time[best]))
                best = a;
        if (best == run)
            continue;
        if (run >= 0)
            tac_text_addf(t, "%s[%.2f,%.2f,%d]", drawn++ ? "," : "", us(w, run_from), us(w, from),
                          run);
        run = best;
        run_from = from;
    }
    if (run >= 0)
        tac_text_addf(t, "%s[%.2f,%.2f,%d]", drawn ? "," : "", us(w, run_from),
                      us(w, l->cycle->end_ns), run);
    tac_text_add(t, "]");
}

static void add_zones(const struct window *w, struct tac_text *t)
{
    const struct tac_capture *c = w->capture;
    size_t drawn = 0;
    tac_text_add(t, "\"zones\":[");
    for (size_t i = TAC_CAPTURE_LOWER(c, zones, begin_ns, w->from_ns);
         i < c->zones_count && c->zones[i].begin_ns < w->to_ns; i++) {
        const struct tac_capture_zone *z = &c->zones[i];
        if (!is_visible(w, z->begin_ns, z->end_ns, drawn))
            continue;
        tac_text_addf(t, "%s[%u,%.2f,%.2f,%u,", drawn++ ? "," : "", z->thread, us(w, z->begin_ns),
                      us(w, z->end_ns), z->depth);
        tac_text_add_json(t, c->sites[z->site].name);
        tac_text_addf(t, ",%d]", c->sites[z->site].category == TAC_CAT_CALL);
    }
    tac_text_add(t, "]");
}

/* Calls that follow each other too closely to be told apart are drawn as one, with their number. */
struct calls {
    uint64_t from_ns, to_ns, bytes;
    uint32_t op, count;
};

static void add_calls(const struct window *w, uint32_t thread, struct calls *c, size_t *drawn,
                      struct tac_text *t)
{
    if (c->count && *drawn < PIECES_MAX)
        tac_text_addf(t, "%s[%u,%.2f,%.2f,%u,%llu,%u]", (*drawn)++ ? "," : "", thread,
                      us(w, c->from_ns), us(w, c->to_ns), c->op, (unsigned long long)c->bytes,
                      c->count);
    c->count = 0;
}

static void add_call(const struct window *w, const struct tac_capture_memory *m, struct calls *c,
                     size_t *drawn, struct tac_text *t)
{
    uint64_t column_ns = (w->to_ns - w->from_ns) / COLUMNS + 1;
    bool joins = c->count && m->begin_ns < c->to_ns + column_ns &&
                 m->end_ns - m->begin_ns < 4 * column_ns && c->to_ns - c->from_ns < 400 * column_ns;
    if (!joins || (c->count == 1 && c->to_ns - c->from_ns >= 4 * column_ns)) {
        add_calls(w, m->thread, c, drawn, t);
        *c = (struct calls){m->begin_ns, m->end_ns, m->bytes, m->op, 1};
        return;
    }
    c->to_ns = m->end_ns > c->to_ns ? m->end_ns : c->to_ns;
    c->bytes += m->bytes;
    c->count++;
}

static void add_memory(const struct window *w, struct tac_text *t)
{
    const struct tac_capture *c = w->capture;
    uint64_t look = (uint64_t)20000000 < w->from_ns ? w->from_ns - 20000000 : 0;
    struct calls calls[LANES_MAX] = {0};
    size_t drawn = 0;
    tac_text_add(t, "\"memory\":[");
    for (size_t i = TAC_CAPTURE_LOWER(c, memory, begin_ns, look);
         i < c->memory_count && c->memory[i].begin_ns < w->to_ns; i++)
        if (c->memory[i].end_ns > w->from_ns && c->memory[i].thread < LANES_MAX)
            add_call(w, &c->memory[i], &calls[c->memory[i].thread], &drawn, t);
    for (uint32_t i = 0; i < LANES_MAX; i++)
        add_calls(w, i, &calls[i], &drawn, t);
    tac_text_add(t, "]");
}

static void add_name(const struct tac_capture *c, uint32_t tid, struct tac_text *t)
{
    const char *name = tac_capture_comm(c, tid);
    char number[16];
    snprintf(number, sizeof number, "%u", tid);
    tac_text_add_json(t, name ? name : number);
}

static void add_locks(const struct window *w, struct tac_text *t)
{
    const struct tac_capture *c = w->capture;
    uint64_t look = (uint64_t)20000000 < w->from_ns ? w->from_ns - 20000000 : 0;
    size_t drawn = 0;
    tac_text_add(t, "\"locks\":[");
    for (size_t i = TAC_CAPTURE_LOWER(c, locks, begin_ns, look);
         i < c->locks_count && c->locks[i].begin_ns < w->to_ns; i++) {
        const struct tac_capture_lock *k = &c->locks[i];
        if (!is_visible(w, k->begin_ns, k->end_ns, drawn))
            continue;
        tac_text_addf(t, "%s[%u,%.2f,%.2f,", drawn++ ? "," : "", k->thread, us(w, k->begin_ns),
                      us(w, k->end_ns));
        add_name(c, k->holder_tid, t);
        tac_text_add(t, "]");
    }
    tac_text_add(t, "]");
}

struct core {
    uint64_t since_ns;
    uint32_t tid;
    bool known;
};

static void add_stay(const struct window *w, uint32_t cpu, const struct core *core, uint64_t to_ns,
                     size_t *drawn, struct tac_text *t)
{
    if (!core->known || !core->tid || !is_visible(w, core->since_ns, to_ns, *drawn))
        return;
    tac_text_addf(t, "%s[%u,%.2f,%.2f,", (*drawn)++ ? "," : "", cpu, us(w, core->since_ns),
                  us(w, to_ns));
    add_name(w->capture, core->tid, t);
    tac_text_addf(t, ",%d]", core->tid == w->capture->threads[w->thread].tid);
}

/* Who ran on which CPU, from the system-wide switches. */
static void add_cores(const struct window *w, struct tac_text *t)
{
    const struct tac_capture *c = w->capture;
    struct core core[CPUS_MAX] = {0};
    uint64_t look = (uint64_t)50000000 < w->from_ns ? w->from_ns - 50000000 : 0;
    size_t drawn = 0;
    tac_text_add(t, "\"cores\":[");
    for (size_t i = TAC_CAPTURE_LOWER(c, kernel, ns, look);
         i < c->kernel_count && c->kernel[i].ns < w->to_ns; i++) {
        const struct tac_capture_kernel *e = &c->kernel[i];
        if (e->type != TAC_KERNEL_SWITCH || e->cpu >= CPUS_MAX)
            continue;
        add_stay(w, e->cpu, &core[e->cpu], e->ns, &drawn, t);
        core[e->cpu] = (struct core){e->ns, (uint32_t)(e->a >> 32), true};
    }
    for (uint32_t cpu = 0; cpu < CPUS_MAX; cpu++)
        add_stay(w, cpu, &core[cpu], w->to_ns, &drawn, t);
    tac_text_add(t, "]");
}

static bool is_fault_of(const struct window *w, const struct tac_capture_kernel *e)
{
    return e->type >= TAC_KERNEL_FAULT_MINOR && e->type <= TAC_KERNEL_FAULT &&
           e->tid == w->capture->threads[w->thread].tid;
}

/* Too many to draw are thinned out evenly. */
static void add_faults(const struct window *w, struct tac_text *t)
{
    const struct tac_capture *c = w->capture;
    size_t first = TAC_CAPTURE_LOWER(c, kernel, ns, w->from_ns), all = 0, drawn = 0, seen = 0;
    for (size_t i = first; i < c->kernel_count && c->kernel[i].ns < w->to_ns; i++)
        all += is_fault_of(w, &c->kernel[i]);
    size_t each = all / PIECES_MAX + 1;
    tac_text_add(t, "\"faults\":[");
    for (size_t i = first; i < c->kernel_count && c->kernel[i].ns < w->to_ns; i++)
        if (is_fault_of(w, &c->kernel[i]) && seen++ % each == 0)
            tac_text_addf(t, "%s%.2f", drawn++ ? "," : "", us(w, c->kernel[i].ns));
    tac_text_add(t, "]");
}

static void add_threads(const struct window *w, struct tac_text *t)
{
    tac_text_add(t, "\"threads\":[");
    for (size_t i = 0; i < w->capture->threads_count; i++) {
        tac_text_add(t, i ? "," : "");
        tac_text_add_json(t, w->capture->threads[i].name);
    }
    tac_text_addf(t, "],\"thread\":%u", w->thread);
}

int tac_timeline_add(const struct tac_diagnosis *diagnosis, size_t miss, struct tac_text *text)
{
    const struct tac_miss *m = &diagnosis->misses[miss];
    struct tac_layout layout = {0};
    int r = tac_diagnosis_layout(diagnosis, m->cycle, &layout);
    if (r == 0) {
        const struct tac_capture_cycle *c = layout.cycle;
        uint64_t margin = (c->end_ns - layout.release_ns) / 12;
        struct window w = {diagnosis->capture, layout.release_ns - margin, c->end_ns + margin,
                           layout.release_ns, c->thread};
        tac_text_addf(text,
                      "{\"cycle\":%u,\"from\":%.2f,\"to\":%.2f,\"begin\":%.2f,"
                      "\"deadline\":%.2f,\"end\":%.2f,\"at\":%.6f,",
                      m->cycle, us(&w, w.from_ns), us(&w, w.to_ns), us(&w, c->begin_ns),
                      us(&w, c->deadline_ns), us(&w, c->end_ns),
                      (double)(c->begin_ns - diagnosis->capture->begin_ns) / 1e9);
        static void (*const part[])(const struct window *, struct tac_text *) = {
            add_zones, add_memory, add_locks, add_cores, add_faults, add_threads};
        add_segments(&w, &layout, tac_diagnosis_fault_ns(diagnosis, m->cycle), text);
        for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
            tac_text_add(text, ",");
            part[i](&w, text);
        }
        tac_text_add(text, "}");
    }
    tac_layout_fini(&layout);
    return r;
}
