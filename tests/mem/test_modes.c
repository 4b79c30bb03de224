/* SPDX-License-Identifier: MIT
 * test_modes.c - how the heap opens and what it does at its edges: every mode, limits of the
 * process, and every system call of the opening failing in turn. Each in a child of its own, since
 * a process opens its heap once. Linked with --wrap for the calls that are made to fail. */
#include "tactus/mem.h"

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KIB = 1024, MIB = 1024 * KIB };

/* ---- system calls that fail at the n-th call ---- */

static int calls_left = -1; /* -1: none fails */

static int fails(void)
{
    return calls_left >= 0 && calls_left-- == 0;
}

#define WRAP(result, name, bad, parameters, arguments)                                             \
    result __real_##name parameters;                                                               \
    result __wrap_##name parameters;                                                               \
    result __wrap_##name parameters                                                                \
    {                                                                                              \
        if (fails())                                                                               \
            return errno = ENOMEM, bad;                                                            \
        return __real_##name arguments;                                                            \
    }

WRAP(void *, mmap, MAP_FAILED, (void *a, size_t n, int p, int f, int d, off_t o),
     (a, n, p, f, d, o))
WRAP(int, mprotect, -1, (void *a, size_t n, int p), (a, n, p))
WRAP(int, mlock, -1, (const void *a, size_t n), (a, n))
WRAP(int, munlock, -1, (const void *a, size_t n), (a, n))
WRAP(int, madvise, -1, (void *a, size_t n, int advice), (a, n, advice))

/* ---- children ---- */

static char said[4096]; /* by the last child on standard error */

static int in_child(int (*body)(const char *text), const char *text)
{
    int pipes[2];
    if (pipe(pipes))
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        alarm(60);
        dup2(pipes[1], STDERR_FILENO);
        _exit(body(text));
    }
    close(pipes[1]);
    size_t n = 0;
    for (ssize_t got; (got = read(pipes[0], said + n, sizeof said - 1 - n)) > 0;)
        n += (size_t)got;
    said[n] = 0;
    close(pipes[0]);
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int open_with(const char *text)
{
    struct tac_heap_config config;
    tac_heap_config_init(&config, 0);
    int r = tac_heap_config_parse(&config, text, NULL);
    return r ? r : tac_heap_open(&config);
}

/* 0: blocks of all kinds can be had and are writable. */
static int works(void)
{
    for (size_t bytes = 1; bytes < 3 * MIB; bytes = bytes * 3 + 1) {
        char *block = tac_heap_malloc(bytes);
        if (!block)
            return 1;
        memset(block, 1, bytes);
        block = tac_heap_realloc(block, bytes * 2);
        if (!block)
            return 2;
        tac_heap_free(block);
    }
    return tac_heap_is_valid(NULL, 0) ? 3 : 0;
}

static size_t fill(size_t bytes)
{
    size_t n = 0;
    while (tac_heap_malloc(bytes))
        n++;
    return n;
}

/* Of the calling thread: the helper's own are what it is for. */
static long faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_minflt;
}

/* ---- configuration ---- */

static void every_word_is_read(void)
{
    struct tac_heap_config c;
    struct tac_error err;
    tac_heap_config_init(&c, 0);
    CHECK(c.lock == TAC_HEAP_LOCK_NO && c.full == TAC_HEAP_FULL_GROW && c.ahead_bytes);
    CHECK(tac_heap_config_parse(&c, "size=64M", &err) == 0);
    CHECK(c.lock == TAC_HEAP_LOCK_TRY && c.full == TAC_HEAP_FULL_FAIL && c.size_bytes == 64 * MIB);
    CHECK(tac_heap_config_parse(&c,
                                "populate=1K,ahead=2M,reserve=3m,low=4,threads=9,lock=yes,"
                                "full=reserve,huge=yes,outside=yes,stats=full",
                                &err) == 0);
    CHECK(c.populate_bytes == 1024 && c.ahead_bytes == 2 * MIB && c.reserve_bytes == 3 * MIB);
    CHECK(c.low_bytes == 4 && c.threads == 9 && c.lock == TAC_HEAP_LOCK_YES);
    CHECK(c.full == TAC_HEAP_FULL_RESERVE && c.huge && c.outside && c.stats_exit == 2);
}

