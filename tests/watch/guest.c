/* SPDX-License-Identifier: MIT
 * guest.c - the program that the watch tests start with the library in front of it: one small
 * scenario per word. It exits with 0 when all went as it should for the program itself. */
#include "tactus/cycle.h"

#include <dlfcn.h>
#include <err.h>
#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <malloc.h>
#include <mqueue.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

static volatile size_t none; /* 0, unknown to the compiler */

/* Before main, as C++ constructors of global objects do. */
static char *early;
static __attribute__((constructor)) void allocate_early(void)
{
    early = strdup("early");
}

static int check_block(void *block, size_t alignment, size_t bytes)
{
    if (!block || (uintptr_t)block % alignment || malloc_usable_size(block) < bytes)
        return 1;
    memset(block, 0x5a, bytes);
    free(block);
    return 0;
}

/* Every function of the family, and their errors. */
static int family(void)
{
    int bad = strcmp(early, "early") != 0;
    free(early);
    void *p = NULL;
    bad += check_block(malloc(100), 16, 100);
    bad += check_block(calloc(10, 10), 16, 100);
    bad += check_block(reallocarray(malloc(10), 100, 10), 16, 1000);
    bad += check_block(memalign(256, 100), 256, 100);
    bad += check_block(aligned_alloc(64, 128), 64, 128);
    bad += posix_memalign(&p, 4096, 100) || check_block(p, 4096, 100);
    bad += check_block(valloc(100), 4096, 100);
    bad += check_block(pvalloc(100), 4096, 4096);
    bad += posix_memalign(&p, 24, 100) != EINVAL;
    errno = 0;
    bad += malloc((size_t)-1 / 2 - none) != NULL || errno != ENOMEM;
    errno = 0;
    bad += reallocarray(NULL, (size_t)-1 - none, 2) != NULL || errno != ENOMEM;
    char *text = realloc(strdup("kept"), 100000);
    bad += !text || strcmp(text, "kept") != 0;
    free(text);
    free(NULL);
    return bad;
}

static void *churn(void *unused)
{
    void *block[64] = {0};
    for (int i = 0; i < 20000; i++) {
        free(block[i % 64]);
        block[i % 64] = malloc((size_t)(i * 37 % 2000));
    }
    for (int i = 0; i < 64; i++)
        free(block[i]);
    return unused;
}

static int threads(void)
{
    for (int round = 0; round < 20; round++) {
        pthread_t thread[4];
        for (int i = 0; i < 4; i++)
            pthread_create(&thread[i], NULL, churn, NULL);
        for (int i = 0; i < 4; i++)
            pthread_join(thread[i], NULL);
    }
    return 0;
}

/* The child of a process with several threads goes on allocating and ends in each way. */
static int forks(void)
{
    pthread_t thread;
    int bad = 0;
    pthread_create(&thread, NULL, churn, NULL);
    for (int i = 0; i < 10; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            churn(NULL);
            if (i % 2)
                _exit(5);
            exit(5);
        }
        int status = 0;
        bad += waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 5;
    }
    pthread_join(thread, NULL);
    return bad;
}

static void sleep_ms(int ms)
{
    nanosleep(&(struct timespec){0, ms * 1000000L}, NULL);
}

/* A program with cycles of its own that does not record: record= does. Ten cycles, each with two
 * allocations and their frees; as many outside. */
static int cycles(void)
{
    if (tac_thread_register("guest", 0) < 0)
        return 1;
    int source = tac_cycle_source_open("loop", 2000000);
    for (int i = 0; i < 10; i++) {
        tac_cycle_begin(source, 0, 64);
        free(malloc(111 + none));
        free(malloc(222 + none));
        tac_cycle_end(source);
        free(malloc(333 + none));
        sleep_ms(1);
    }
    return 0;
}

/* Two places that take memory hundreds of times in each cycle, and two that do once, after them. */
static int busy_cycles(void)
{
    enum { CYCLES = 40, BLOCKS = 200 };
    void *block[BLOCKS], *last;
    if (tac_thread_register("guest", 1u << 16) < 0)
        return 1;
    int source = tac_cycle_source_open("loop", 2000000);
    for (int i = 0; i < CYCLES; i++) {
        tac_cycle_begin(source, 0, 64);
        for (int b = 0; b < BLOCKS; b++)
            block[b] = malloc(111 + none);
        for (int b = 0; b < BLOCKS; b++)
            free(block[b]);
        last = malloc(222 + none);
        free(last);
        tac_cycle_end(source);
        sleep_ms(1);
    }
    return 0;
}

/* cycles(), recorded by the program itself to the file named in GUEST_RECORDING. */
static int records_itself(void)
{
    struct tac_trace_config config = {.path = getenv("GUEST_RECORDING"), .fd = -1};
    if (tac_trace_start(&config) < 0)
        return 1;
    int bad = cycles();
    bad += tac_trace_stop() < 0;
    return bad;
}

