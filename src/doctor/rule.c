/* SPDX-License-Identifier: MIT
 * rule.c - what rules use to look at a case and to claim; see rule.h. */
#include "doctor/rule.h"

#include "doctor/places.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

double tac_claim_confidence(const struct tac_verdict *larger, const struct tac_verdict *smaller)
{
    bool matters = smaller->ns * 4 > smaller->ns + larger->ns;
    return matters && smaller->confidence < larger->confidence ? smaller->confidence
                                                               : larger->confidence;
}

const char *tac_blame_name(enum tac_blame blame)
{
    static const char *const name[] = {"program", "heap", "system", "machine", "nobody"};
    return name[blame];
}

uint64_t tac_claim(struct tac_case *c, enum tac_account account, uint64_t ns, double confidence,
                   const char *format, ...)
{
    uint64_t granted = ns < c->open_ns[account] ? ns : c->open_ns[account];
    if (granted == 0)
        return 0;
    struct tac_verdict *v = NULL;
    for (unsigned i = 0; i < c->claims; i++)
        if (c->claim[i].rule == c->rule)
            v = &c->claim[i];
    if (!v && c->claims == TAC_CLAIMS_MAX)
        return 0;
    c->open_ns[account] -= granted;
    struct tac_verdict part = {
        .rule = c->rule, .ns = granted, .place = TAC_CAPTURE_NONE, .confidence = confidence};
    if (v && granted <= v->ns) { /* one verdict a rule and cycle; the larger part gives the words */
        v->confidence = tac_claim_confidence(v, &part);
        v->ns += granted;
        return granted;
    }
    if (v) {
        part.confidence = tac_claim_confidence(&part, v);
        part.ns += v->ns;
    } else {
        v = &c->claim[c->claims++];
    }
    *v = part;
    va_list args;
    va_start(args, format);
    vsnprintf(v->text, sizeof v->text, format, args);
    va_end(args);
    return granted;
}

bool tac_case_is_claimed(const struct tac_case *c, const char *rule)
{
    for (unsigned i = 0; i < c->claims; i++)
        if (!strcmp(c->claim[i].rule->name, rule))
            return true;
    return false;
}

void tac_claim_by(struct tac_case *c, const struct tac_sight *sight)
{
    const struct tac_capture *cap = c->capture;
    const char *what = NULL;
    if (!sight || !c->claims || c->claim[c->claims - 1].rule != c->rule ||
        c->cycle->thread >= cap->threads_count)
        return;
    if (sight->kind == TAC_SIGHT_CALL)
        what = cap->sites[cap->zones[sight->index].site].name;
    else if (sight->kind != TAC_SIGHT_MEMORY && sight->kind != TAC_SIGHT_LOCK)
        return;
    c->claim[c->claims - 1].place = tac_places_find(c->diagnosis->places, sight->kind, what,
                                                    c->cycle->thread, sight->from_ns, NULL);
}

const char *tac_case_symbol(const struct tac_case *c, uint64_t address, char *buffer, size_t size)
{
    return address ? tac_places_text(c->diagnosis->places, address, buffer, size) : "";
}

const char *tac_case_place(const struct tac_case *c, unsigned kind, const char *what,
                           uint32_t thread, uint64_t begin_ns, char *buffer, size_t size)
{
    enum { FRAMES = 24 };
    struct tac_frame frames[FRAMES];
    const struct tac_places *places = c->diagnosis->places;
    uint32_t place = tac_places_find(places, kind, what, thread, begin_ns, NULL);
    size_t n = tac_places_frames(places, place, frames, FRAMES), blame;
    blame = tac_places_blame(frames, n);
    return blame < n ? tac_frame_text(&frames[blame], buffer, size) : "";
}

const char *tac_case_seen(const struct tac_case *c, uint64_t from_ns, uint64_t to_ns, char *buffer,
                          size_t size)
{
    enum { APART_NS = 5000 }; /* of one switch in the accounts of two kinds of evidence */
    const struct tac_capture *cap = c->capture;
    *buffer = 0;
    if (c->cycle->thread >= cap->threads_count)
        return buffer;
    for (size_t i = TAC_CAPTURE_LOWER(cap, kernel_stacks, ns, from_ns - APART_NS);
         i < cap->kernel_stacks_count && cap->kernel_stacks[i].ns <= to_ns; i++) {
        const struct tac_capture_kernel_stack *s = &cap->kernel_stacks[i];
        char way[224];
        if (s->kind == TAC_STACK_USER && s->tid == cap->threads[c->cycle->thread].tid &&
            *tac_places_way(c->diagnosis->places, s, way, sizeof way)) {
            snprintf(buffer, size, "; by its call stack in %s", way);
            break;
        }
    }
    return buffer;
}

static uint64_t sum(const struct tac_case *c, enum tac_account account, unsigned kind,
                    tac_case_wanted *wanted, const struct tac_sight **ret_longest)
{
    const struct tac_layout *l = c->layout;
    const struct tac_sight *best = NULL;
    uint64_t total = 0, longest = 0;
    for (size_t i = 0; i < l->segments; i++) {
        const struct tac_segment *s = &l->segment[i];
        if (s->account != account)
            continue;
        const struct tac_sight *sight =
            s->sight == TAC_SIGHT_NONE ? NULL : &l->sights.data[s->sight];
        bool fits = wanted ? sight && wanted(c, sight)
                           : kind == TAC_SIGHT_KINDS || (sight && sight->kind == kind);
        if (!fits)
            continue;
        total += s->to_ns - s->from_ns;
        if (sight && s->to_ns - s->from_ns > longest) {
            longest = s->to_ns - s->from_ns;
            best = sight;
        }
    }
    if (ret_longest)
        *ret_longest = best;
    return total;
}

uint64_t tac_case_time(const struct tac_case *c, enum tac_account account, unsigned kind,
                       const struct tac_sight **ret_longest)
{
    return sum(c, account, kind, NULL, ret_longest);
}

uint64_t tac_case_sum(const struct tac_case *c, enum tac_account account, tac_case_wanted *wanted,
                      const struct tac_sight **ret_longest)
{
    return sum(c, account, TAC_SIGHT_KINDS, wanted, ret_longest);
}

size_t tac_case_count(const struct tac_case *c, unsigned kind, const struct tac_sight **ret_first)
{
    size_t count = 0;
    for (size_t i = 0; i < c->layout->sights.count; i++) {
        const struct tac_sight *s = &c->layout->sights.data[i];
        if (s->kind != kind || s->to_ns < c->layout->release_ns)
            continue;
        if (count++ == 0 && ret_first)
            *ret_first = s;
    }
    return count;
}

const char *tac_case_who(const struct tac_case *c, uint32_t tid, char *buffer, size_t size)
{
    const char *name = tid ? tac_capture_comm(c->capture, tid) : NULL;
    if (name)
        snprintf(buffer, size, "thread %s (%u)", name, tid);
    else if (tid)
        snprintf(buffer, size, "thread %u", tid);
    else
        snprintf(buffer, size, "another thread (which one was not recorded)");
    return buffer;
}