static void order_of_words_means_nothing(void)
{
    static const char *const texts[] = {"size=64M,lock=no,full=grow", "lock=no,full=grow,size=64M",
                                        "full=grow,size=64M,lock=no"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct tac_heap_config c;
        tac_heap_config_init(&c, 0);
        CHECK(tac_heap_config_parse(&c, texts[i], NULL) == 0);
        CHECK_MSG(c.lock == TAC_HEAP_LOCK_NO && c.full == TAC_HEAP_FULL_GROW, "%s", texts[i]);
    }
}

static void wrong_words_are_counted(void)
{
    struct tac_heap_config c;
    struct tac_error err;
    tac_heap_config_init(&c, 0);
    CHECK(tac_heap_config_parse(&c, "foo,low=7,bar=1,huge=2", &err) < 0 && c.low_bytes == 7);
    CHECK_MSG(strstr(err.text, "'foo' (and 2 more)"), "%s", err.text);
}

static void wrong_words_are_named_and_ignored(void)
{
    static const char *const wrong[] = {
        "size=abc",
        "size=",
        "size=1K",
        "size=-5M",
        "size=65G",
        "size=99999999999999999999G",
        "lock=2",
        "full=",
        "threads=0",
        "threads=999999",
        "colour=red",
        "huge=maybe",
        "size",
        "=",
        "reserve=1T",
        "stats=never",
        "lock=yes ",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=1",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct tac_heap_config c, untouched;
        struct tac_error err;
        char text[200];
        tac_heap_config_init(&c, 0);
        tac_heap_config_init(&untouched, 0);
        untouched.low_bytes = 7;
        snprintf(text, sizeof text, "%s,low=7", wrong[i]);
        CHECK_MSG(tac_heap_config_parse(&c, text, &err) < 0, "%s", wrong[i]);
        char name[24];
        snprintf(name, sizeof name, "%.20s", wrong[i]);
        CHECK_MSG(strstr(err.text, name) && !strchr(err.text, '\n'), "%s", err.text);
        CHECK_MSG(!memcmp(&c, &untouched, sizeof c), "%s", wrong[i]);
    }
}

/* ---- modes ---- */

static int real_time(const char *text)
{
    struct tac_heap_stats s;
    if (open_with(text) < 0)
        return 1;
    tac_heap_stats_get(&s);
    if (s.populated_bytes != s.arena_bytes || s.arena_bytes != 16 * MIB)
        return 2;
    tac_heap_free(tac_heap_malloc(1)); /* the page of this function's stack, too */
    long before = faults();
    for (int i = 0; i < 1000; i++)
        memset(tac_heap_malloc((size_t)i * 16 + 1), 1, (size_t)i * 16 + 1);
    if (!test_emulated() && faults() - before > 2)
        return 3;
    errno = 0;
    fill(100 * KIB);
    return !tac_heap_malloc(100 * KIB) && errno == ENOMEM ? 0 : 4;
}

static void sized_heap_is_populated_and_strict(void)
{
    int code = in_child(real_time, "size=16M,lock=try");
    CHECK_MSG(code == 0, "%d", code);
    code = in_child(real_time, "size=16M,lock=no,huge=yes");
    CHECK_MSG(code == 0, "%d with huge pages", code);
}

static int grows(const char *text)
{
    if (open_with(text) < 0)
        return 1;
    for (int i = 0; i < 20; i++)
        if (!tac_heap_malloc(MIB))
            return 2;
    return 0;
}

static void full_arena_fails_or_grows(void)
{
    CHECK(in_child(grows, "size=8M,lock=no,full=grow") == 0);
    CHECK(in_child(grows, "size=8M,lock=no,full=fail") == 2);
    CHECK(in_child(grows, "size=8M,lock=no") == 2);
    CHECK(in_child(grows, "") == 0);
}

