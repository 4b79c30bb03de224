/* SPDX-License-Identifier: MIT
 * engine.c - the control side of include/tactus/engine.h: life, loading, events, reports.
 *
 * Exchange of plans. Two mailboxes of one plan each: `next` (control puts, audio takes) and
 * `retired` (audio puts, control takes). Control collects `retired` before it puts `next`; audio
 * takes `next` only when `retired` is empty. So each plan has one owner at any time, and neither
 * side waits. A plan that audio has not taken yet is taken back by control and dropped.
 *
 * Threads: control functions hold engine->lock; the audio side is in process.c. */
#include "engine/internal.h"

#include "engine/costs.h"
#include "engine/doze.h"
#include "graph/units.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool config_is_valid(const struct tac_engine_config *c)
{
    return (c->rate_hz == 0 || (c->rate_hz >= 8000 && c->rate_hz <= 768000)) &&
           c->threads <= TAC_ENGINE_THREADS_MAX && c->priority >= 0 && c->priority <= 99;
}

static int build(struct tac_engine *e)
{
    e->vault.lock = !e->config.no_lock;
    e->inbox = TAC_VAULT_NEW(&e->vault, struct tac_inbox, 1);
    e->agenda = TAC_VAULT_NEW(&e->vault, struct tac_agenda, 1);
    if (!e->inbox || !e->agenda)
        return -ENOMEM;
    tac_inbox_init(e->inbox);
    atomic_init(&e->runaway, TAC_GRAPH_NONE);
    tac_shed_init(&e->shed, e->config.offline || e->config.no_shed);
    int code = tac_ramps_init(&e->ramps, &e->vault, e->config.rate_hz);
    if (code < 0)
        return code;
    pthread_mutex_init(&e->lock, NULL);
    struct tac_workers_config workers = {.threads = e->config.threads,
                                         .priority = e->config.priority,
                                         .lock = !e->config.no_lock,
                                         .always = e->config.always_help};
    struct tac_workers *beside = e->config.beside ? e->config.beside->workers : NULL;
    code = tac_disk_new(e->config.offline, &e->disk);
    if (code >= 0 && (code = tac_workers_new(&workers, beside, &e->workers)) < 0)
        tac_disk_free(e->disk);
    if (code >= 0)
        e->config.threads = tac_workers_threads(e->workers);
    if (code < 0)
        pthread_mutex_destroy(&e->lock);
    return code;
}

int tac_engine_new(const struct tac_engine_config *config, struct tac_engine **ret_engine)
{
    static const struct tac_engine_config usual;
    config = config ? config : &usual;
    if (!config_is_valid(config))
        return -EINVAL;
    struct tac_vault vault = {.lock = !config->no_lock};
    struct tac_engine *e = tac_vault_take(&vault, sizeof *e);
    if (!e)
        return -ENOMEM;
    e->home = vault;
    e->config = *config;
    if (e->config.rate_hz == 0)
        e->config.rate_hz = 48000;
    if (e->config.threads == 0)
        e->config.threads = 1;
    int code = build(e);
    if (code < 0) {
        tac_vault_fini(&e->vault);
        tac_vault_fini(&vault);
        return code;
    }
    *ret_engine = e;
    return 0;
}

/* Helpers that other engines share may be in it yet. */
static void free_plan(struct tac_engine *e, struct tac_plan *plan)
{
    tac_workers_leave(e->workers, plan);
    tac_plan_free(plan);
}

void tac_engine_free(struct tac_engine *e)
{
    if (!e)
        return;
    tac_plan_free(atomic_load(&e->next));
    free_plan(e, atomic_load(&e->retired));
    free_plan(e, e->playing);
    while (e->grave) {
        struct tac_plan *plan = e->grave;
        e->grave = plan->after;
        free_plan(e, plan);
    }
    tac_shelf_clear(&e->shelf);
    tac_workers_free(e->workers);
    tac_disk_free(e->disk);
    free(e->text);
    free(e->text_name);
    free(e->text_folder);
    tac_names_fini(&e->ids);
    for (uint32_t i = 0; i < e->id_count; i++)
        free(e->id_name[i]);
    free(e->id_name);
    pthread_mutex_destroy(&e->lock);
    tac_vault_fini(&e->vault);
    struct tac_vault home = e->home;
    tac_vault_fini(&home);
}