/* One cycle with one of each kind of call; all must do their work. */
static int calls(void)
{
    char name[] = "/tmp/tactus-guest-XXXXXX", buffer[8] = "";
    int source = tac_cycle_source_open("loop", 2000000);
    if (tac_thread_register("guest", 0) < 0)
        return 1;
    int fd = mkstemp(name);
    printf("#"); /* the buffer of the stream is made outside */
    tac_cycle_begin(source, 0, 64);
    int bad = write(fd, "hello", 5) != 5;
    bad += pread(fd, buffer, 5, 0) != 5 || strcmp(buffer, "hello") != 0;
    int other = open(name, O_RDWR | O_CREAT, 0600);
    bad += other < 0 || close(other) != 0;
    bad += printf(" printed %d\n", 42) != 12;
    sleep_ms(1);
    void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bad += page == MAP_FAILED || munmap(page, 4096) != 0;
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    bad += pid < 0;
    tac_cycle_end(source);
    write(fd, "outside", 7);
    bad += waitpid(pid, NULL, 0) != pid;
    unlink(name);
    return bad;
}

static int end_c11(void *mutex_)
{
    return mtx_lock(mutex_) != thrd_success || mtx_unlock(mutex_) != thrd_success;
}

/* The same of the rarer ones; what they return is not looked at where it depends on the machine. */
static int rare_calls(void)
{
    char name[] = "/tmp/tactus-guest-XXXXXX", text[64] = "x", *line = NULL;
    struct iovec part = {text, 1};
    struct timespec little = {0, 1000};
    struct sockaddr_in here = {.sin_family = AF_INET};
    struct stat st;
    struct statx more;
    mtx_t c11;
    thrd_t thread;
    int source = tac_cycle_source_open("loop", 2000000), result = 1, number, on = 1;
    if (tac_thread_register("guest", 0) < 0 || mtx_init(&c11, mtx_plain) != thrd_success)
        return 1;
    int fd = mkstemp(name), event = eventfd(0, 0), nothing = open("/dev/null", O_RDWR);
    FILE *null = fdopen(nothing, "r+");
    int udp = socket(AF_INET, SOCK_DGRAM, 0), message = msgget(IPC_PRIVATE, 0600);
    size_t n = 0;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1);
    tac_cycle_begin(source, 0, 64);
    int bad = pwritev(fd, &part, 1, 0) != 1;
    bad += preadv(fd, &part, 1, 0) != 1;
    bad += posix_fallocate(fd, 0, 64) != 0;
    bad += eventfd_write(event, 3) || lockf(fd, F_TEST, 0);
    bad += fstatat(AT_FDCWD, name, &st, 0) || statx(AT_FDCWD, name, 0, STATX_SIZE, &more);
    bad += renameat(AT_FDCWD, "/tmp/tactus-nothing", AT_FDCWD, name) != -1;
    bad += fscanf(null, "%d", &number) != EOF || getdelim(&line, &n, ':', null) != -1;
    bad += fputs_unlocked("x", null) < 0 || fwprintf(null, L"") > 0;
    warnx("%s", "this is a test");
    error(0, 0, "%s", "this as well");
    bad += bind(udp, (struct sockaddr *)&here, sizeof here) ||
           setsockopt(udp, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    bad += getnameinfo((struct sockaddr *)&here, sizeof here, text, sizeof text, NULL, 0,
                       NI_NUMERICHOST) != 0;
    bad += thrd_sleep(&little, NULL) || sigtimedwait(&signals, NULL, &little) != -1;
    bad += waitid(P_ALL, 0, NULL, WEXITED | WNOHANG) != -1;
    bad += msgrcv(message, text, 8, 0, IPC_NOWAIT) != -1;
    bad += mq_unlink("/tactus-nothing") != -1;
    bad += thrd_create(&thread, end_c11, &c11) || thrd_join(thread, &result) || result;
    bad += mtx_lock(&c11) || mtx_unlock(&c11);
    bad += memfd_create("guest", 0) < 0;
    bad += dlclose(dlopen("libc.so.6", RTLD_NOW));
    bad += ioctl(nothing, _IOR('U', 10, long), &n) != -1;       /* a request of USB's */
    bad += syscall(SYS_futex, &on, 129, 1, NULL, NULL, 0) != 0; /* FUTEX_WAKE_PRIVATE */
    bad += syscall(SYS_gettid) <= 0 || syscall(SYS_fsync, fd) != 0;
    tac_cycle_end(source);
    free(line);
    msgctl(message, IPC_RMID, NULL);
    return bad + unlink(name);
}

