/* SPDX-License-Identifier: MIT
 * test_bound.c - no call of malloc or free runs more than a fixed number of instructions, whatever
 * the heap went through: counted by single-stepping, on the traces that make other allocators run
 * for milliseconds.
 *
 * Stepping is slow, so calls that will take the fast path (the test looks at the list first) run
 * unstepped and are counted by hot_calls_are_short; every call that leaves it is stepped. With a
 * number as second argument the traces are that many times longer; with "near" as third the arena
 * is of 1 GiB. Where an emulator's log is what counts (step.h) the traces are a part of that, the
 * limits are told to its reader, and walks over the whole heap are left out. */
#include "mem/heap.h"

#include "step.h"
#include "test.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>

/* What a call may cost. OWN: it needed nothing but what the thread has, its lists, slabs and spare
 * slabs. OTHER: it took units or gave them back, or met blocks that another thread freed or owns.
 * Which it was is told by the heap's numbers, not by the test. FIRST: a thread's first call, which
 * also takes a thread heap. Measured maxima are in docs/heap.md; in arenas beyond 1 GiB the trees
 * of hints have a level more. */
enum kind { OWN, OTHER, FIRST, RESIZE, HOT_MALLOC, HOT_FREE, KINDS };
static const char *const kind_name[KINDS] = {"own",    "other",      "first",
                                             "resize", "hot malloc", "hot free"};
static const long native_limits[KINDS] = {250, 400, 400, 400, 15, 20};
/* Compiled for any arm64: atomic operations are calls, which ask for the processor first. */
static const long logged_limits[KINDS] = {250, 510, 450, 465, 17, 27};
static const long *limits = native_limits;

static struct {
    long calls, sum, most;
} tally[KINDS];

static int scale = 1, part = 1;
static uint64_t seed = 88172645463325252u;