/* ---- events -------------------------------------------------------------------------------- */

static int push_event(struct tac_engine *e, const struct tac_event *event)
{
    if (tac_inbox_try_push(e->inbox, event))
        return 0;
    atomic_fetch_add_explicit(&e->events_dropped, 1, memory_order_relaxed);
    return -EAGAIN;
}

static const struct tac_plan_node *node_of(const struct tac_engine *e, uint32_t param_id)
{
    uint32_t id = param_id / TAC_BLOCK_PARAMS_MAX;
    if (!e->latest || id >= e->latest->ids || e->latest->index_by_id[id] == TAC_GRAPH_NONE)
        return NULL;
    const struct tac_plan_node *n = &e->latest->node[e->latest->index_by_id[id]];
    return param_id % TAC_BLOCK_PARAMS_MAX < n->node->params ? n : NULL;
}

static int find_param(struct tac_engine *e, const char *path, uint32_t *ret_id)
{
    char node[TAC_GRAPH_NAME_MAX + 1];
    const char *dot = strchr(path, '.');
    if (!dot || (size_t)(dot - path) >= sizeof node || !e->latest)
        return -TAC_E_UNKNOWN;
    memcpy(node, path, (size_t)(dot - path));
    node[dot - path] = 0;
    int64_t index = tac_graph_find(e->latest->graph, node);
    if (index < 0)
        return -TAC_E_UNKNOWN;
    const struct tac_node *n = e->latest->node[index].node;
    for (uint32_t p = 0; p < n->params; p++)
        if (!strcmp(n->block->param[p].name, dot + 1)) {
            *ret_id = n->id * TAC_BLOCK_PARAMS_MAX + p;
            return 0;
        }
    return -TAC_E_UNKNOWN;
}

int tac_engine_param_find(struct tac_engine *e, const char *path, uint32_t *ret_id)
{
    pthread_mutex_lock(&e->lock);
    int code = find_param(e, path, ret_id);
    pthread_mutex_unlock(&e->lock);
    return code;
}

int tac_engine_param_get(struct tac_engine *e, uint32_t id, struct tac_engine_param *ret_param)
{
    pthread_mutex_lock(&e->lock);
    const struct tac_plan_node *n = node_of(e, id);
    int code = n ? 0 : id / TAC_BLOCK_PARAMS_MAX < e->id_count ? -TAC_E_UNKNOWN : -ENOENT;
    if (n) {
        uint32_t index = id % TAC_BLOCK_PARAMS_MAX;
        const struct tac_param *p = &n->node->block->param[index];
        *ret_param = (struct tac_engine_param){
            .node = n->node->name,
            .name = p->name,
            .doc = p->doc,
            .unit = tac_units_name(p->unit),
            .min = p->min,
            .max = p->max,
            .fallback = p->fallback,
            .value = atomic_load_explicit(&n->node->target[index], memory_order_relaxed),
            .choices = p->choices};
    }
    pthread_mutex_unlock(&e->lock);
    return code;
}

int tac_engine_param_set(struct tac_engine *e, uint32_t id, float value, uint32_t delay_frames)
{
    struct tac_event event = {.kind = TAC_EVENT_PARAM,
                              .due = delay_frames,
                              .target = id / TAC_BLOCK_PARAMS_MAX,
                              .param = id % TAC_BLOCK_PARAMS_MAX,
                              .value = value};
    if (!isfinite(value))
        return -EINVAL;
    if (event.target >= atomic_load_explicit(&e->id_count, memory_order_acquire))
        return -ENOENT;
    return push_event(e, &event);
}