/* One cycle with what may be called but is worth a note. */
static int notes(void)
{
    static pthread_cond_t nobody = PTHREAD_COND_INITIALIZER;
    pthread_mutex_t free_mutex = PTHREAD_MUTEX_INITIALIZER;
    sem_t sem;
    int source = tac_cycle_source_open("loop", 2000000);
    if (tac_thread_register("guest", 0) < 0 || sem_init(&sem, 0, 0))
        return 1;
    tac_cycle_begin(source, 0, 64);
    int bad = pthread_mutex_lock(&free_mutex) + pthread_mutex_unlock(&free_mutex);
    bad += pthread_mutex_trylock(&free_mutex) + pthread_mutex_unlock(&free_mutex);
    bad += sem_post(&sem) + sem_trywait(&sem);
    bad += sem_trywait(&sem) == 0 || errno != EAGAIN;
    bad += pthread_cond_signal(&nobody) + pthread_cond_broadcast(&nobody);
    bad += dlopen("libtactus-no-such-library.so", RTLD_NOW) != NULL;
    tac_cycle_end(source);
    return bad;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int step; /* under mutex */

static pthread_spinlock_t spin;
static sem_t sem;

/* One after the other, so that each wait of the cycle has its own length. */
static void *hold_locks(void *unused)
{
    pthread_mutex_lock(&mutex);
    pthread_rwlock_wrlock(&rwlock);
    pthread_spin_lock(&spin);
    sem_wait(&sem);
    __atomic_store_n(&step, 1, __ATOMIC_RELEASE);
    sleep_ms(20);
    pthread_rwlock_unlock(&rwlock);
    sleep_ms(20);
    pthread_mutex_unlock(&mutex);
    sleep_ms(20);
    pthread_spin_unlock(&spin);
    sleep_ms(20);
    sem_post(&sem);
    sleep_ms(20);
    pthread_mutex_lock(&mutex);
    step = 2;
    pthread_cond_signal(&cond);
    pthread_mutex_unlock(&mutex);
    return unused;
}

/* One cycle that waits for each kind of lock, held by another thread, and takes one that is free.
 */
static int locks(void)
{
    pthread_t holder;
    pthread_mutex_t free_mutex = PTHREAD_MUTEX_INITIALIZER;
    int source = tac_cycle_source_open("loop", 2000000);
    if (tac_thread_register("guest", 0) < 0 || sem_init(&sem, 0, 1) || pthread_spin_init(&spin, 0))
        return 1;
    pthread_create(&holder, NULL, hold_locks, NULL);
    while (!__atomic_load_n(&step, __ATOMIC_ACQUIRE))
        sleep_ms(1);
    tac_cycle_begin(source, 0, 64);
    int bad = pthread_rwlock_rdlock(&rwlock) + pthread_rwlock_unlock(&rwlock);
    bad += pthread_mutex_lock(&mutex) + pthread_mutex_unlock(&mutex);
    bad += pthread_spin_lock(&spin) + pthread_spin_unlock(&spin);
    bad += sem_wait(&sem) + sem_post(&sem);
    bad += pthread_mutex_lock(&mutex);
    while (step != 2)
        bad += pthread_cond_wait(&cond, &mutex);
    bad += pthread_mutex_unlock(&mutex);
    bad += pthread_mutex_lock(&free_mutex) + pthread_mutex_unlock(&free_mutex);
    tac_cycle_end(source);
    pthread_join(holder, NULL);
    return bad;
}

/* A plug-in in a scope of its own brings a library along that is wrapped: RTLD_NEXT does not see
 * it. */
static int local_scope(void)
{
    void *plugin = dlopen(getenv("GUEST_PLUGIN"), RTLD_NOW | RTLD_LOCAL);
    int (*play)(void) = plugin ? (int (*)(void))(uintptr_t)dlsym(plugin, "plugin_play") : NULL;
    return play ? play() : 1;
}

static int ends_by_exit(void)
{
    cycles();
    _exit(0);
}

static int ends_by_signal(void)
{
    cycles();
    sleep_ms(60); /* several drains */
    raise(SIGKILL);
    return 1;
}

static const struct {
    const char *word;
    int (*run)(void);
} scenarios[] = {
    {"family", family},         {"threads", threads},         {"forks", forks},
    {"cycles", cycles},         {"busy-cycles", busy_cycles}, {"records-itself", records_itself},
    {"calls", calls},           {"rare-calls", rare_calls},   {"notes", notes},
    {"locks", locks},           {"local-scope", local_scope}, {"exit", ends_by_exit},
    {"signal", ends_by_signal},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof scenarios / sizeof *scenarios; i++)
        if (!strcmp(argv[1], scenarios[i].word))
            return scenarios[i].run();
    return 99;
}
