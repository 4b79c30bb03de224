/* SPDX-License-Identifier: MIT
 * demo.c - `tactus demo`: the founding story with real parts, told twice.
 *
 * Runs `tactus story` once on the system's heap and once on ours. Both runs are
 * made under the watch library, which times the memory functions and forwards
 * them to the heap that one environment variable names; nothing else differs.
 * Then the doctor reads the two recordings, prints what each missed deadline
 * was lost to, and writes one report over both. What the runs show is what is
 * said. */
#include "cli/cmd.h"

#include "base/text.h"
#include "capture/capture.h"
#include "capture/kernel.h"
#include "cli/launch.h"
#include "doctor/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OPT_SECONDS, OPT_MESSAGES, OPT_FRAMES, OPT_PATCH, OPT_OUT };

enum { RUNS = 2 };

struct run {
    const char *heap, *title;
    char wav[PATH_MAX], recording[PATH_MAX], log[PATH_MAX];
    struct tac_capture *capture;
    struct tac_diagnosis *diagnosis;
};

struct demo {
    const char *seconds, *messages, *frames, *patch, *folder;
    struct run run[RUNS];
};

static int make_folder(const char *path)
{
    if (mkdir(path, 0777) == 0)
        return 0;
    struct stat st;
    if (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode) && !access(path, W_OK))
        return 0;
    return errno == EEXIST ? -ENOTDIR : -errno;
}

