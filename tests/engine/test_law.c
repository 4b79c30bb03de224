/* SPDX-License-Identifier: MIT
 * test_law.c - the engine's cycle under the real-time law, by trap.
 *
 * Two helpers take part, and a session records all that the engine shows. In a child, after the
 * first cycles, a filter turns every system call into SIGSYS and the heap aborts; then notes,
 * parameter changes, a stream from disk and an exchange of plans go by. */
#include "rig_engine.h"
#include "tactus/trace.h"
#include "test.h"
#include "trap.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sndfile.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 3, NOT_TRACED = 50 };

#if !TAC_SANITIZED
static const char patch[] =
    "output: 4\n"
    "nodes:\n"
    "  seq: {block: sequencer, rate: 16, notes: [50, 57, 62, 65, 69]}\n"
    "  file: {block: player, file: %s, loop: yes, channels: 2}\n"
    "  echo: {block: delay, time: 40 ms, channels: 2}\n"
    "  comb: {block: gain, level: -6 dB, channels: 2}\n"
    "voices:\n"
    "  v:\n"
    "    count: 200\n"
    "    steal: quietest\n"
    "    nodes:\n"
    "      osc: {block: saw, frequency: 8.1758 Hz}\n"
    "      vcf: {block: svf, cutoff: %d Hz}\n"
    "      env: {block: adsr}\n"
    "      vca: {block: gain, level: -40 dB}\n"
    "    cables:\n"
    "      - v.pitch -> osc.pitch\n"
    "      - v.gate -> env\n"
    "      - env.out -> vca.control\n"
    "      - osc -> vcf -> vca -> output\n"
    "cables:\n  - seq.notes -> v\n  - file -> echo -> output[1-2]\n  - echo ~> echo.in\n"
    "  - file -> comb -> output[3-4]\n  - comb ~5> comb\n";

static int write_sound(const char *path)
{
    SF_INFO info = {.samplerate = 48000, .channels = 2, .format = SF_FORMAT_WAV | SF_FORMAT_PCM_16};
    static float frames[2 * 9600];
    for (int i = 0; i < 9600; i++)
        frames[2 * i] = frames[2 * i + 1] = 0.5f * sinf((float)i * 0.05f);
    SNDFILE *file = sf_open(path, SFM_WRITE, &info);
    sf_count_t written = file ? sf_writef_float(file, frames, 9600) : 0;
    return file && written == 9600 && sf_close(file) == 0 ? 0 : -1;
}

/* Helpers sleep between cycles and do nothing else with the kernel: the filter is put on them from
 * a signal handler, which returns by one more call. */
static atomic_int filtered;

static void filter_helper(int signal)
{
    (void)signal;
    struct sigaction usual = {.sa_handler = SIG_DFL};
    sigaction(SIGSYS, &usual, NULL);
    atomic_fetch_add(&filtered,
                     forbid_system_calls_but(SYS_clock_nanosleep, SYS_rt_sigreturn) ? 100 : 1);
}

/* What a block would do that breaks the law on a helper: a signal handler stands in for it. */
static void break_law(int signal)
{
    (void)signal;
    getppid();
}

static void signal_helpers(int signal)
{
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *d; tasks && (d = readdir(tasks));) {
        char path[300], name[32] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", d->d_name);
        FILE *file = fopen(path, "re");
        if (file && fgets(name, sizeof name, file) && !strncmp(name, "tactus-help", 11))
            syscall(SYS_tgkill, getpid(), atoi(d->d_name), signal);
        if (file)
            fclose(file);
    }
    if (tasks)
        closedir(tasks);
}

static void filter_helpers(void)
{
    struct sigaction filter = {.sa_handler = filter_helper}, breach = {.sa_handler = break_law};
    sigaction(SIGUSR1, &filter, NULL);
    sigaction(SIGUSR2, &breach, NULL);
    signal_helpers(SIGUSR1);
    while (atomic_load(&filtered) % 100 + atomic_load(&filtered) / 100 < THREADS - 1)
        usleep(1000);
    if (atomic_load(&filtered) >= 100)
        _exit(NO_FILTER);
}