static uint64_t random_next(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* So long a trace here. */
static int scaled(int n)
{
    return n * scale / part;
}

static void *address_of(void (*function)(void))
{
    return (void *)(uintptr_t)function;
}

static void note(enum kind kind, long n)
{
    step_tell(kind);
    tally[kind].calls++;
    tally[kind].sum += n;
    tally[kind].most = n > tally[kind].most ? n : tally[kind].most;
}

/* function(a, b), counted. is_remote: it frees another thread's block. */
static uintptr_t count(void *function, uintptr_t a, uintptr_t b, bool is_remote)
{
    const struct tac_heap *heap = tac_thread.heap;
    uint64_t remote_frees = heap ? heap->counters.remote_frees : 0;
    size_t units = atomic_load(&tac_mem.taken_units);
    uintptr_t result;
    long n = step_call(function, a, b, &result);
    bool is_first = !heap;
    enum kind kind = is_first ? FIRST : OWN;
    if (!is_first && (is_remote || units != atomic_load(&tac_mem.taken_units) ||
                      (heap && heap->counters.remote_frees != remote_frees)))
        kind = OTHER;
    if (kind == OTHER && function == address_of((void (*)(void))tac_heap_realloc))
        kind = RESIZE;
    note(kind, n);
    return result;
}

static void *stepped_malloc(size_t bytes)
{
    bool fast = bytes <= TAC_CLASS_SMALL_BYTES && tac_heap_fast->of[(bytes + 15) / 16].list;
    if (fast)
        return tac_heap_malloc(bytes);
    return (void *)count(address_of((void (*)(void))tac_heap_malloc), bytes, 0,
                         false); /* NOLINT: from a register */
}

static void stepped_free(void *block)
{
    struct tac_place place = tac_place_of(block);
    bool fast = place.slab && atomic_load(&place.slab->owner) == (uintptr_t)tac_heap_fast &&
                place.slab->used > 1;
    if (fast) {
        tac_heap_free(block);
        return;
    }
    bool is_remote = place.slab && tac_slab_heap(place.slab) != tac_thread.heap;
    count(address_of((void (*)(void))tac_heap_free), (uintptr_t)block, 0, is_remote);
}

static void begin(void)
{
    memset(tally, 0, sizeof tally);
}

static void end(const char *name)
{
    printf("# %-12s", name);
    for (int k = 0; k < KINDS; k++)
        if (tally[k].calls)
            printf(" %s %ld: mean %ld max %ld;", kind_name[k], tally[k].calls,
                   tally[k].sum / tally[k].calls, tally[k].most);
    printf("\n");
    for (int k = 0; k < KINDS; k++)
        CHECK_MSG(tally[k].most <= limits[k], "%s %ld", kind_name[k], tally[k].most);
    CHECK(step_is_logged() || tac_heap_is_valid(NULL, 0) == 0);
}

static void hot_calls_are_short(void)
{
    const char *why = step_supported();
    if (why)
        SKIP(why);
    uintptr_t block, nothing;
    void *keep = tac_heap_malloc(64), *more = tac_heap_malloc(64);
    begin();
    /* one more: the PLT's jump */
    note(HOT_MALLOC, 1 + step_call(address_of((void (*)(void))tac_heap_malloc), 64, 0, &block));
    note(HOT_FREE, 1 + step_call(address_of((void (*)(void))tac_heap_free), block, 0, &nothing));
    end("hot");
    tac_heap_free(keep);
    tac_heap_free(more);
}

/* Live set of `live` blocks, random replacement. */
static void churn(size_t (*size)(void), int live, int operations)
{
    void **slot = calloc((size_t)live, sizeof *slot);
    for (int i = 0; i < operations; i++) {
        void **s = &slot[random_next() % (unsigned)live];
        if (*s)
            stepped_free(*s);
        *s = stepped_malloc(size());
    }
    for (int i = 0; i < live; i++)
        if (slot[i])
            stepped_free(slot[i]);
    free(slot);
}

static size_t small_size(void)
{
    return 4 + (size_t)(random_next() % 253);
}

static size_t power_size(void)
{
    return 16 + (size_t)(random_next() % (16ull << random_next() % 17));
}

static void small_churn_is_bounded(void)
{
    const char *why = step_supported();
    if (why)
        SKIP(why);
    begin();
    churn(small_size, 2500 / part, scaled(5000));
    end("small");
}

static void power_law_churn_is_bounded(void)
{
    const char *why = step_supported();
    if (why)
        SKIP(why);
    begin();
    churn(power_size, 150 / part, scaled(250));
    end("power");
}

static void many_small_frees_then_larger_sizes_are_bounded(void)
{
    const char *why = step_supported();
    if (why)
        SKIP(why);
    const int n = 100000 / part;
    void **slot = calloc((size_t)n, sizeof *slot);
    begin();
    for (int i = 0; i < n; i++)
        slot[i] = tac_heap_malloc(48);
    for (int i = 0; i < n; i++) {
        unsigned j = (unsigned)(random_next() % (unsigned)n);
        void *other = slot[i];
        slot[i] = slot[j];
        slot[j] = other;
    }
    for (int i = 0; i < n; i++)
        if (i > n - 3000 / part)
            stepped_free(slot[i]);
        else
            tac_heap_free(slot[i]);
    size_t sizes[] = {1500, 70000, 9000, 300000, 5000000, 20000000, 48, 9000, 1};
    for (int i = 0; i < 9; i++) {
        void *block = stepped_malloc(sizes[i]);
        CHECK(block);
        stepped_free(block);
    }
    end("consolidate");
    free(slot);
}

static void fragmented_arena_is_bounded(void)
{
    const char *why = step_supported();
    if (why)
        SKIP(why);
    enum { N = 4000 };
    const int n = N / part;
    void *slot[N];
    begin();
    for (int i = 0; i < n; i++)
        slot[i] = tac_heap_malloc(1024 + (size_t)(random_next() % 60000));
    for (int i = 0; i < n; i += 2)
        if (i < scaled(120))
            stepped_free(slot[i]);
        else
            tac_heap_free(slot[i]);
    for (int i = 0; i < n; i += 2)
        slot[i] = i < scaled(120) ? stepped_malloc(9000 + (size_t)(random_next() % 40000))
                                  : tac_heap_malloc(9000);
    for (int i = 0; i < n; i++)
        if (i < scaled(120))
            stepped_free(slot[i]);
        else
            tac_heap_free(slot[i]);
    end("fragmented");
}

static void *free_all(void *argument)
{
    void **slot = argument;
    for (; *slot; slot++)
        tac_heap_free(*slot);
    return NULL;
}

static void *step_some(void *argument)
{
    void **slot = argument;
    for (int i = 0; i < 100; i++)
        stepped_free(slot[i]);
    return free_all(slot + 100);
}

static void remote_backlog_is_bounded(void)
{
    const char *why = step_supported();
    if (why)
        SKIP(why);
    const int n = 100000 / part;
    void **slot = calloc((size_t)n + 1, sizeof *slot);
    begin();
    for (int i = 0; i < n; i++)
        slot[i] = tac_heap_malloc(i % 3 ? 48 : i % 700 + 1);
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, step_some, slot) == 0);
    pthread_join(thread, NULL);
    for (int i = 0; i < scaled(1600) && i < n; i++)
        slot[i] = stepped_malloc(i % 5 ? 48 : i % 3000 + 1);
    for (int i = 0; i < scaled(1600) && i < n; i++)
        stepped_free(slot[i]);
    end("remote");
    free(slot);
}

