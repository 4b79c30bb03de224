/* SPDX-License-Identifier: MIT
 * places.c - see places.h. */
#include "doctor/places.h"

#include "base/hash.h"
#include "capture/symbols.h"
#include "tactus/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_FRAMES = 8 };

/* ---- to which event a stack belongs ---- */

struct event {
    const char *what;
    uint64_t at_ns; /* when it was written: the end, or of a call the begin */
    uint64_t begin_ns, length_ns;
    uint8_t kind;
};

const char *tac_places_operation(uint32_t op)
{
    static const char *const name[TAC_PLACES_OPERATIONS] = {
        "malloc", "free", "realloc", "pool get", "pool put", "refused malloc"};
    return op < TAC_PLACES_OPERATIONS ? name[op] : "malloc";
}

static void consider(struct event *best, struct event found, uint64_t ns)
{
    if (found.at_ns <= ns && found.at_ns >= best->at_ns)
        *best = found;
}

/* The last entry of the thread that began at or before ns, looked for a little way back. */
#define LAST_OF_THREAD(capture, array, thread_, ns_, found)                                        \
    for (size_t i_ = TAC_CAPTURE_LOWER(capture, array, begin_ns, (ns_) + 1), n_ = 0;               \
         i_ > 0 && n_ < 200 && !(found); n_++)                                                     \
        if ((capture)->array[--i_].thread == (thread_))                                            \
            (found) = &(capture)->array[i_];

static struct event event_of(const struct tac_capture *c, const struct tac_capture_stack *s)
{
    struct event best = {0};
    const struct tac_capture_memory *m = NULL;
    const struct tac_capture_lock *l = NULL;
    const struct tac_capture_zone *z = NULL;
    LAST_OF_THREAD(c, memory, s->thread, s->ns, m)
    LAST_OF_THREAD(c, locks, s->thread, s->ns, l)
    LAST_OF_THREAD(c, zones, s->thread, s->ns, z)
    if (m)
        consider(&best,
                 (struct event){tac_places_operation(m->op), m->end_ns, m->begin_ns,
                                m->end_ns - m->begin_ns, TAC_SIGHT_MEMORY},
                 s->ns);
    if (l)
        consider(&best,
                 (struct event){"a lock", l->end_ns, l->begin_ns, l->end_ns - l->begin_ns,
                                TAC_SIGHT_LOCK},
                 s->ns);
    if (z && c->sites[z->site].category == TAC_CAT_CALL)
        consider(&best,
                 (struct event){c->sites[z->site].name, z->begin_ns, z->begin_ns,
                                z->end_ns == TAC_CAPTURE_OPEN ? 0 : z->end_ns - z->begin_ns,
                                TAC_SIGHT_CALL},
                 s->ns);
    return best;
}

/* ---- gathering ---- */

struct key {
    uint64_t hash;
    uint32_t stack;
    struct event event;
};

static uint64_t hash_of(const struct tac_capture_stack *s, const struct event *e)
{
    size_t frames = s->count < KEY_FRAMES ? s->count : KEY_FRAMES;
    uint64_t hash = tac_hash_bytes(TAC_HASH_BEGIN, &e->kind, sizeof e->kind);
    hash = tac_hash_bytes(hash, e->what, strlen(e->what));
    return tac_hash_bytes(hash, s->pc, frames * sizeof *s->pc);
}

static int compare_keys(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return x->stack < y->stack ? -1 : x->stack > y->stack;
}

static int compare_places(const void *a, const void *b)
{
    const struct tac_place *x = a, *y = b;
    if (x->in_cycles != y->in_cycles)
        return x->in_cycles < y->in_cycles ? 1 : -1;
    if (x->seen != y->seen)
        return x->seen < y->seen ? 1 : -1;
    return x->stack < y->stack ? -1 : x->stack > y->stack;
}

static size_t collect(const struct tac_capture *c, struct tac_places *p, struct key *keys)
{
    size_t n = 0;
    for (size_t i = 0; i < c->stacks_count; i++) {
        p->of_stack[i] = TAC_CAPTURE_NONE;
        struct event e = event_of(c, &c->stacks[i]);
        p->event_ns[i] = e.begin_ns;
        if (e.what && c->stacks[i].count)
            keys[n++] = (struct key){hash_of(&c->stacks[i], &e), (uint32_t)i, e};
    }
    qsort(keys, n, sizeof *keys, compare_keys);
    return n;
}

