/* SPDX-License-Identifier: MIT
 * internal.h - the engine's own state, shared by engine.c (control) and process.c (audio). */
#ifndef TAC_ENGINE_INTERNAL_H
#define TAC_ENGINE_INTERNAL_H

#include "engine/agenda.h"
#include "engine/level.h"
#include "engine/params.h"
#include "engine/plan.h"
#include "engine/shed.h"
#include "engine/stream.h"
#include "engine/workers.h"
#include "tactus/engine.h"

#include <pthread.h>

struct tac_engine {
    struct tac_engine_config config;
    struct tac_vault home, vault; /* home: this structure */
    struct tac_shelf shelf;       /* of plans; under the lock, but for its bytes */
    pthread_mutex_t lock;         /* of control functions */

    /* control */
    struct tac_plan *latest; /* the newest plan; owned by a mailbox or by the audio thread */
    struct tac_plan *heard;  /* the newest that the audio thread has taken; or NULL */
    char *text, *text_name, *text_folder; /* loaded last */
    size_t text_bytes;
    bool untended; /* a plan without ghosts could not be made of the text: not tried again */
    struct tac_engine_stats bygone; /* counts of voices that no plan has any more */
    struct tac_plan *grave; /* retired plans that a helper may still look into; by plan->after */
    struct tac_disk *disk;
    struct tac_workers *workers;
    struct tac_names ids;
    char **id_name;
    _Atomic uint32_t id_count;
    uint32_t id_room;

    /* mailboxes, see engine.c */
    _Atomic(struct tac_plan *) next, retired;
    struct tac_inbox *inbox; /* any thread pushes, audio pops */

    /* audio */
    struct tac_plan *playing;
    uint64_t now; /* frame of the next slice */
    struct tac_agenda *agenda;
    uint32_t changes_done; /* of the plan that was taken over last */
    uint32_t mended;       /* values that were no number where they go out, in this cycle */
    struct tac_ramps ramps;
    struct tac_shed shed;

    /* written by audio, read by control */
    _Atomic uint32_t inputs, outputs; /* written by control, before the plan is put */
    _Atomic uint64_t cycles, frames, plans, worst_ns, last_ns, busy_ns, events_dropped;
    _Atomic uint64_t runaways;
    _Atomic uint32_t runaway; /* id of the latest one's node; by control, too */
    struct tac_level level[TAC_ENGINE_CHANNELS_MAX];
};

/* Memory that is held for a plan, and for the one that follows it. */
static inline size_t tac_engine_bytes(const struct tac_engine *e, const struct tac_plan *plan)
{
    return plan->vault.bytes + plan->node_bytes + e->vault.bytes + e->home.bytes +
           tac_shelf_bytes(&e->shelf);
}

/* process.c: tac_engine_process, where other engines took others_ns of the same time. */
void tac_engine_process_beside(struct tac_engine *engine, const float *const *in, float *const *out,
                               uint32_t frames, uint64_t others_ns);

/* load.c, under the lock: free what the audio thread has given back; and replace a plan whose fades
 * are over. */
void tac_engine_collect(struct tac_engine *engine);
void tac_engine_tend(struct tac_engine *engine);

/* engine.c, under the lock: add the counts of the sections that the plan has and its heir has not.
 */
void tac_engine_count_bygone(const struct tac_plan *plan, struct tac_engine_stats *sum);

#endif
