/* SPDX-License-Identifier: MIT
 * process.c - the audio side: slices, events, operations, meters.
 *
 * A call is cut into slices that never cross a multiple of TAC_ENGINE_SLICE_FRAMES in time and that
 * begin where a parameter changes; so blocks see the same calls' worth of frames wherever the
 * caller's calls begin and end. Real-time: everything here. Cost: bounded by the plan. */
#include "engine/internal.h"

#include "base/clock.h"
#include "engine/denormals.h"
#include "engine/doze.h"

#include <math.h>
#include <string.h>

enum { SLICE = TAC_ENGINE_SLICE_FRAMES };

/* ---- events -------------------------------------------------------------------------------- */

/* What the edit before changed is not yet where it goes: cut short it would click. */
static bool is_fading(const struct tac_plan *p)
{
    return p && p->fade.used && !p->fade.settled;
}

static void take_plan(struct tac_engine *e)
{
    if (!atomic_load_explicit(&e->next, memory_order_relaxed) ||
        atomic_load_explicit(&e->retired, memory_order_relaxed) || is_fading(e->playing))
        return;
    struct tac_plan *plan = atomic_exchange_explicit(&e->next, NULL, memory_order_acquire);
    if (!plan)
        return;
    /* release: control may free it when it sees it */
    struct tac_plan *before = e->playing;
    if (before)
        tac_shed_forget(&e->shed, &(struct tac_shed_scene){before, &e->ramps, e->workers});
    e->playing = plan;
    if (before)
        before->heir = plan;
    tac_workers_enter(e->workers, plan);
    atomic_store_explicit(&e->retired, before, memory_order_release);
    e->changes_done = 0;
    atomic_store_explicit(&e->plans, atomic_load_explicit(&e->plans, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

static void take_events(struct tac_engine *e)
{
    struct tac_event event;
    while (!tac_agenda_is_full(e->agenda) && tac_inbox_try_pop(e->inbox, &event)) {
        event.due += e->now;
        tac_agenda_push(e->agenda, &event);
    }
}

static void send_note(struct tac_engine *e, const struct tac_event *event, uint32_t frame)
{
    struct tac_plan *p = e->playing;
    struct tac_note note = {frame, event->value > 0, event->pitch, event->value};
    for (uint32_t i = 0; i < p->graph->section_count; i++) {
        bool goes = p->graph->node[p->graph->section[i].node].ghost; /* it is only heard out */
        if (!goes && (event->target == TAC_GRAPH_NONE || p->section[i].node->id == event->target))
            tac_notes_push(p->section[i].own, note);
    }
}

/* Values that an edit changed; a few each slice when there are more than ramps. */
static void apply_changes(struct tac_engine *e)
{
    struct tac_plan *p = e->playing;
    while (e->changes_done < p->changes) {
        const struct tac_plan_change *c = &p->change[e->changes_done];
        if (!tac_ramps_set(&e->ramps, p, c->node->id, c->param, c->value))
            return;
        e->changes_done++;
    }
}

static bool apply_param(struct tac_engine *e, const struct tac_event *event)
{
    return tac_ramps_set(&e->ramps, e->playing, event->target, event->param, event->value);
}

/* Changes that found no free ramp go first; those that come behind them wait their turn. */
static void apply_late(struct tac_engine *e)
{
    const struct tac_event *late;
    while ((late = tac_agenda_late(e->agenda)) && apply_param(e, late))
        tac_agenda_drop_late(e->agenda);
}

/* Whoever it is for is not in the plan, but may be in the one that waits to be taken: it is put off
 * from slice to slice until then, and so stays before what was sent after it. */
static bool wait_for_plan(struct tac_engine *e, struct tac_event event, uint32_t frames)
{
    const struct tac_plan *p = e->playing;
    if (event.target == TAC_GRAPH_NONE || !atomic_load_explicit(&e->next, memory_order_relaxed) ||
        (event.target < p->ids && p->index_by_id[event.target] != TAC_GRAPH_NONE))
        return false;
    event.due = e->now + frames;
    tac_agenda_push(e->agenda, &event);
    return true;
}

/* How long the slice may be: until a parameter changes. Applies what is due now, and gives the
 * notes of the slice to the sections. */
static uint32_t apply_events(struct tac_engine *e, uint32_t frames)
{
    const struct tac_event *next;
    apply_late(e);
    while ((next = tac_agenda_next(e->agenda)) && next->due < e->now + frames) {
        if (next->kind == TAC_EVENT_PARAM && next->due > e->now)
            return (uint32_t)(next->due - e->now);
        struct tac_event event = tac_agenda_pop(e->agenda);
        if (wait_for_plan(e, event, frames))
            continue;
        if (event.kind == TAC_EVENT_NOTE)
            send_note(e, &event, event.due > e->now ? (uint32_t)(event.due - e->now) : 0);
        else if (tac_agenda_late(e->agenda) || !apply_param(e, &event))
            tac_agenda_put_off(e->agenda, &event);
    }
    return frames;
}

/* ---- a slice ------------------------------------------------------------------------------- */

static void read_input(const struct tac_plan *p, const float *const *in, uint32_t offset,
                       uint32_t frames)
{
    if (p->graph->input == TAC_GRAPH_NONE)
        return;
    const struct tac_plan_node *n = &p->node[p->graph->input];
    uint32_t lanes = n->node->bank_lanes;
    for (uint32_t c = 0; c < n->node->lanes; c++) {
        float *out = n->io[0][c / lanes]->out[0] + c % lanes;
        for (uint32_t f = 0; f < frames; f++) {
            float x = in && in[c] ? in[c][offset + f] : 0;
            out[f * lanes] = isfinite(x) ? x : 0; /* it would stay in filters for ever */
        }
    }
}

static void write_output(struct tac_engine *e, float *const *out, uint32_t offset, uint32_t frames)
{
    const struct tac_plan_node *n = &e->playing->node[e->playing->graph->output];
    uint32_t lanes = n->node->bank_lanes;
    for (uint32_t c = 0; c < n->node->lanes; c++) {
        const struct tac_signal *s = &n->io[0][c / lanes]->in[0];
        float *to = out[c] + offset;
        for (uint32_t f = 0; f < frames; f++)
            to[f] = s->data[f * s->stride + c % lanes];
        if (!tac_level_measure(&e->level[c], to, frames, e->config.rate_hz))
            e->mended += tac_level_mend(&e->level[c], to, frames);
    }
}

/* After a slice in which it went out, who gives what is no number is looked for in the next. */
static void end_slice(struct tac_engine *e, float *const *out, uint32_t offset, uint32_t frames)
{
    uint32_t before = e->mended;
    write_output(e, out, offset, frames);
    e->playing->examined = e->mended != before;
    e->now += frames;
}

static uint32_t run_slice(struct tac_engine *e, const float *const *in, float *const *out,
                          uint32_t offset, uint32_t frames)
{
    struct tac_plan *p = e->playing;
    p->now = e->now;
    p->position = (uint32_t)(e->now % SLICE);
    frames = frames < SLICE - p->position ? frames : SLICE - p->position;
    for (uint32_t i = 0; i < p->notes_count; i++)
        p->notes[i]->count = 0;
    for (uint32_t i = 0; i < p->graph->section_count; i++)
        p->section[i].own->count = 0;
    apply_changes(e);
    frames = apply_events(e, frames);
    tac_ramps_run(&e->ramps, p, frames);
    tac_plan_fade_run(p, frames);
    read_input(p, in, offset, frames);
    tac_workers_run(e->workers, p, frames);
    if ((e->now + frames) % SLICE == 0)
        tac_doze_consider(p, e->now);
    end_slice(e, out, offset, frames);
    return frames;
}

/* What was replaced in this cycle; nearly always nothing. */
static void count_runaways(struct tac_engine *e)
{
    struct tac_guard *guard = &e->playing->guard;
    if (!guard->values && !e->mended)
        return;
    if (guard->values)
        atomic_store_explicit(&e->runaway, guard->node, memory_order_relaxed);
    atomic_fetch_add_explicit(&e->runaways, guard->values + e->mended, memory_order_relaxed);
    guard->values = 0;
    e->mended = 0;
}

static void count_cycle(struct tac_engine *e, uint64_t ns, uint32_t frames)
{
    atomic_store_explicit(&e->last_ns, ns, memory_order_relaxed);
    if (ns > atomic_load_explicit(&e->worst_ns, memory_order_relaxed))
        atomic_store_explicit(&e->worst_ns, ns, memory_order_relaxed);
    atomic_fetch_add_explicit(&e->busy_ns, ns, memory_order_relaxed);
    atomic_fetch_add_explicit(&e->frames, frames, memory_order_relaxed);
    atomic_fetch_add_explicit(&e->cycles, 1, memory_order_relaxed);
}

static void plot(const struct tac_engine *e, double load)
{
    const struct tac_plan *p = e->playing;
    tac_traced_plot(&(struct tac_traced_cycle){
        .load = load,
        .bytes = tac_engine_bytes(e, p),
        .shed_level = atomic_load_explicit(&e->shed.level, memory_order_relaxed)});
}

void tac_engine_process_beside(struct tac_engine *e, const float *const *in, float *const *out,
                               uint32_t frames, uint64_t others_ns)
{
    uint64_t begin = tac_clock_ns();
    take_plan(e);
    if (!e->playing)
        return;
    unsigned fp = tac_denormals_flush();
    take_events(e);
    uint32_t traced = tac_traced_now();
    tac_workers_begin(e->workers, begin, traced);
    for (uint32_t done = 0; done < frames;)
        done += run_slice(e, in, out, done, frames - done);
    tac_workers_end(e->workers);
    count_runaways(e);
    tac_denormals_restore(fp);
    uint64_t busy = tac_clock_ns() - begin;
    count_cycle(e, busy, frames);
    double period_ns = (double)frames * 1e9 / e->config.rate_hz;
    tac_shed_judge(&e->shed, &(struct tac_shed_scene){e->playing, &e->ramps, e->workers},
                   busy + others_ns, (uint64_t)period_ns);
    if (tac_traced_has(traced, TAC_CAT_PLOT) && frames)
        plot(e, (double)busy / period_ns);
}

void tac_engine_process(struct tac_engine *e, const float *const *in, float *const *out,
                        uint32_t frames)
{
    tac_engine_process_beside(e, in, out, frames, 0);
}

void tac_engine_process_interleaved(struct tac_engine *e, const float *in, float *out,
                                    uint32_t frames)
{
    uint32_t inputs = atomic_load_explicit(&e->inputs, memory_order_relaxed);
    uint32_t outputs = atomic_load_explicit(&e->outputs, memory_order_relaxed);
    float in_data[TAC_ENGINE_CHANNELS_MAX][SLICE], out_data[TAC_ENGINE_CHANNELS_MAX][SLICE];
    const float *in_channel[TAC_ENGINE_CHANNELS_MAX];
    float *out_channel[TAC_ENGINE_CHANNELS_MAX];
    for (uint32_t c = 0; c < TAC_ENGINE_CHANNELS_MAX; c++) {
        in_channel[c] = in_data[c];
        out_channel[c] = out_data[c];
    }
    for (uint32_t done = 0; done < frames;) {
        uint32_t n = frames - done < SLICE ? frames - done : SLICE;
        for (uint32_t c = 0; in && c < inputs; c++)
            for (uint32_t f = 0; f < n; f++)
                in_data[c][f] = in[(size_t)(done + f) * inputs + c];
        tac_engine_process(e, in ? in_channel : NULL, out_channel, n);
        for (uint32_t c = 0; c < outputs; c++)
            for (uint32_t f = 0; f < n; f++)
                out[(size_t)(done + f) * outputs + c] = out_data[c][f];
        done += n;
    }
}