/* Threads that live at the same time, so that each takes another thread heap. */
enum { TOGETHER = 12 };
static pthread_barrier_t all_began;
static pthread_mutex_t in_turn = PTHREAD_MUTEX_INITIALIZER; /* a lost race is counted elsewhere */

static void *first_calls(void *argument)
{
    void *block[64];
    const size_t *first = argument;
    block[0] = stepped_malloc(*first);
    for (int i = 1; i < 64; i++)
        block[i] = stepped_malloc((size_t)i * 40 + 1);
    for (int i = 0; i < 64; i++)
        stepped_free(block[i]);
    return NULL;
}

/* The second call of some is the first that takes a thread heap. */
static void *first_calls_together(void *argument)
{
    const size_t *first = argument;
    void *block[3];
    pthread_mutex_lock(&in_turn);
    block[0] = stepped_malloc(*first);
    block[1] = stepped_malloc(100);
    block[2] = stepped_malloc(3000);
    pthread_mutex_unlock(&in_turn);
    pthread_barrier_wait(&all_began);
    pthread_mutex_lock(&in_turn);
    for (size_t i = 0; i < sizeof block / sizeof *block; i++)
        stepped_free(block[i]);
    pthread_mutex_unlock(&in_turn);
    return NULL;
}

static void new_threads_are_bounded(void)
{
    const char *why = step_supported();
    if (why)
        SKIP(why);
    static const size_t first[] = {1, 300, 2000, 16000, 50000, 200000, 70u << 20};
    enum { SIZES = sizeof first / sizeof *first };
    pthread_t thread[TOGETHER];
    begin();
    for (size_t i = 0; i < SIZES; i++) {
        REQUIRE(pthread_create(thread, NULL, first_calls, (void *)(uintptr_t)&first[i]) == 0);
        pthread_join(*thread, NULL);
    }
    pthread_barrier_init(&all_began, NULL, TOGETHER);
    for (size_t i = 0; i < TOGETHER; i++)
        REQUIRE(pthread_create(&thread[i], NULL, first_calls_together,
                               (void *)(uintptr_t)&first[i % SIZES]) == 0);
    for (size_t i = 0; i < TOGETHER; i++)
        pthread_join(thread[i], NULL);
    pthread_barrier_destroy(&all_began);
    end("threads");
}

/* ---- Sequences made to be bad ---- */

/* Every level of the span layer is split and completed, alone and beside a neighbour, in both
 * orders of free. */