static int keeps_reserve(const char *text)
{
    struct tac_heap_stats s;
    if (open_with(text) < 0)
        return 1;
    fill(64 * KIB);
    tac_heap_stats_get(&s);
    if (s.arena_bytes - s.taken_bytes < 2 * MIB)
        return 2;
    if (tac_heap_thread_real_time(1) || !tac_heap_malloc(MIB))
        return 3;
    tac_heap_thread_real_time(0);
    return tac_heap_malloc(64 * KIB) ? 4 : 0;
}

static void reserve_is_for_real_time_threads(void)
{
    int code = in_child(keeps_reserve, "size=8M,lock=no,full=reserve,reserve=2M");
    CHECK_MSG(code == 0, "%d", code);
}

static int keeps_default_reserve(const char *text)
{
    struct tac_heap_stats s;
    if (open_with(text) < 0)
        return 1;
    tac_heap_stats_get(&s);
    return s.reserve_bytes / (512 * KIB) > 100 ? 100 : (int)(s.reserve_bytes / (512 * KIB));
}

/* An eighth where none is named, half where more is. */
static void reserve_leaves_something(void)
{
    CHECK(in_child(keeps_default_reserve, "size=8M,lock=no,full=reserve") == 2);
    CHECK(in_child(keeps_default_reserve, "size=8M,lock=no,reserve=8M") == 8);
}

/* ---- what cannot be ---- */

static struct tac_heap_config asked;

static int is_refused(const char *code)
{
    int r = tac_heap_open(&asked);
    if (r != -atoi(code))
        return 1;
    return r == -EINVAL ? works() : 0; /* as if nobody had asked */
}

static void ask(size_t bytes)
{
    tac_heap_config_init(&asked, bytes);
    asked.lock = TAC_HEAP_LOCK_NO;
}

static void what_cannot_be_is_refused(void)
{
    char invalid[8], no_memory[8];
    snprintf(invalid, sizeof invalid, "%d", EINVAL);
    snprintf(no_memory, sizeof no_memory, "%d", ENOMEM);
    ask(0);
    asked.threads = 4097;
    CHECK(in_child(is_refused, invalid) == 0);
    ask(SIZE_MAX);
    asked.populate_bytes = 0;
    CHECK(in_child(is_refused, invalid) == 0);
    ask(16 * MIB);
    asked.full = (enum tac_heap_full)77;
    CHECK(in_child(is_refused, invalid) == 0);
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    uint64_t more = (uint64_t)pages * (uint64_t)page * 5 / 4;
    uint64_t most = sizeof(void *) == 4 ? (uint64_t)1 << 31 : (uint64_t)1 << 36;
    if (more > most)
        return;
    ask((size_t)more);
    CHECK(in_child(is_refused, no_memory) == 0);
}

static int says(const char *text)
{
    setenv("TACTUS_HEAP", text, 1);
    return works();
}

static int counts_itself_once(const char *text)
{
    struct tac_heap_stats s;
    int r = says(text);
    tac_heap_stats_get(&s);
    return r ? r : s.threads == 1 ? 0 : 99;
}

static void thread_that_opens_the_heap_is_one(void)
{
    int code = in_child(counts_itself_once, "");
    CHECK_MSG(code == 0, "%d", code);
}

static void what_is_not_done_is_said(void)
{
    CHECK(in_child(says, "lock=yes") == 0);
    CHECK_MSG(strstr(said, "lock=yes") && strchr(said, '\n') == strrchr(said, '\n'), "%s", said);
    CHECK(in_child(says, "size=64M,lock=no,reserve=64M") == 0);
    CHECK_MSG(strstr(said, "32 MiB") && strchr(said, '\n') == strrchr(said, '\n'), "%s", said);
    CHECK(in_child(says, "size=64M,lock=no,reserve=32M") == 0 && !*said);
}