int tac_engine_section_find(struct tac_engine *e, const char *name, uint32_t *ret_section)
{
    pthread_mutex_lock(&e->lock);
    int64_t index = e->latest ? tac_graph_find(e->latest->graph, name) : -1;
    int code = index >= 0 && e->latest->node[index].node->voices ? 0 : -TAC_E_UNKNOWN;
    if (code >= 0)
        *ret_section = e->latest->node[index].node->id;
    pthread_mutex_unlock(&e->lock);
    return code;
}

int tac_engine_play_note(struct tac_engine *e, uint32_t section, float pitch_semitones,
                         float velocity, uint32_t delay_frames)
{
    struct tac_event event = {.kind = TAC_EVENT_NOTE,
                              .due = delay_frames,
                              .target = section,
                              .pitch = pitch_semitones,
                              .value = velocity};
    if (!isfinite(pitch_semitones) || !(velocity >= 0 && velocity <= 1))
        return -EINVAL;
    if (section != TAC_ENGINE_EVERY_SECTION &&
        section >= atomic_load_explicit(&e->id_count, memory_order_acquire))
        return -ENOENT;
    return push_event(e, &event);
}

int tac_engine_note(struct tac_engine *e, const char *section, float pitch_semitones,
                    float velocity, uint32_t delay_frames)
{
    uint32_t id = TAC_ENGINE_EVERY_SECTION;
    int code = section ? tac_engine_section_find(e, section, &id) : 0;
    return code < 0 ? code : tac_engine_play_note(e, id, pitch_semitones, velocity, delay_frames);
}

/* ---- reports ------------------------------------------------------------------------------- */

static const char *widest_variant(const struct tac_plan *plan)
{
    const struct tac_variant *widest = NULL;
    for (uint32_t i = 0; i < plan->graph->node_count; i++) {
        const struct tac_variant *v = plan->node[i].node->variant;
        if (plan->graph->node[i].block_index >= 0 && (!widest || v->lanes > widest->lanes))
            widest = v;
    }
    return widest ? widest->name : "";
}

void tac_engine_info(struct tac_engine *e, struct tac_engine_info *ret_info)
{
    pthread_mutex_lock(&e->lock);
    tac_engine_collect(e);
    *ret_info = (struct tac_engine_info){.name = "", .variant = "", .rate_hz = e->config.rate_hz};
    if (e->latest) {
        const struct tac_plan *p = e->latest;
        *ret_info = (struct tac_engine_info){
            .name = p->graph->name,
            .rate_hz = e->config.rate_hz,
            .tempo_bpm = p->graph->tempo_bpm,
            .length_s = p->graph->length_s,
            .inputs = p->graph->input == TAC_GRAPH_NONE ? 0 : p->graph->node[p->graph->input].lanes,
            .outputs = p->graph->node[p->graph->output].lanes,
            .latency_frames = p->graph->latency_frames,
            .nodes = p->graph->node_count,
            .banks = p->banks,
            .cables = p->graph->cable_count,
            .voices = p->graph->voice_count,
            .memory_bytes = tac_engine_bytes(e, p),
            .memory_locked = p->locked && !e->vault.unlocked && !e->home.unlocked,
            .variant = widest_variant(p)};
    }
    pthread_mutex_unlock(&e->lock);
}

static const char *name_of_id(const struct tac_engine *e, uint32_t id)
{
    return id < atomic_load_explicit(&e->id_count, memory_order_relaxed) ? e->id_name[id] : "";
}

/* What is counted for ever; the section goes on with its own. */
static uint32_t add_counts(const struct tac_node *section, struct tac_engine_stats *stats)
{
    struct tac_voices_count count;
    tac_voices_count(section->voices, &count);
    stats->notes += count.notes;
    stats->voices_stolen += count.stolen;
    stats->notes_dropped += count.dropped;
    return count.active;
}

