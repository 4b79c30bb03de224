/* SPDX-License-Identifier: MIT
 * hazards.c - a program that does what has broken preload libraries: one scenario per word. It
 * exits with 0 when all went as it should for the program itself. */
#include "tactus/cycle.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile size_t none; /* 0, unknown to the compiler */

static void sleep_ms(int ms)
{
    nanosleep(&(struct timespec){0, ms * 1000000L}, NULL);
}

static int open_source(void)
{
    return tac_thread_register("guest", 0) < 0 ? -1 : tac_cycle_source_open("loop", 2000000);
}

/* n cycles of two heap operations. */
static int cycles(int n)
{
    int source = open_source();
    for (int i = 0; i < n; i++) {
        tac_cycle_begin(source, 0, 64);
        free(malloc(111 + none));
        tac_cycle_end(source);
    }
    return source < 0;
}

static int ends_badly(int child_ended)
{
    int status = 0;
    return child_ended < 0 || waitpid(child_ended, &status, 0) != child_ended ||
           !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

/* Ten cycles here, then ten in a child, which has a recording of its own. */
static int fork_records(void)
{
    int bad = cycles(10);
    pid_t child = fork();
    if (child == 0)
        exit(cycles(10));
    return bad + ends_badly(child);
}

/* A process is started in every way; the cycles go on. */
static int starts_others(void)
{
    int bad = cycles(5);
    pid_t child = vfork();
    if (child == 0) {
        execlp("true", "true", (char *)NULL);
        _exit(1);
    }
    bad += ends_badly(child);
    char *argv[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c",
                    (char *)(uintptr_t) "exit 0", NULL};
    bad += posix_spawnp(&child, "sh", NULL, NULL, argv, environ) || ends_badly(child);
    bad += system("exit 0") != 0;
    FILE *pipe = popen("echo piped", "r");
    char line[16] = "";
    bad += !pipe || !fgets(line, sizeof line, pipe) || strcmp(line, "piped\n") != 0 || pclose(pipe);
    return bad + cycles(5);
}

/* Becomes another program, which has a recording of its own. */
static int becomes_another(void)
{
    int bad = cycles(10);
    execl("/proc/self/exe", "hazards", "more-cycles", (char *)NULL);
    return bad + 1;
}

/* Tries to become programs that are not there, and one that is no program; stays what it is. */
static int stays_itself(void)
{
    char *argv[] = {(char *)(uintptr_t) "nowhere", NULL};
    char name[] = "/tmp/tactus-hazard-XXXXXX";
    int source = open_source(), bad = cycles(5);
    tac_cycle_begin(source, 0, 64);
    bad += execvp("tactus-nowhere-to-be-found", argv) != -1 || errno != ENOENT;
    tac_cycle_end(source);
    bad += execl("/tmp", "tmp", (char *)NULL) != -1 || errno != EACCES;
    bad += cycles(4);
    int fd = mkstemp(name);
    bad += write(fd, "none", 4) != 4 || fchmod(fd, 0700) || close(fd);
    bad += execv(name, argv) != -1 || errno != ENOEXEC;
    unlink(name);
    return bad + cycles(10);
}

static int more_cycles(void)
{
    return cycles(10);
}

static volatile sig_atomic_t signals;
static int null_fd;

static void on_signal(int number)
{
    int saved = errno;
    signals += number == SIGALRM;
    if (write(null_fd, "x", 1) != 1)
        signals = -1000000;
    errno = saved;
}

/* A handler that makes a watched call interrupts the wrappers at any point, thousands of times. */
static int signal_storm(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct itimerval often = {{0, 100}, {0, 100}}, never = {{0, 0}, {0, 0}};
    int source = open_source(), bad = 0;
    null_fd = open("/dev/null", O_WRONLY);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; i < 200; i++) {
        tac_cycle_begin(source, 0, 64);
        for (int k = 0; k < 20; k++) {
            errno = 77;
            free(malloc(111 + none));
            bad += errno != 77;
        }
        tac_cycle_end(source);
        for (int k = 0; k < 10; k++)
            sleep_ms(1); /* until the next signal */
    }
    setitimer(ITIMER_REAL, &never, NULL);
    return bad + (signals < 100);
}

static void *tiny(void *source)
{
    tac_thread_register("tiny", 64);
    tac_cycle_begin((int)(intptr_t)source, 0, 64);
    free(malloc(777 + none));
    fflush(NULL);
    tac_cycle_end((int)(intptr_t)source);
    return NULL;
}

/* The smallest stack that a thread may have. */
static int tiny_stack(void)
{
    pthread_attr_t attr;
    pthread_t thread;
    int source = open_source();
    pthread_attr_init(&attr);
    int bad = pthread_attr_setstacksize(&attr, (size_t)PTHREAD_STACK_MIN);
    for (int i = 0; i < 10; i++)
        bad += pthread_create(&thread, &attr, tiny, (void *)(intptr_t)source) ||
               pthread_join(thread, NULL);
    return bad;
}