static void count_call(void *user)
{
    ++*(int *)user;
}

static int warns(const char *text)
{
    int calls = 0;
    void *block[16];
    if (open_with(text) < 0)
        return 1;
    tac_heap_low_water_set(4 * MIB, count_call, &calls);
    for (int round = 1; round <= 3; round++) {
        for (int i = 0; i < 14; i++)
            block[i] = tac_heap_malloc(MIB);
        if (calls != round)
            return 2;
        for (int i = 0; i < 14; i++)
            tac_heap_free(block[i]);
        tac_heap_free(tac_heap_malloc(MIB)); /* far above the mark: armed again */
    }
    struct tac_heap_stats s;
    tac_heap_stats_get(&s);
    return s.low_crossings == 3 && s.low_bytes == 4 * MIB ? 0 : 3;
}

static void low_water_calls_once_and_is_armed_again(void)
{
    int code = in_child(warns, "size=16M,lock=no");
    CHECK_MSG(code == 0, "%d", code);
}

/* ---- the helper ---- */

static int is_helped(const char *text)
{
    struct tac_heap_stats s;
    if (open_with(text) < 0 || tac_heap_helper_start() || tac_heap_helper_start())
        return 1;
    for (int i = 0;; i++) {
        tac_heap_stats_get(&s);
        if (s.ahead_bytes >= 4 * MIB)
            break;
        if (i == 1000)
            return 2;
        usleep(10000);
    }
    tac_heap_free(tac_heap_malloc(1));
    long before = faults();
    char *block = tac_heap_malloc(3 * MIB);
    memset(block, 1, 3 * MIB);
    return faults() - before < 50 ? 0 : 3; /* 768 pages */
}

static void helper_populates_ahead(void)
{
    if (test_emulated())
        SKIP("faults are the emulator's");
    int code = in_child(is_helped, "ahead=4M");
    CHECK_MSG(code == 0, "%d", code);
}

/* ---- pages ---- */

/* The kernel's flags of the mapping that the address lies in, or "". */
static void flags_of(const void *address, char flags[256])
{
    char line[512];
    bool inside = false;
    FILE *file = fopen("/proc/self/smaps", "r");
    flags[0] = 0;
    while (file && !*flags && fgets(line, sizeof line, file)) {
        uintptr_t begin, end;
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &begin, &end) == 2)
            inside = (uintptr_t)address >= begin && (uintptr_t)address < end;
        if (inside && !strncmp(line, "VmFlags:", 8))
            snprintf(flags, 256, "%.255s", line + 8);
    }
    if (file)
        fclose(file);
}

/* Of the first MiB of the arena, of what lies 16 MiB further, and of the tables' end, which is the
 * other half of the first MiB's huge page, as two bits each: huge pages asked for, or refused. */
static int pages(const char *text)
{
    if (open_with(text) < 0)
        return 99;
    static const ptrdiff_t from_block[] = {0, 16 * MIB, -(ptrdiff_t)MIB};
    int code = 0;
    for (int i = 0; i < 3; i++) {
        char flags[256];
        flags_of((char *)tac_heap_malloc(1) + from_block[i], flags);
        if (!*flags)
            return 99;
        code |= (strstr(flags, " hg") ? 1 : strstr(flags, " nh") ? 2 : 0) << 2 * i;
    }
    return code;
}

static void pages_are_huge_where_they_pay(void)
{
    if (test_emulated() || access("/sys/kernel/mm/transparent_hugepage/enabled", F_OK))
        SKIP("no huge pages here");
    int code = in_child(pages, ""), lazy = sysconf(_SC_PAGESIZE) == 4096 ? 0x26 : 0x2a;
    CHECK_MSG(code == lazy, "%x without a size", code);
    code = in_child(pages, "huge=no");
    CHECK_MSG(code == 0, "%x without any", code);
    code = in_child(pages, "huge=yes");
    CHECK_MSG(code == 0x15, "%x with all", code);
    code = in_child(pages, "size=2M,lock=no,full=grow");
    CHECK_MSG(code == 0x2a, "%x where real-time work grows", code);
}

