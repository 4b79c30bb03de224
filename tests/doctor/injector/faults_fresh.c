/* SPDX-License-Identifier: MIT
 * faults_fresh.c - faults for the held-out part, of kinds that had no scenario before: a condition
 * variable whose signaller is kept from running, a callback that spins on a flag of such a thread,
 * a CPU quota of the group, and the program's own code dropped from memory. */
#include "injector.h"

#include "tactus/trace.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- beside a thread of middle priority ---- */

static void start_press(void)
{
    press(0);
}

/* Is kept from running until the strike should end, or longer by whoever, which is the fault too;
 * then does what `then` says. */
static void help_pressed(void (*then)(void))
{
    unsigned at = atomic_load(&tick) + 1;
    if (is_struck(at)) {
        uint64_t planned = release_of(at) + period_ns / 10 + strike_ns(at);
        wait_until(release_of(at) - period_ns / 8);
        press(planned);
        spin(period_ns / 4); /* the middle thread takes the CPU in here */
        then();
    }
    sleep_ns(period_ns / 8);
}

/* ---- a condition variable ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int is_ready;
static atomic_uint signaller;

static void signal_ready(void)
{
    pthread_mutex_lock(&mutex);
    is_ready = 1;
    atomic_store(&signaller, (unsigned)gettid());
    pthread_cond_signal(&cond);
    pthread_mutex_unlock(&mutex);
}

static void help_cond(void)
{
    help_pressed(signal_ready);
}

/* A helper that missed its moment is not waited for longer than this. */
enum { PATIENCE = 4 };

static void strike_cond(uint64_t want_ns)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    uint64_t end = (uint64_t)until.tv_nsec + PATIENCE * want_ns;
    until.tv_sec += (time_t)(end / 1000000000u);
    until.tv_nsec = (long)(end % 1000000000u);
    pthread_mutex_lock(&mutex);
    is_ready = 0;
    {
        TAC_ZONE_AT(TAC_CAT_CALL, 1, "pthread_cond_timedwait");
        while (!is_ready && !pthread_cond_timedwait(&cond, &mutex, &until))
            ;
        TAC_ZONE_VALUE(atomic_load(&signaller));
    }
    pthread_mutex_unlock(&mutex);
}

/* ---- a flag ---- */

static atomic_int flag;

static void raise_flag(void)
{
    atomic_store(&flag, 1);
}

static void help_flag(void)
{
    help_pressed(raise_flag);
}

static void strike_flag(uint64_t want_ns)
{
    uint64_t end = now() + PATIENCE * want_ns;
    atomic_store(&flag, 0);
    while (!atomic_load(&flag) && now() < end)
        ;
}

/* ---- a CPU quota ---- */

static void put_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        perror(path);
    if (fd >= 0)
        close(fd);
}

static char group[96];

static void leave_group(void)
{
    put_text("/sys/fs/cgroup/cpu/cgroup.procs", "0");
    rmdir(group);
}

/* The program may have 10 ms of each 100 ms: its normal threads stand still for the rest. */
static void prepare_quota(void)
{
    static const char *const setting[][2] = {{"cpu.cfs_period_us", "100000"},
                                             {"cpu.cfs_quota_us", "10000"}};
    char path[160];
    snprintf(group, sizeof group, "/sys/fs/cgroup/cpu/tactus-quota-%d", getpid());
    mkdir(group, 0755);
    atexit(leave_group);
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", group, setting[i][0]);
        put_text(path, setting[i][1]);
    }
    snprintf(path, sizeof path, "%s/cgroup.procs", group);
    put_text(path, "0");
}

/* ---- the program's own code ---- */

enum { PAGE = 4096, CODE_PAGES = 16384 };

static unsigned char *code;
static unsigned char resident[CODE_PAGES]; /* bit 0: still in memory after all */
static size_t code_used;

/* A file of one short function a page, mapped to be executed, and dropped from memory. */
static void prepare_code(void)
{
#if defined(__x86_64__)
    char path[] = "/var/tmp/tactus-injector-code-XXXXXX";
    unsigned char page[PAGE];
    memset(page, 0xc3, sizeof page); /* ret */
    int code_fd = mkstemp(path);
    unlink(path);
    for (int i = 0; i < CODE_PAGES; i++)
        if (write(code_fd, page, sizeof page) < 0)
            abort();
    fsync(code_fd);
    posix_fadvise(code_fd, 0, 0, POSIX_FADV_DONTNEED);
    posix_fadvise(code_fd, 0, 0, POSIX_FADV_RANDOM);
    code = mmap(NULL, (size_t)CODE_PAGES * PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, code_fd, 0);
    if (code == MAP_FAILED)
        abort();
    madvise(code, (size_t)CODE_PAGES * PAGE, MADV_RANDOM);
    mincore(code, (size_t)CODE_PAGES * PAGE, resident);
#endif
}

/* Functions that nobody called for long. */
static void strike_code(uint64_t want_ns)
{
    for (uint64_t end = now() + want_ns; code && now() < end && code_used + 16 < CODE_PAGES;
         code_used += 16) {
        void (*function)(void);
        if (resident[code_used] & 1)
            continue;
        *(void **)&function = code + code_used * PAGE;
        function();
    }
}

const struct fault faults_fresh[] = {
    {"cond", start_press, strike_cond, help_cond, 0},
    {"flag", start_press, strike_flag, help_flag, 0},
    {"quota", prepare_quota, NULL, NULL, FAULT_OUTSIDE | FAULT_NORMAL},
    {"code", prepare_code, strike_code, NULL, 0},
    {0},
};