static void splits_and_completions_are_bounded(void)
{
    const char *why = step_supported();
    if (why)
        SKIP(why);
    enum { K = 1024, M = 1024 * K };
    static const size_t sizes[] = {16, 20000,      57000,  500000, M - 16 * K,
                                   M,  M + 16 * K, 63 * M, 64 * M, 65 * M + 1};
    enum { N = sizeof sizes / sizeof *sizes };
    begin();
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            void *first = stepped_malloc(sizes[i]), *second = stepped_malloc(sizes[j]);
            REQUIRE(first && second);
            stepped_free((i + j) & 1 ? first : second);
            stepped_free((i + j) & 1 ? second : first);
        }
    end("levels");
}

/* The arena is full but for single units and single MiB, so that every set has members that come
 * and go. */
static void sparse_arena_is_bounded(void)
{
    const char *why = step_supported();
    if (why)
        SKIP(why);
    enum { N = 3000, UNIT = 16384 };
    static void *slot[N];
    const int n = N / part;
    begin();
    for (int i = 0; i < n; i++)
        slot[i] = tac_heap_malloc(UNIT * (size_t)(1 + random_next() % (i % 5 ? 9 : 70)));
    for (int i = 0; i < n; i += 2)
        tac_heap_free(slot[i]);
    for (int i = 0; i < scaled(180) && i < n; i += 2)
        slot[i] = stepped_malloc(UNIT * (size_t)(1 + random_next() % 12));
    for (int i = 0; i < n; i++)
        if (i < scaled(180)) {
            stepped_free(slot[i]);
        } else if (i & 1) {
            tac_heap_free(slot[i]);
        }
    end("sparse");
}

/* Would realloc leave the block where it is? Tried, and undone. */
static bool stays(void *block, size_t bytes)
{
    struct tac_place place = tac_place_of(block);
    size_t before = tac_place_bytes(&place);
    return tac_large_resize(tac_thread.heap, place.large, place.unit, bytes) &&
           tac_large_resize(tac_thread.heap, place.large, place.unit, before);
}

/* Moving is a malloc, a copy and a free. */
static void realloc_in_place(void *block, size_t bytes, int *times)
{
    if (!stays(block, bytes))
        return;
    void *function = address_of((void (*)(void))tac_heap_realloc);
    CHECK(count(function, (uintptr_t)block, bytes, false) == (uintptr_t)block);
    ++*times;
}

static void growth_in_place_is_bounded(void)
{
    const char *why = step_supported();
    if (why)
        SKIP(why);
    int grown = 0, shrunk = 0;
    begin();
    for (size_t bytes = 60000; bytes < 200u << 20; bytes += bytes / 2) {
        void *block = tac_heap_malloc(bytes);
        for (size_t more = bytes + 1; more < 4 * bytes; more += more / 5 + 16384)
            realloc_in_place(block, more, &grown);
        realloc_in_place(block, bytes / 2 + 20000, &shrunk);
        tac_heap_free(block);
    }
    CHECK(grown > 20 && shrunk > 10);
    end("resize");
}

static void aligned_blocks_are_bounded(void)
{
    const char *why = step_supported();
    if (why)
        SKIP(why);
    begin();
    for (unsigned shift = 5; shift <= 26; shift++)
        for (size_t bytes = 100; bytes < 10u << 20; bytes *= 81) {
            size_t alignment = (size_t)1 << shift;
            uintptr_t block =
                count(address_of((void (*)(void))tac_heap_aligned_alloc), alignment, bytes, false);
            REQUIRE(block && !(block & (alignment - 1)));
            stepped_free((void *)block); /* NOLINT: from a register */
        }
    end("aligned");
}

/* Aligned blocks amid others have a limit of their own. */
enum { ALIGNED_LIMIT = 450 };
static long aligned_most[2]; /* of slabs, of whole units */