/* A stack far deeper than what is kept of it. */
static __attribute__((noinline)) int deep(int levels)
{
    char here[64];
    here[0] = (char)levels;
    int below = levels ? deep(levels - 1) : (free(malloc(888 + none)), 0);
    __asm__ volatile("" : : "r"(here) : "memory");
    return below + (here[0] != (char)levels);
}

static int deep_stack(void)
{
    int source = open_source();
    tac_cycle_begin(source, 0, 64);
    int bad = deep(20000);
    tac_cycle_end(source);
    return bad;
}

static pthread_key_t key;

static void at_thread_end(void *rounds)
{
    char *text = malloc(999 + none);
    memset(text, 1, 999);
    free(text);
    if ((intptr_t)rounds > 1)
        pthread_setspecific(key, (void *)((intptr_t)rounds - 1));
}

static void *ends_inside(void *how)
{
    tac_thread_register("ends", 64);
    int source = tac_cycle_source_open("loop", 2000000);
    pthread_setspecific(key, (void *)3);
    tac_cycle_begin(source, 0, 64);
    free(malloc(50 + none));
    if (how)
        pthread_exit(NULL);
    for (;;)
        pause(); /* until it is cancelled */
}

/* Threads end in the middle of a cycle, and allocate in the destructors of their data. */
static int thread_ends(void)
{
    pthread_t thread;
    int bad = open_source() < 0 || pthread_key_create(&key, at_thread_end);
    for (int i = 0; i < 20; i++) {
        bad += pthread_create(&thread, NULL, ends_inside, (void *)(intptr_t)(i % 2));
        if (i % 2 == 0) {
            sleep_ms(1);
            pthread_cancel(thread);
        }
        bad += pthread_join(thread, NULL);
    }
    return bad + cycles(10);
}

static int with_plugin(int flags)
{
    void *plugin = dlopen(getenv("HAZARD_PLUGIN"), flags);
    void *(*alloc)(size_t) = NULL;
    void (*release)(void *) = NULL;
    if (plugin) {
        *(void **)&alloc = dlsym(plugin, "hazard_alloc");
        *(void **)&release = dlsym(plugin, "hazard_free");
    }
    if (!alloc || !release)
        return 1;
    for (int i = 0; i < 100; i++) {
        free(alloc(100));
        release(malloc(100 + none));
    }
    return 0;
}

