/* SPDX-License-Identifier: MIT
 * load.c - from a text to a plan in the mailbox of the audio thread.
 *
 * heard     the newest plan that the audio thread has taken. A plan that it has not taken yet is
 *           taken back and dropped in favour of the next, as if it had never been.
 * Fades     what an edit changes is cross-faded (ghosts.h). The audio thread takes no plan before
 *           the fades of its own are over, so nothing here waits for them. When they are over the
 *           text is made into a plan once more, without ghosts: tac_engine_tend().
 * Threads   control, under engine->lock. */
#include "engine/ghosts.h"
#include "engine/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int64_t id_of(void *user, const char *name)
{
    struct tac_engine *e = user;
    int64_t id = tac_names_find(&e->ids, name);
    if (id >= 0)
        return id;
    if (e->id_count == e->id_room) {
        uint32_t room = e->id_room ? e->id_room * 2 : 64;
        char **bigger = realloc(e->id_name, room * sizeof *bigger);
        if (!bigger)
            return -ENOMEM;
        e->id_name = bigger;
        e->id_room = room;
    }
    char *copy = strdup(name);
    if (!copy || !tac_names_add(&e->ids, copy, e->id_count)) {
        free(copy);
        return -ENOMEM;
    }
    uint32_t next = e->id_count;
    e->id_name[next] = copy;
    atomic_store_explicit(&e->id_count, next + 1, memory_order_release);
    return next;
}

static uint32_t inputs_of(const struct tac_graph *g)
{
    return g->input == TAC_GRAPH_NONE ? 0 : g->node[g->input].lanes;
}

static int check_channels(const struct tac_engine *e, const struct tac_graph *g,
                          struct tac_error *err)
{
    const struct tac_graph *now = e->latest ? e->latest->graph : NULL;
    if (!now || (inputs_of(now) == inputs_of(g) &&
                 now->node[now->output].lanes == g->node[g->output].lanes))
        return 0;
    return tac_error_set(err, -EINVAL, g->file, 0, 0,
                         "an edit cannot change the number of channels (%u in, %u out)",
                         inputs_of(now), now->node[now->output].lanes);
}

/* Free what the audio thread has given back, as soon as no helper is in it. */
void tac_engine_collect(struct tac_engine *e)
{
    /* pairs with the release store of the audio thread: it is done with the plan */
    struct tac_plan *retired = atomic_exchange_explicit(&e->retired, NULL, memory_order_acquire);
    if (retired) {
        tac_engine_count_bygone(retired, &e->bygone);
        retired->after = e->grave;
        e->grave = retired;
    }
    for (struct tac_plan **at = &e->grave; *at;) {
        struct tac_plan *plan = *at;
        if (tac_workers_are_inside(e->workers, plan)) {
            at = &plan->after;
            continue;
        }
        *at = plan->after;
        tac_plan_free(plan);
    }
}

static int build_plan(struct tac_engine *e, struct tac_graph *graph, struct tac_plan **ret_plan,
                      struct tac_error *err)
{
    struct tac_plan_build how = {.rate_hz = e->config.rate_hz,
                                 .lock = !e->config.no_lock,
                                 .threads = e->config.threads,
                                 .always = e->config.always_help,
                                 .sleepless = e->config.no_sleep,
                                 .lost = tac_workers_lost(e->workers),
                                 .disk = e->disk,
                                 .shelf = &e->shelf,
                                 .before = e->heard,
                                 .id_of = id_of,
                                 .user = e};
    int code = e->heard ? tac_ghosts_add(graph, e->heard, &how.fades) : 0;
    if (code < 0) {
        tac_error_set(err, code, graph->file, 0, 0, "out of memory");
        tac_graph_free(graph);
        return code;
    }
    return tac_plan_new(graph, &how, ret_plan, err);
}

static void publish(struct tac_engine *e, struct tac_plan *plan)
{
    e->latest = plan;
    atomic_store_explicit(&e->outputs, plan->graph->node[plan->graph->output].lanes,
                          memory_order_relaxed);
    atomic_store_explicit(&e->inputs, inputs_of(plan->graph), memory_order_relaxed);
    /* release: the plan is complete when the audio thread sees it */
    atomic_store_explicit(&e->next, plan, memory_order_release);
}