/* ---- limits of the process ---- */

static int limited(int resource, size_t bytes)
{
    struct rlimit limit = {bytes, bytes};
    return setrlimit(resource, &limit);
}

static int short_address_space(const char *text)
{
    if (limited(RLIMIT_AS, 400 * MIB))
        return 1;
    setenv("TACTUS_HEAP", text, 1);
    return works();
}

static void address_space_limit_is_honoured(void)
{
    CHECK(in_child(short_address_space, "") == 0);
    CHECK(!*said);
    CHECK(in_child(short_address_space, "size=1G") == 1); /* no block can be had */
    CHECK_MSG(strstr(said, "cannot map 1024 MiB") && strchr(said, '\n') == strrchr(said, '\n'),
              "%s", said);
}

static int no_locking(const char *text)
{
    if (limited(RLIMIT_MEMLOCK, 0) || (geteuid() == 0 && setuid(65534)))
        return 99;
    setenv("TACTUS_HEAP", text, 1);
    return works();
}

static void locked_memory_limit_is_honoured(void)
{
    int code = in_child(no_locking, "size=16M,lock=yes");
    if (code == 99)
        SKIP("limits cannot be set here");
    CHECK_MSG(code == 0, "%d", code);
    CHECK_MSG(strstr(said, "cannot lock 16 MiB") && strchr(said, '\n') == strrchr(said, '\n'), "%s",
              said);
    CHECK(in_child(no_locking, "size=16M,lock=try") == 0 && !*said);
}

/* ---- the n-th call fails ---- */

static int opens_or_says(const char *text)
{
    setenv("TACTUS_HEAP", text, 1);
    void *block = tac_heap_malloc(100);
    int left = calls_left;
    calls_left = -1;
    if (!block) {
        struct tac_heap_stats s;
        tac_heap_stats_get(&s);
        return errno == ENOMEM && !s.arena_bytes && !tac_heap_calloc(1, 1) &&
                       tac_heap_thread_attach() == -ENOMEM && tac_heap_is_valid(NULL, 0) == 0
                   ? 10
                   : 11;
    }
    int r = works();
    return r ? r : left >= 0 ? 12 : 0; /* 12: so many calls are not made */
}

static void every_failing_call_is_survived(void)
{
    static const char *const modes[] = {"", "size=16M,lock=yes,huge=yes", "size=16M,lock=no"};
    for (int mode = 0; mode < 3; mode++) {
        int code = 0, n = 0, failed = 0;
        for (; code != 12 && n < 64; n++) {
            calls_left = n;
            code = in_child(opens_or_says, modes[mode]);
            calls_left = -1;
            CHECK_MSG(code == 0 || code == 10 || code == 12, "%s: call %d: %d %s", modes[mode], n,
                      code, said);
            if (code == 10)
                CHECK_MSG(strstr(said, "cannot map"), "%s", said);
            failed += code == 10;
        }
        CHECK_MSG(n > 2 && n < 64 && (mode == 0 || failed), "%d calls", n);
    }
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    unsetenv("TACTUS_HEAP");
    TEST(every_word_is_read);
    TEST(wrong_words_are_named_and_ignored);
    TEST(wrong_words_are_counted);
    TEST(order_of_words_means_nothing);
    TEST(sized_heap_is_populated_and_strict);
    TEST(full_arena_fails_or_grows);
    TEST(reserve_is_for_real_time_threads);
    TEST(reserve_leaves_something);
    TEST(what_cannot_be_is_refused);
    TEST(what_is_not_done_is_said);
    TEST(thread_that_opens_the_heap_is_one);
    TEST(low_water_calls_once_and_is_armed_again);
    TEST(helper_populates_ahead);
    TEST(pages_are_huge_where_they_pay);
    TEST(address_space_limit_is_honoured);
    TEST(locked_memory_limit_is_honoured);
    TEST(every_failing_call_is_survived);
    return test_end();
}