static void *stepped_aligned(size_t alignment, size_t bytes)
{
    uintptr_t block;
    long n =
        step_call(address_of((void (*)(void))tac_heap_aligned_alloc), alignment, bytes, &block);
    long *most = &aligned_most[tac_place_of((void *)block).large != NULL]; /* NOLINT: a register */
    *most = n > *most ? n : *most;
    return (void *)block; /* NOLINT: from a register */
}

/* Aligned blocks and others in turn, so that slabs are begun, filled and emptied by both, while
 * another thread frees some of them. */
static void aligned_churn_is_bounded(void)
{
    const char *why = step_supported();
    if (why || step_is_logged())
        SKIP(why ? why : "its limit is told for native code");
    enum { LIVE = 600, SENT = 300 };
    static void *slot[LIVE], *sent[SENT + 1];
    int waiting = 0;
    begin();
    for (int i = 0; i < scaled(6000); i++) {
        void **s = &slot[random_next() % (LIVE / (unsigned)part)];
        if (*s && waiting < SENT && i % 3 == 0)
            sent[waiting++] = *s;
        else if (*s)
            i % 4 ? tac_heap_free(*s) : stepped_free(*s);
        size_t bytes = 1 + (size_t)(random_next() % (16ull << random_next() % 15));
        size_t alignment = (size_t)32 << random_next() % 12;
        *s = random_next() % 4 ? tac_heap_malloc(bytes) : stepped_aligned(alignment, bytes);
        if (waiting < SENT)
            continue;
        pthread_t thread;
        REQUIRE(pthread_create(&thread, NULL, free_all, sent) == 0);
        pthread_join(thread, NULL);
        waiting = 0;
    }
    sent[waiting] = NULL;
    free_all(sent);
    for (int i = 0; i < LIVE; i++)
        tac_heap_free(slot[i]);
    printf("# with aligned of slabs: max %ld; of whole units: max %ld\n", aligned_most[0],
           aligned_most[1]);
    CHECK(aligned_most[0] && aligned_most[0] <= ALIGNED_LIMIT);
    CHECK(aligned_most[1] && aligned_most[1] <= ALIGNED_LIMIT);
    end("with aligned");
}

/* The empty call is told as what is behind the last kind. */
static void count_in_log(void)
{
    uintptr_t value;
    step_tell(KINDS + 1);
    step_call(address_of((void (*)(void))step_nothing), 0, 0, &value);
    step_tell(KINDS);
    struct tac_heap_config config;
    tac_heap_config_init(&config, (size_t)1 << 29);
    config.populate_bytes = 0;
    config.lock = TAC_HEAP_LOCK_NO;
    tac_heap_open(&config);
    part = 100;
    limits = logged_limits;
    for (int k = 0; k < KINDS; k++)
        printf("# limit %d %ld %s\n", k, limits[k], kind_name[k]);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    if (argc > 2)
        scale = atoi(argv[2]);
    /* the reservation takes half of the address space that there is */
    struct rlimit space;
    getrlimit(RLIMIT_AS, &space);
    space.rlim_cur = space.rlim_max < (rlim_t)2 << 30 ? space.rlim_max : (rlim_t)2 << 30;
    bool near = argc > 3 && strcmp(argv[3], "near") == 0;
    if (near && setrlimit(RLIMIT_AS, &space))
        perror("# the address space cannot be limited");
    if (step_is_logged())
        count_in_log();
    tac_heap_thread_attach();
    TEST(hot_calls_are_short);
    TEST(small_churn_is_bounded);
    TEST(power_law_churn_is_bounded);
    TEST(many_small_frees_then_larger_sizes_are_bounded);
    TEST(fragmented_arena_is_bounded);
    TEST(remote_backlog_is_bounded);
    TEST(new_threads_are_bounded);
    TEST(splits_and_completions_are_bounded);
    TEST(sparse_arena_is_bounded);
    TEST(growth_in_place_is_bounded);
    TEST(aligned_blocks_are_bounded);
    TEST(aligned_churn_is_bounded);
    return test_end();
}