/* <folder>/<heap>.<ending> */
static int name_file(char *buffer, const struct demo *demo, const char *heap, const char *ending)
{
    int n = snprintf(buffer, PATH_MAX, "%s/%s%s", demo->folder, heap, ending);
    return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int name_files(struct demo *demo)
{
    static const char *const heap[RUNS] = {"system", "tactus"};
    static const char *const title[RUNS] = {"the system's heap", "the Tactus heap"};
    int r = 0;
    for (int i = 0; i < RUNS && r == 0; i++) {
        struct run *run = &demo->run[i];
        *run = (struct run){.heap = heap[i], .title = title[i]};
        r = name_file(run->wav, demo, heap[i], ".wav");
        r = r ? r : name_file(run->recording, demo, heap[i], ".tac");
        r = r ? r : name_file(run->log, demo, heap[i], ".txt");
    }
    return r;
}

/* The child's environment names the heap; its standard output goes to the log.
 */
static int launch_story(const struct demo *demo, struct run *run)
{
    char self[PATH_MAX], watch[64];
    struct tac_error err;
    int r = tac_launch_self(self, sizeof self);
    if (r < 0)
        return tac_cmd_fail(TAC_EXIT_FAILED, "/proc/self/exe: %s", tac_error_sentence(r));
    const char *argv[] = {self,           "story",      demo->patch,    "--seconds",
                          demo->seconds,  "--messages", demo->messages, "--frames",
                          demo->frames,   "--wav",      run->wav,       "--record",
                          run->recording, "--label",    run->title,     NULL};
    snprintf(watch, sizeof watch, "TACTUS_WATCH=heap=%s", run->heap);
    const char *env[] = {watch, "TACTUS_HEAP=size=128M,lock=try,full=fail", NULL};
    int fd = open(run->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return tac_cmd_fail(TAC_EXIT_FAILED, "%s: %s", run->log, strerror(errno));
    struct tac_launch launch = {
        .argv = argv, .preload = TAC_PRELOAD_WATCH, .env = env, .stdout_fd = fd};
    unlink(run->recording);
    struct tac_kernel *kernel = NULL;
    struct tac_kernel_config kernel_config = {.path = run->recording};
    if (tac_kernel_start(&kernel_config, &err, &kernel) < 0)
        printf("  note: no view of the whole machine: %s\n", err.text);
    int status = 0;
    r = tac_launch_run(&launch, &status, &err);
    tac_kernel_stop(kernel, NULL);
    close(fd);
    if (r < 0)
        return tac_cmd_fail_error(&err);
    if (status)
        return tac_cmd_fail(TAC_EXIT_FAILED, "the run on %s ended with status %d; %s may say more",
                            run->title, status, run->log);
    return TAC_EXIT_OK;
}

/* Lines "notice ..." of the log are for the user. */
static void print_notices(const struct run *run)
{
    char line[512];
    FILE *log = fopen(run->log, "r");
    while (log && fgets(line, sizeof line, log))
        if (!strncmp(line, "notice ", 7))
            printf("  note: %s", line + 7);
    if (log)
        fclose(log);
}

static int diagnose(struct run *run)
{
    struct tac_error err;
    int r = tac_capture_open(run->recording, &err, &run->capture);
    if (r < 0)
        return tac_cmd_fail_error(&err);
    r = tac_diagnosis_new(run->capture, run->title, &run->diagnosis);
    if (r < 0)
        return tac_cmd_fail(TAC_EXIT_FAILED, "%s: %s", run->recording, tac_error_sentence(r));
    return TAC_EXIT_OK;
}

static int tell(const struct demo *demo, struct run *run)
{
    printf("\nRunning %s s on %s ...\n", demo->seconds, run->title);
    fflush(stdout);
    int code = launch_story(demo, run);
    if (code == TAC_EXIT_OK)
        code = diagnose(run);
    if (code != TAC_EXIT_OK)
        return code;
    print_notices(run);
    struct tac_text text = {0};
    tac_report_text(run->diagnosis, &text);
    putchar('\n');
    tac_text_write(&text, stdout);
    tac_text_fini(&text);
    return TAC_EXIT_OK;
}

static int write_report(const struct demo *demo, char *path)
{
    const struct tac_diagnosis *runs[RUNS] = {demo->run[0].diagnosis, demo->run[1].diagnosis};
    struct tac_text text = {0};
    tac_report_headline(runs, RUNS, &text);
    printf("\n%s\n", tac_text_string(&text));
    tac_text_fini(&text);
    if (snprintf(path, PATH_MAX, "%s/report.html", demo->folder) >= PATH_MAX)
        return tac_cmd_fail(TAC_EXIT_FAILED, "%s: the name is too long", demo->folder);
    FILE *file = fopen(path, "w");
    if (!file)
        return tac_cmd_fail(TAC_EXIT_FAILED, "%s: %s", path, strerror(errno));
    int r = tac_report_html(runs, RUNS, NULL, file);
    if (fclose(file) && r == 0)
        r = -errno;
    return r < 0 ? tac_cmd_fail(TAC_EXIT_FAILED, "%s: %s", path, tac_error_sentence(r))
                 : TAC_EXIT_OK;
}

static void print_configuration(const struct demo *demo)
{
    printf("tactus demo: one program, two heaps\n\n"
           "  patch      %s\n"
           "  cycle      %s frames at 48 kHz, on a timer with absolute deadlines\n"
           "  program    allocates and frees %s small objects in each audio "
           "callback;\n"
           "             a loader thread of normal priority does the same, and "
           "larger ones;\n"
           "             all threads share one malloc arena, as memory-tight boards "
           "set it\n"
           "  length     %s s on each heap; nothing else is changed between the "
           "runs\n",
           demo->patch, demo->frames, demo->messages, demo->seconds);
}

static int run_demo(struct demo *demo)
{
    char report[PATH_MAX], folder[PATH_MAX];
    int r = make_folder(demo->folder);
    r = r ? r : name_files(demo);
    if (r < 0)
        return tac_cmd_fail(TAC_EXIT_FAILED,
                            "%s: the results cannot be put there (%s); -o FOLDER names a place",
                            demo->folder, tac_error_sentence(r));
    print_configuration(demo);
    int code = TAC_EXIT_OK;
    for (int i = 0; i < RUNS && code == TAC_EXIT_OK; i++)
        code = tell(demo, &demo->run[i]);
    if (code == TAC_EXIT_OK)
        code = write_report(demo, report);
    if (code == TAC_EXIT_OK)
        printf("\nSound, recordings and the report are in %s\n  look at %s\n",
               realpath(demo->folder, folder) ? folder : demo->folder, report);
    for (int i = 0; i < RUNS; i++) {
        tac_diagnosis_free(demo->run[i].diagnosis);
        tac_capture_close(demo->run[i].capture);
    }
    return code;
}

static const char * or (const char *given, const char *fallback)
{
    return given ? given : fallback;
}

static int run(const struct tac_cmd_args *args)
{
    static char patch[PATH_MAX];
    struct demo demo = {
        .seconds = or (args->option[OPT_SECONDS], "8"),
        .messages = or (args->option[OPT_MESSAGES], "400"),
        .frames = or (args->option[OPT_FRAMES], "64"),
        .patch = args->option[OPT_PATCH],
        .folder = or (args->option[OPT_OUT], "tactus-demo"),
    };
    double number;
    if (!tac_cmd_number("seconds", demo.seconds, 0.5, 3600, &number) ||
        !tac_cmd_whole("messages", demo.messages, 0, 4096, &number) ||
        !tac_cmd_whole("frames", demo.frames, 16, 4096, &number))
        return TAC_EXIT_USAGE;
    if (!demo.patch) {
        if (tac_launch_share("examples/demo.yaml", patch, sizeof patch) < 0)
            return tac_cmd_fail(TAC_EXIT_FAILED,
                                "examples/demo.yaml is not there; name a patch with --patch");
        demo.patch = patch;
    }
    return run_demo(&demo);
}

TAC_CMD(demo) = {
    .name = "demo",
    .summary = "one program on two heaps, and why it was late",
    .synopsis = "[options]",
    .text = "Plays a patch in real time, 48 kHz and 64 frames, while the "
            "program around the sound "
            "behaves as a certain kind of framework does: many small "
            "allocations in the audio "
            "callback, and a loader thread of normal priority that does the "
            "same and larger ones, "
            "with one malloc arena for all threads.\n\n"
            "It runs once on the system's heap and once on the Tactus heap; "
            "nothing else is "
            "changed. The doctor then says for each run how many deadlines "
            "were missed and what "
            "each was lost to. The sound (WAV), the recordings (.tac) and "
            "report.html are left in a "
            "folder. The result is what your machine gives; where the heaps "
            "make no difference, it "
            "says so.",
    .exits = "0 both runs were made and reported, whatever they show; 2 wrong "
             "usage; 3 a run could "
             "not be made, one line on standard error says why.",
    .option =
        {
            [OPT_SECONDS] = {"seconds", 's', "N", "Length of each run (8)."},
            [OPT_MESSAGES] = {"messages", 'm', "N", "Allocations in each callback (400)."},
            [OPT_FRAMES] = {"frames", 'b', "N", "Frames per cycle (64)."},
            [OPT_PATCH] = {"patch", 'p', "FILE", "Another patch to play."},
            [OPT_OUT] = {"out", 'o', "FOLDER", "Where the results go (./tactus-demo)."},
        },
    .operands_max = 0,
    .run = run,
};