/* A library that looks first into its own dependences, libc among them. */
static int deep_bind(void)
{
    return cycles(2) + with_plugin(RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
}

/* A constructor waits, with the loader's lock, for a thread that makes its first calls. */
static int waiting_constructor(void)
{
    setenv("HAZARD_WAITS", "1", 1);
    return cycles(2) + with_plugin(RTLD_NOW | RTLD_LOCAL);
}

/* The versioned symbols: a condition variable on the monotonic clock runs into its time. */
static int versions(void)
{
    pthread_condattr_t attr;
    pthread_cond_t cond;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    struct timespec until;
    int source = open_source();
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    int bad = pthread_cond_init(&cond, &attr);
    tac_cycle_begin(source, 0, 64);
    pthread_mutex_lock(&mutex);
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += 5000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    bad += pthread_cond_timedwait(&cond, &mutex, &until) != ETIMEDOUT;
    pthread_mutex_unlock(&mutex);
    char text[8];
    struct pollfd nobody = {-1, 0, 0};
    int pair[2];
    bad += printf("# checked %zu\n", none) < 0; /* __printf_chk, and its like */
    bad += poll(&nobody, none + 1, 0) || ppoll(&nobody, none + 1, &(struct timespec){0, 1}, NULL);
    bad += socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
    bad += recvfrom(pair[0], text, none + 4, MSG_DONTWAIT, NULL, NULL) != -1;
    bad += close(openat(AT_FDCWD, "/dev/null", none ? O_WRONLY : O_RDONLY));
    tac_cycle_end(source);
    return bad;
}

/* operator new, as C++ programs reach it. */
static int operator_new(void)
{
    void *library = dlopen("libstdc++.so.6", RTLD_NOW);
    void *(*make)(size_t) = NULL;
    void (*drop)(void *) = NULL;
    if (library) {
        *(void **)&make = dlsym(library, "_Znwm");
        *(void **)&drop = dlsym(library, "_ZdlPv");
    }
    if (!make)
        return 77; /* not here, or named otherwise (32 bits) */
    int source = open_source();
    tac_cycle_begin(source, 0, 64);
    drop(make(4444));
    tac_cycle_end(source);
    return 0;
}

/* A daemon closes all that it does not know; what it opens then is its own. */
static int closes_all(void)
{
    char name[] = "/tmp/tactus-hazard-XXXXXX", text[8] = "";
    int bad = cycles(5);
    sleep_ms(20);
    for (int fd = 3; fd < 1024; fd++)
        close(fd);
    closefrom(3);
    int fd = mkstemp(name);
    bad += cycles(5);
    bad += write(fd, "mine", 4) != 4;
    sleep_ms(30); /* several drains */
    bad += pread(fd, text, sizeof text, 0) != 4 || strcmp(text, "mine") != 0 || close(fd);
    unlink(name);
    return bad;
}

/* The audio library is opened by the program itself, as JUCE does. */
static int finds_jack_by_dlsym(void)
{
    void *plugin = dlopen(getenv("HAZARD_PLAYER"), RTLD_NOW | RTLD_LOCAL);
    int (*play)(void *) = NULL;
    if (plugin)
        *(void **)&play = dlsym(plugin, "player_play");
    return play ? play(dlopen(getenv("HAZARD_JACK"), RTLD_NOW | RTLD_LOCAL)) : 1;
}

/* The member function of RtAudio 6, as a C++ program calls it. */
unsigned rtaudio_open(void *self, void *out, void *in, unsigned long format, unsigned rate_hz,
                      unsigned *frames,
                      int (*callback)(void *, void *, unsigned, double, unsigned, void *),
                      void *user,
                      void *options) __asm__("_ZN7RtAudio10openStreamEPNS_16StreamParametersES1_"
                                             "mjPjPFiPvS3_jdjS3_ES3_PNS_"
                                             "13StreamOptionsE");

static int fill(void *out, void *in, unsigned frames, double time, unsigned status, void *user)
{
    free(malloc(6543 + none));
    *(unsigned *)user += frames;
    return out != user || in || time < 0 || status;
}

static int rtaudio(void)
{
    unsigned played = 0, frames = 128;
    return (int)rtaudio_open(&played, &played, NULL, 16, 48000, &frames, fill, &played, NULL) +
           (played != 15 * 128);
}

int snd_pcm_set_params(int *pcm, int format, int access, unsigned channels, unsigned rate_hz,
                       int soft_resample, unsigned latency_us);
long snd_pcm_writei(int *pcm, const void *buffer, unsigned long frames);
long snd_pcm_mmap_writei(int *pcm, const void *buffer, unsigned long frames);
int snd_pcm_pause(int *pcm, int enable);
int snd_pcm_drop(int *pcm);
int snd_pcm_close(int *pcm);
int Pa_OpenStream(void **ret_stream, const void *in, const void *out, double rate_hz,
                  unsigned long frames, unsigned long flags, const void *callback, void *user);
int Pa_WriteStream(void *stream, const void *buffer, unsigned long frames);
int Pa_StopStream(void *stream);
int Pa_AbortStream(void *stream);

/* Four cycles of a device that is paused and stopped in between; it sleeps then, and only then. */
static int pauses_alsa(void)
{
    int pcm, bad = snd_pcm_set_params(&pcm, 0, 0, 2, 48000, 0, 0);
    for (int i = 0; i < 4; i++) {
        bad += (i % 2 ? snd_pcm_mmap_writei : snd_pcm_writei)(&pcm, &pcm, 240) != 240;
        free(malloc(2345 + none));
        bad += i < 2 ? snd_pcm_pause(&pcm, 1) : snd_pcm_drop(&pcm);
        sleep_ms(1);
        bad += i < 2 ? snd_pcm_pause(&pcm, 0) : 0;
    }
    return bad + snd_pcm_close(&pcm);
}

static int pauses_portaudio(void)
{
    void *stream;
    int bad = Pa_OpenStream(&stream, NULL, "out", 48000, 64, 0, NULL, NULL);
    for (int i = 0; i < 4; i++) {
        bad += Pa_WriteStream(stream, "sound", 64);
        free(malloc(2345 + none));
        bad += i % 2 ? Pa_StopStream(stream) : Pa_AbortStream(stream);
        sleep_ms(1);
    }
    return bad;
}

static int aborts(void)
{
    cycles(10);
    sleep_ms(60);
    abort();
}

static const struct {
    const char *word;
    int (*run)(void);
} scenarios[] = {
    {"fork-records", fork_records},
    {"starts-others", starts_others},
    {"becomes-another", becomes_another},
    {"stays-itself", stays_itself},
    {"more-cycles", more_cycles},
    {"signal-storm", signal_storm},
    {"tiny-stack", tiny_stack},
    {"deep-stack", deep_stack},
    {"thread-ends", thread_ends},
    {"deep-bind", deep_bind},
    {"waiting-constructor", waiting_constructor},
    {"versions", versions},
    {"operator-new", operator_new},
    {"closes-all", closes_all},
    {"dlsym", finds_jack_by_dlsym},
    {"rtaudio", rtaudio},
    {"pauses-alsa", pauses_alsa},
    {"pauses-portaudio", pauses_portaudio},
    {"aborts", aborts},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof scenarios / sizeof *scenarios; i++)
        if (!strcmp(argv[1], scenarios[i].word))
            return scenarios[i].run();
    return 99;
}