static bool has_section(const struct tac_plan *plan, const struct tac_node *section)
{
    for (uint32_t i = 0; i < plan->graph->section_count; i++)
        if (plan->section[i].node == section)
            return true;
    return false;
}

void tac_engine_count_bygone(const struct tac_plan *plan, struct tac_engine_stats *sum)
{
    for (uint32_t i = 0; i < plan->graph->section_count; i++)
        if (!has_section(plan->heir, plan->section[i].node))
            add_counts(plan->section[i].node, sum);
}

/* Of the plan that is heard: the latest, unless that waits to be taken. */
static void count_voices(const struct tac_engine *e, struct tac_engine_stats *stats)
{
    bool waits = atomic_load_explicit(&e->next, memory_order_acquire);
    const struct tac_plan *plan = waits && e->heard ? e->heard : e->latest;
    stats->notes += e->bygone.notes;
    stats->voices_stolen += e->bygone.voices_stolen;
    stats->notes_dropped += e->bygone.notes_dropped;
    for (uint32_t i = 0; plan && i < plan->graph->section_count; i++) {
        stats->voices_active += add_counts(plan->section[i].node, stats);
        const struct tac_doze *d = plan->section[i].doze;
        stats->banks_asleep += d ? atomic_load_explicit(&d->asleep, memory_order_relaxed) : 0;
    }
}

static void count_helpers(const struct tac_engine *e, struct tac_engine_stats *stats)
{
    struct tac_workers_count count;
    tac_workers_get(e->workers, &count);
    stats->threads = count.threads;
    stats->helping = count.helping;
    stats->helpers_away = count.away;
    stats->alone = count.alone;
    stats->tasks_given = count.given;
    stats->tasks_taken = count.taken;
    stats->tasks_lost = count.lost;
    stats->answer_ns = count.answer_ns;
}

void tac_engine_stats(struct tac_engine *e, struct tac_engine_stats *ret_stats)
{
    struct tac_engine_stats s = {0};
    pthread_mutex_lock(&e->lock);
    tac_engine_tend(e);
    s.cycles = atomic_load_explicit(&e->cycles, memory_order_relaxed);
    s.frames = atomic_load_explicit(&e->frames, memory_order_relaxed);
    s.plans = atomic_load_explicit(&e->plans, memory_order_relaxed);
    s.worst_ns = atomic_load_explicit(&e->worst_ns, memory_order_relaxed);
    s.last_ns = atomic_load_explicit(&e->last_ns, memory_order_relaxed);
    s.busy_ns = atomic_load_explicit(&e->busy_ns, memory_order_relaxed);
    s.runaways = atomic_load_explicit(&e->runaways, memory_order_relaxed);
    s.runaway = name_of_id(e, atomic_load_explicit(&e->runaway, memory_order_relaxed));
    s.events_dropped = atomic_load_explicit(&e->events_dropped, memory_order_relaxed);
    s.stream_underruns = tac_disk_underruns(e->disk);
    count_voices(e, &s);
    count_helpers(e, &s);
    pthread_mutex_unlock(&e->lock);
    *ret_stats = s;
}

void tac_engine_stats_reset(struct tac_engine *e)
{
    atomic_store_explicit(&e->worst_ns, 0, memory_order_relaxed);
}

int tac_engine_meter(struct tac_engine *e, uint32_t channel, struct tac_engine_meter *ret_meter)
{
    if (channel >= atomic_load_explicit(&e->outputs, memory_order_relaxed))
        return -ENOENT;
    tac_level_read(&e->level[channel], ret_meter);
    return 0;
}