static bool is_in_cycle(const struct tac_capture *c, const struct tac_capture_stack *s)
{
    enum { LOOK_BACK = 64 }; /* cycles of other threads */
    size_t at = TAC_CAPTURE_LOWER(c, cycles, begin_ns, s->ns + 1);
    for (size_t n = 0; at > 0 && n < LOOK_BACK; n++)
        if (c->cycles[--at].thread == s->thread)
            return c->cycles[at].end_ns >= s->ns;
    return false;
}

static void gather(struct tac_places *p, const struct key *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || keys[i].hash != keys[i - 1].hash)
            p->place[p->count++] = (struct tac_place){
                .what = keys[i].event.what, .kind = keys[i].event.kind, .stack = keys[i].stack};
        struct tac_place *place = &p->place[p->count - 1];
        place->seen++;
        place->in_cycles += is_in_cycle(p->capture, &p->capture->stacks[keys[i].stack]);
        if (keys[i].event.length_ns > place->worst_ns)
            place->worst_ns = keys[i].event.length_ns;
    }
    qsort(p->place, p->count, sizeof *p->place, compare_places);
}

/* After sorting: the place of each stack, by the hash of the place's own stack. */
static void number_stacks(struct tac_places *p, const struct key *keys, size_t n)
{
    for (size_t k = 0; k < p->count; k++) {
        p->of_stack[p->place[k].stack] = (uint32_t)k;
    }
    for (size_t i = 0; i < n; i++) { /* the first of a row is the place's own */
        size_t first = i;
        while (first > 0 && keys[first - 1].hash == keys[i].hash)
            first--;
        uint32_t place = p->of_stack[keys[first].stack];
        for (; i < n && keys[i].hash == keys[first].hash; i++)
            p->of_stack[keys[i].stack] = place;
        i--;
    }
}

int tac_places_open(const struct tac_capture *capture, struct tac_places **ret_places)
{
    struct tac_places *p = calloc(1, sizeof *p);
    size_t n = capture->stacks_count + 1;
    struct key *keys = malloc(n * sizeof *keys);
    int r = p && keys ? 0 : -ENOMEM;
    if (r == 0) {
        p->capture = capture;
        p->place = malloc(n * sizeof *p->place);
        p->of_stack = malloc(n * sizeof *p->of_stack);
        p->event_ns = malloc(n * sizeof *p->event_ns);
        r = p->place && p->of_stack && p->event_ns ? 0 : -ENOMEM;
    }
    if (r == 0) {
        size_t count = collect(capture, p, keys);
        gather(p, keys, count);
        number_stacks(p, keys, count);
        r = tac_symbols_open(capture, NULL, &p->symbols);
    }
    free(keys);
    if (r)
        tac_places_close(p);
    else
        *ret_places = p;
    return r;
}

void tac_places_close(struct tac_places *p)
{
    if (!p)
        return;
    tac_symbols_close(p->symbols);
    free(p->place);
    free(p->of_stack);
    free(p->event_ns);
    free(p);
}

uint32_t tac_places_find(const struct tac_places *p, unsigned kind, const char *what,
                         uint32_t thread, uint64_t begin_ns, bool *ret_exact)
{
    const struct tac_capture *c = p->capture;
    if (ret_exact)
        *ret_exact = true;
    for (size_t i = TAC_CAPTURE_LOWER(c, stacks, ns, begin_ns); i < c->stacks_count; i++)
        if (c->stacks[i].thread == thread) {
            if (p->event_ns[i] == begin_ns && p->of_stack[i] != TAC_CAPTURE_NONE)
                return p->of_stack[i];
            if (p->event_ns[i] > begin_ns)
                break;
        }
    if (ret_exact)
        *ret_exact = false;
    for (uint32_t k = 0; k < p->count; k++)
        if (p->place[k].kind == kind && c->stacks[p->place[k].stack].thread == thread &&
            (!what || !strcmp(what, p->place[k].what)))
            return k;
    return TAC_CAPTURE_NONE;
}

/* ---- in words ---- */