/* All that the engine shows is recorded while it obeys. */
static int start_session(void)
{
    int null = open("/dev/null", O_WRONLY);
    return null < 0 ? -1 : tac_trace_start(&(struct tac_trace_config){.fd = null});
}

/* What was played so far is in the recording, or in the rings. */
static void wait_for_recording(void)
{
    struct tac_trace_stats traced = {0};
    for (int i = 0; i < 5000 && !traced.stored; i++) {
        usleep(1000);
        tac_trace_get_stats(&traced);
    }
    if (!traced.stored || traced.unregistered)
        _exit(NOT_TRACED);
}

static void obey_or_die(const char *sound, int plant)
{
    static char text[2000];
    struct tac_engine *e = NULL;
    uint32_t id;
    snprintf(text, sizeof text, patch, sound, 500);
    struct tac_engine_config config = {.rate_hz = 48000, .threads = THREADS, .always_help = 1};
    if (tac_engine_new(&config, &e) < 0 || rig_load(e, text) < 0 ||
        tac_engine_param_find(e, "vcf.cutoff", &id) < 0)
        _exit(NO_PATCH);
    rig_play(e, 0, RIG_FRAMES, 64);
    snprintf(text, sizeof text, patch, sound, 2500); /* waits in the mailbox */
    if (rig_load(e, text) < 0 || tac_engine_param_set(e, id, 3000, 700) < 0 ||
        tac_engine_note(e, NULL, 44, 1, 300) < 0)
        _exit(NO_PATCH);
    if (tac_thread_register("audio", 0) < 0 || start_session() < 0)
        _exit(NO_PATCH);
    mlockall(MCL_CURRENT); /* as a backend does: code that has not run yet is there, too */
    long before = faults();
    rig_play(e, 0, 4096, 64);
    if (faults() != before)
        _exit(TRAPPED_FAULT);
    filter_helpers();
    uint64_t given = 0;
    for (int i = 0; i < 2000 && !given; i++) { /* helpers may be slow to come on a busy machine */
        struct tac_engine_stats stats;
        rig_play(e, 0, 1024, 64);
        tac_engine_stats(e, &stats);
        given = stats.tasks_given;
    }
    wait_for_recording();
    if (plant == 3) {
        signal_helpers(SIGUSR2);
        sleep(10); /* the first that gets it ends the process */
    }
    heap_forbidden = 1;
    if (forbid_system_calls())
        _exit(NO_FILTER);
    rig_play(e, 0, 16384, 61);
    if (plant == 1)
        breach_heap();
    if (plant == 2)
        getppid();
    syscall(SYS_exit_group, 0);
}

static int run_in_child(int plant)
{
    char sound[] = "/tmp/tactus-law-XXXXXX.wav";
    int fd = mkstemps(sound, 4);
    if (fd < 0 || write_sound(sound) < 0)
        return NO_PATCH;
    pid_t pid = fork();
    if (pid == 0)
        obey_or_die(sound, plant);
    int status = 0;
    waitpid(pid, &status, 0);
    close(fd);
    unlink(sound);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
#endif

static void the_cycle_obeys_the_law(void)
{
#if TAC_SANITIZED
    SKIP("sanitizers allocate and call the kernel themselves");
#else
    if (test_emulated())
        SKIP("an emulator faults and calls the kernel by itself");
    int code = run_in_child(0);
    if (code == NO_FILTER)
        SKIP("the kernel refuses a system-call filter here");
    CHECK_MSG(code == 0, "%s (%d)",
              code == TRAPPED_HEAP    ? "calls the heap"
              : code == TRAPPED_FAULT ? "faults"
                                      : "enters the kernel, or dies",
              code);
#endif
}

static void the_traps_work(void)
{
#if TAC_SANITIZED
    SKIP("sanitizers allocate and call the kernel themselves");
#else
    if (test_emulated())
        SKIP("an emulator faults and calls the kernel by itself");
    int code = run_in_child(1);
    if (code == NO_FILTER)
        SKIP("the kernel refuses a system-call filter here");
    CHECK(code == TRAPPED_HEAP);
    CHECK(run_in_child(2) == 128 + SIGSYS);
    CHECK(run_in_child(3) == 128 + SIGSYS);
#endif
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(the_cycle_obeys_the_law);
    TEST(the_traps_work);
    return test_end();
}