void tac_engine_overload(struct tac_engine *e, struct tac_engine_overload *ret_overload)
{
    static const char *const words[] = {"set", "voices", "mute"};
    pthread_mutex_lock(&e->lock);
    const struct tac_shed *s = &e->shed;
    *ret_overload = (struct tac_engine_overload){
        .level = atomic_load_explicit(&s->level, memory_order_relaxed),
        .steps = atomic_load_explicit(&s->steps, memory_order_relaxed),
        .load = (float)atomic_load_explicit(&s->load_percent, memory_order_relaxed) / 100,
        .guilty = name_of_id(e, atomic_load_explicit(&s->guilty, memory_order_relaxed)),
        .guilty_ns =
            tac_costs_ns((double)atomic_load_explicit(&s->guilty_ns, memory_order_relaxed)),
        .target = name_of_id(e, atomic_load_explicit(&s->target, memory_order_relaxed)),
        .action = ""};
    if (ret_overload->steps)
        ret_overload->action = words[atomic_load_explicit(&s->kind, memory_order_relaxed)];
    pthread_mutex_unlock(&e->lock);
}

int tac_engine_cost(struct tac_engine *e, uint32_t index, struct tac_engine_cost *ret_cost)
{
    pthread_mutex_lock(&e->lock);
    const struct tac_plan *p = e->latest;
    int code = p && index < p->graph->node_count ? 0 : -ENOENT;
    if (code >= 0) {
        struct tac_node *n = p->node[p->graph->order[index]].node;
        uint64_t count = atomic_load_explicit(&n->cost.count, memory_order_relaxed);
        uint64_t sum = atomic_load_explicit(&n->cost.sum, memory_order_relaxed);
        uint64_t worst = atomic_load_explicit(&n->cost.worst, memory_order_relaxed);
        *ret_cost = (struct tac_engine_cost){
            .node = n->name,
            .block = n->block->name,
            .lanes = n->lanes,
            .mean_ns = count ? tac_costs_ns((double)sum / (double)count) : 0,
            .worst_ns = tac_costs_ns((double)worst)};
    }
    pthread_mutex_unlock(&e->lock);
    return code;
}

int tac_engine_task(struct tac_engine *e, uint32_t index, struct tac_engine_task *ret_task)
{
    pthread_mutex_lock(&e->lock);
    const struct tac_plan *p = e->latest;
    int code = p && index < p->tasks ? 0 : -ENOENT;
    if (code >= 0) {
        const struct tac_task *t = &p->task[index];
        uint64_t mean = atomic_load_explicit(&t->cost, memory_order_relaxed);
        uint64_t worst = atomic_load_explicit(&t->worst, memory_order_relaxed);
        *ret_task = (struct tac_engine_task){.thread = t->worker,
                                             .estimate_ns = (double)t->estimate_ns,
                                             .mean_ns = tac_costs_ns((double)mean),
                                             .worst_ns = tac_costs_ns((double)worst)};
    }
    pthread_mutex_unlock(&e->lock);
    return code;
}

int tac_engine_thread(struct tac_engine *e, uint32_t index, struct tac_engine_thread *ret_thread)
{
    return tac_workers_labour(e->workers, index, ret_thread);
}

static void read_node(const struct tac_node *n,
                      void (*each)(void *user, const struct tac_engine_reading *reading),
                      void *user)
{
    struct tac_engine_reading r = {.node = n->name, .block = n->block->name, .channels = n->lanes};
    for (r.channel = 0; r.channel < n->lanes; r.channel++)
        for (uint32_t port = 0; port < TAC_BLOCK_PORTS_MAX && n->block->out[port].name; port++) {
            r.name = n->block->out[port].name;
            r.unit = n->block->reading(n->state[r.channel / n->bank_lanes], port,
                                       r.channel % n->bank_lanes, &r.value);
            if (r.unit)
                each(user, &r);
        }
}

void tac_engine_readings(struct tac_engine *e,
                         void (*each)(void *user, const struct tac_engine_reading *reading),
                         void *user)
{
    pthread_mutex_lock(&e->lock);
    const struct tac_plan *p = e->latest;
    for (uint32_t i = 0; p && i < p->graph->node_count; i++) {
        const struct tac_node *n = p->node[p->graph->order[i]].node;
        if (n->block->reading)
            read_node(n, each, user);
    }
    pthread_mutex_unlock(&e->lock);
}