/* Modules that carry out what others ask for. */
static bool is_ours(const char *module)
{
    static const char *const list[] = {
        "libc.so",       "libc-",           "ld-linux",   "libpthread", "libstdc++",
        "libgcc_s",      "libm.so",         "librt.so",   "libdl.so",   "libtactus-watch",
        "libtactus-mem", "libtactus-trace", "linux-vdso", "[vdso]"};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        if (!strncmp(module, list[i], strlen(list[i])))
            return true;
    return false;
}

static struct tac_frame frame_of(const struct tac_places *p, uint64_t pc, enum tac_symbol_kind kind)
{
    const struct tac_symbol *s = tac_symbols_find(p->symbols, pc, kind);
    const char *slash = strrchr(s->file, '/');
    return (struct tac_frame){.module = s->module,
                              .function = s->function,
                              .file = slash ? slash + 1 : s->file,
                              .line = s->line,
                              .is_ours = is_ours(s->module)};
}

size_t tac_places_frames(const struct tac_places *p, uint32_t place, struct tac_frame *frames,
                         size_t max)
{
    if (place >= p->count)
        return 0;
    const struct tac_capture_stack *s = &p->capture->stacks[p->place[place].stack];
    size_t n = 0;
    for (; n < s->count && n < max; n++)
        frames[n] = frame_of(p, s->pc[n], TAC_SYMBOL_RETURN);
    return n;
}

size_t tac_places_blame(const struct tac_frame *frames, size_t count)
{
    size_t i = 0;
    while (i < count && frames[i].is_ours)
        i++;
    return i;
}

/* How long the name is without what a compiler adds to its copies of a function. */
static int own_name(const char *name)
{
    static const char *const copy[] = {".constprop.", ".isra.", ".part.", ".cold", ".lto_priv."};
    size_t n = strlen(name);
    for (size_t i = 0; i < sizeof copy / sizeof *copy; i++) {
        const char *at = strstr(name, copy[i]);
        n = at && at > name && (size_t)(at - name) < n ? (size_t)(at - name) : n;
    }
    return (int)n;
}

const char *tac_frame_text(const struct tac_frame *f, char *buffer, size_t size)
{
    const char *name = f->function;
    int length = own_name(name);
    if (!*name)
        snprintf(buffer, size, "a function of %s", f->module);
    else if (*f->file)
        snprintf(buffer, size, "%.*s (%s, %s:%u)", length, name, f->module, f->file, f->line);
    else
        snprintf(buffer, size, "%.*s (%s)", length, name, f->module);
    return buffer;
}

static struct tac_frame frame_in(const struct tac_places *p,
                                 const struct tac_capture_kernel_stack *s, uint32_t i)
{
    return frame_of(p, s->pc[i], i ? TAC_SYMBOL_RETURN : TAC_SYMBOL_EXACT);
}

static bool is_in_a_file(const struct tac_frame *f)
{
    return strcmp(f->module, "?") != 0;
}

const char *tac_places_way(const struct tac_places *p, const struct tac_capture_kernel_stack *s,
                           char *buffer, size_t size)
{
    size_t used = 0;
    *buffer = 0;
    for (uint32_t i = 0, named = 0; i < s->count && named < 2; i++) {
        struct tac_frame f = frame_in(p, s, i);
        char words[160];
        if (f.is_ours || !is_in_a_file(&f) || (named && !*f.function))
            continue;
        int n = snprintf(buffer + used, size - used, "%s%s", named++ ? ", called by " : "",
                         tac_frame_text(&f, words, sizeof words));
        used = n > 0 && (size_t)n < size - used ? used + (size_t)n : size - 1;
    }
    return buffer;
}

bool tac_places_sampled(const struct tac_places *p, uint64_t address,
                        const struct tac_capture_kernel_stack *s, struct tac_frame *ret_frame)
{
    for (uint32_t i = 0; s && i < s->count; i++) {
        *ret_frame = frame_in(p, s, i);
        if (!ret_frame->is_ours && is_in_a_file(ret_frame))
            return true;
    }
    *ret_frame = frame_of(p, address, TAC_SYMBOL_EXACT);
    return is_in_a_file(ret_frame);
}

const char *tac_places_text(const struct tac_places *p, uint64_t address, char *buffer, size_t size)
{
    struct tac_frame f = frame_of(p, address, TAC_SYMBOL_RETURN);
    if (!is_in_a_file(&f))
        return "";
    return tac_frame_text(&f, buffer, size);
}