static int take_graph(struct tac_engine *e, struct tac_graph *graph, struct tac_error *err)
{
    int code = check_channels(e, graph, err);
    if (code < 0) {
        tac_graph_free(graph);
        return code;
    }
    struct tac_plan *plan = NULL;
    /* acquire: what the audio thread has not taken is ours again, and its changes are still to come
     */
    struct tac_plan *missed = atomic_exchange_explicit(&e->next, NULL, memory_order_acq_rel);
    if (missed)
        tac_plan_remember(missed, true);
    else
        e->heard = e->latest;
    tac_engine_collect(e); /* from here on the audio thread takes nothing, so the next finds room */
    code = build_plan(e, graph, &plan, err);
    if (code < 0) {
        if (missed)
            tac_plan_remember(missed, false);
        atomic_store_explicit(&e->next, missed, memory_order_release);
        return code;
    }
    publish(e, plan);
    tac_shelf_clear(&e->shelf);
    tac_plan_free(missed);
    return 0;
}

/* What was loaded last, to make a plan of it again. */
static void keep_text(struct tac_engine *e, char *text, size_t bytes, const char *name,
                      const char *folder)
{
    free(e->text);
    free(e->text_name);
    free(e->text_folder);
    e->text = text;
    e->text_bytes = bytes;
    e->text_name = strdup(name);
    e->text_folder = strdup(folder);
    e->untended = false;
}

/* Takes the text over. */
static int load(struct tac_engine *e, char *text, size_t bytes, const char *name,
                const char *folder, struct tac_error *err)
{
    struct tac_graph *graph = NULL;
    int code = tac_graph_read(text, bytes, name, folder, &graph, err);
    if (code >= 0) {
        pthread_mutex_lock(&e->lock);
        code = take_graph(e, graph, err);
        if (code >= 0)
            keep_text(e, text, bytes, name, folder);
        pthread_mutex_unlock(&e->lock);
    }
    if (code < 0)
        free(text);
    return code;
}

int tac_engine_load(struct tac_engine *e, const char *path, struct tac_error *err)
{
    char *text = NULL;
    size_t bytes = 0;
    int code = tac_graph_load_text(path, &text, &bytes, err);
    if (code < 0)
        return code;
    char *folder = tac_graph_folder_of(path);
    if (folder) {
        code = load(e, text, bytes, path, folder, err);
    } else {
        free(text);
        code = tac_error_set(err, -ENOMEM, path, 0, 0, "out of memory");
    }
    free(folder);
    return code;
}

int tac_engine_load_text(struct tac_engine *e, const char *text, size_t bytes, const char *name,
                         const char *folder, struct tac_error *err)
{
    char *copy = malloc(bytes + 1);
    if (!copy)
        return tac_error_set(err, -ENOMEM, name, 0, 0, "out of memory");
    memcpy(copy, text, bytes);
    return load(e, copy, bytes, name, folder ? folder : "", err);
}

/* Some node of the plan that is heard gives what is no number: the first of them has begun it. */
static bool has_ill(struct tac_engine *e)
{
    struct tac_plan *p = e->latest;
    /* acquire: pairs with the release of who found it */
    if (atomic_load_explicit(&e->next, memory_order_relaxed) ||
        !atomic_exchange_explicit(&p->ill, false, memory_order_acquire))
        return false;
    for (uint32_t i = 0; i < p->graph->node_count; i++) {
        const struct tac_node *n = p->node[p->graph->order[i]].node;
        if (atomic_load_explicit(&n->ill, memory_order_relaxed)) {
            atomic_store_explicit(&e->runaway, n->id, memory_order_relaxed);
            break;
        }
    }
    return true;
}

static bool fades_are_over(const struct tac_engine *e)
{
    return e->latest->fade.used && !e->untended &&
           atomic_load_explicit(&e->latest->fade.done, memory_order_acquire);
}

/* A plan whose fades are over has ghosts that still compute: one without them takes its place. And
 * nodes that are ill are replaced by new ones. */
void tac_engine_tend(struct tac_engine *e)
{
    struct tac_graph *graph = NULL;
    struct tac_error err;
    tac_engine_collect(e);
    if (!e->latest || !e->text || !e->text_name || !e->text_folder ||
        (!has_ill(e) && !fades_are_over(e)))
        return;
    e->untended =
        tac_graph_read(e->text, e->text_bytes, e->text_name, e->text_folder, &graph, &err) < 0 ||
        take_graph(e, graph, &err) < 0;
}
