/* SPDX-License-Identifier: MIT
 * test_first_event.c - the real-time law on a traced thread, from its very first event on, by trap:
 * no allocation, no lock, no system call, no page fault.
 *
 * The program starts itself anew for each case, so that nothing was run or touched before. In the
 * child a thread registers and then come every kind of event, more than its ring holds: once
 * between two readings of its page faults, once under a filter of system calls with traps in malloc
 * and pthread_mutex_lock. A breach ends the child with a code of its own; planted ones show that
 * each trap works. */
#include "tactus/cycle.h"
#include "tactus/lock.h"

#include "test.h"
#include "trap.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__x86_64__) && !TAC_SANITIZED
enum { TRAPPED_LOCK = 44, SETUP = 46, ROUNDS = 2000, CODE_BYTES = 16384 };

enum breach { NOTHING, HEAP, LOCK, CALL, FAULT };

static _Thread_local volatile int locks_forbidden; /* to this thread: the helper may */
static int (*real_lock)(pthread_mutex_t *);

/* In front of libc's; the recorder is linked into this program, so its calls come here too. */
int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    if (locks_forbidden)
        syscall(SYS_exit_group, TRAPPED_LOCK);
    if (!real_lock)
        *(void **)&real_lock = dlsym(RTLD_NEXT, "pthread_mutex_lock");
    return real_lock(mutex);
}

static int source;
static struct tac_lock lock;

/* Every event there is. */
static __attribute__((noinline)) void emit_everything(void)
{
    static const struct tac_trace_site site = {"text", NULL, NULL, NULL, 0, TAC_CAT_APP, 1, {0, 0}};
    void *pc[3] = {&lock, &lock, &lock};
    TAC_CYCLE_BEGIN(source, 1, 64);
    {
        TAC_ZONE("outer");
        TAC_ZONE_NAMED(inner, TAC_CAT_NODE, 1, "inner");
        TAC_ZONE_VALUE_OF(inner, 77);
        TAC_ZONE_TEXT_OF(inner, &site);
        TAC_PLOT("load", "%", 12.5);
        TAC_MESSAGE("hello", 5);
        TAC_TEXT("made at run time", 16);
        tac_trace_stack(pc, 3);
    }
    TAC_MEMORY(TAC_MEMORY_ALLOC, &lock, NULL, 8, tac_trace_counter());
    TAC_MEMORY(TAC_MEMORY_REALLOC, &lock, &lock, 8, tac_trace_counter());
    TAC_LOCK_WAITED(&lock, 1, tac_trace_counter());
    TAC_FLOW(TAC_FLOW_STEP, 1);
    TAC_CYCLE_END(source);
}

static void commit(enum breach breach, char *fresh)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    if (breach == HEAP)
        breach_heap();
    if (breach == LOCK)
        pthread_mutex_lock(&mutex);
    if (breach == CALL)
        (void)!getppid();
    if (breach == FAULT)
        *(volatile char *)fresh = 1;
}

/* This program's own code, constants and stack are its own matter: fault them in, as a real-time
 * program does. What the recorder needs is left alone. */
static __attribute__((noinline)) void touch_own(void)
{
    volatile char stack[16384];
    for (size_t i = 0; i < sizeof stack; i += 1024)
        stack[i] = 1;
    uintptr_t page = (uintptr_t)emit_everything & ~(uintptr_t)4095;
    madvise((void *)page, CODE_BYTES, MADV_POPULATE_READ);
}

struct law {
    enum breach breach;
    int counts_faults;
};

static void *obey(void *arg)
{
    const struct law *law = arg;
    char *fresh = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    touch_own();
    if (tac_thread_register("lawful", 1024))
        _exit(SETUP);
    long before = law->counts_faults ? faults() : 0;
    if (!law->counts_faults) {
        heap_forbidden = locks_forbidden = 1;
        if (forbid_system_calls())
            syscall(SYS_exit_group, NO_FILTER);
    }
    for (int i = 0; i < ROUNDS; i++) /* more than the ring holds: drops are lawful too */
        emit_everything();
    commit(law->breach, fresh);
    syscall(SYS_exit_group, law->counts_faults && faults() != before ? TRAPPED_FAULT : 0);
    return NULL;
}

/* In the child. */
static int be_lawful(const char *text)
{
    struct law law = {(enum breach)(text[0] - '0'), text[1] == 'f'};
    pthread_t thread;
    source = tac_cycle_source_open("law", 0);
    int null = open("/dev/null", O_WRONLY);
    alarm(20);
    if (null < 0 || tac_trace_start(&(struct tac_trace_config){.fd = null}) ||
        pthread_create(&thread, NULL, obey, &law))
        return SETUP;
    pthread_join(thread, NULL);
    return SETUP;
}

/* Exit code of a child, or 128 + its signal. */
static int run(enum breach breach, int counts_faults)
{
    char text[3] = {(char)('0' + breach), counts_faults ? 'f' : 'c', 0};
    char name[] = "test_first_event", child[] = "--child";
    char *argv[] = {name, child, text, NULL};
    pid_t pid;
    int status = 0;
    if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ))
        return -1;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void the_first_and_every_event_is_lawful(void)
{
    int code = run(NOTHING, 0);
    if (code == NO_FILTER)
        SKIP("the kernel refuses a system-call filter here");
    CHECK_MSG(code == 0, "%s",
              code == TRAPPED_HEAP   ? "calls the heap"
              : code == TRAPPED_LOCK ? "takes a lock"
              : code == 128 + SIGSYS ? "makes a system call"
                                     : "dies");
}

static void the_first_and_every_event_is_without_a_fault(void)
{
    if (test_emulated())
        SKIP("an emulator faults by itself");
    int code = run(NOTHING, 1);
    CHECK_MSG(code == 0, "%s", code == TRAPPED_FAULT ? "faults" : "dies");
}

static void planted_breaches_are_caught(void)
{
    if (test_emulated())
        SKIP("an emulator faults and calls the kernel by itself");
    int heap = run(HEAP, 0), held = run(LOCK, 0), call = run(CALL, 0), fault = run(FAULT, 1);
    if (heap == NO_FILTER)
        SKIP("the kernel refuses a system-call filter here");
    CHECK_MSG(heap == TRAPPED_HEAP, "%d", heap);
    CHECK_MSG(held == TRAPPED_LOCK, "%d", held);
    CHECK_MSG(call == 128 + SIGSYS, "%d", call);
    CHECK_MSG(fault == TRAPPED_FAULT, "%d", fault);
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "--child"))
        return be_lawful(argv[2]);
    test_begin(argc, argv);
    TEST(the_first_and_every_event_is_lawful);
    TEST(the_first_and_every_event_is_without_a_fault);
    TEST(planted_breaches_are_caught);
    return test_end();
}
#else
static void the_first_and_every_event_is_lawful(void)
{
    SKIP("the traps are written for x86-64, and not for sanitizers");
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(the_first_and_every_event_is_lawful);
    return test_end();
}
#endif
