/* SPDX-License-Identifier: MIT
 * watching.c - see watching.h. */
#include "cli/watching.h"

#include "capture/kernel.h"
#include "cli/launch.h"
#include "cli/preloadable.h"
#include "cli/recording_file.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int launch(const struct tac_watching *w, const char *path, int *ret_status,
                  struct tac_error *err)
{
    char setting[PATH_MAX + 64], samples[32] = "";
    const struct tac_setting *with = w->setting;
    snprintf(setting, sizeof setting, "TACTUS_WATCH=heap=%s,%srecord=%s", w->heap,
             with ? with->watch : "", path);
    const char *env[4] = {setting};
    int n = 1;
    if (with && with->env[0])
        env[n++] = with->env;
    if (w->samples_hz) {
        snprintf(samples, sizeof samples, "TACTUS_SAMPLES=%u", w->samples_hz);
        env[n++] = samples;
    }
    struct tac_launch launch = {.argv = (const char *const *)w->argv,
                                .preload = TAC_PRELOAD_WATCH,
                                .env = env,
                                .seconds = w->seconds,
                                .priority = with ? with->priority : 0,
                                .no_huge_pages = with ? with->no_huge_pages : 0};
    return tac_launch_run(&launch, ret_status, err);
}

int tac_watching_run(const struct tac_watching *watching, int *ret_status, struct tac_error *err)
{
    struct tac_recording_file file;
    char kernel_path[PATH_MAX + 16];
    int r = tac_preloadable_check(watching->argv[0], err);
    if (r == 0)
        r = tac_recording_file_prepare(&file, watching->path, err);
    if (r < 0)
        return r;
    /* a file of our own beside the recording: what has the name already is somebody's */
    snprintf(kernel_path, sizeof kernel_path, "%s.kernel-XXXXXX", file.path);
    int fd = watching->no_kernel ? -1 : mkostemp(kernel_path, O_CLOEXEC);
    if (fd >= 0)
        close(fd);
    struct tac_kernel_config config = {.path = kernel_path, .want = TAC_KERNEL_WANT_STACKS};
    struct tac_kernel *kernel = NULL;
    if (fd >= 0 && tac_kernel_start(&config, NULL, &kernel) < 0)
        kernel = NULL; /* the file has a line that says so */
    r = launch(watching, file.path, ret_status, err);
    (void)!tac_kernel_stop(kernel, NULL); /* what it could write is there */
    if (fd >= 0) {
        int joined = tac_recording_file_append(file.path, kernel_path, err);
        r = r < 0 ? r : joined;
    }
    bool recorded = !access(file.path, R_OK);
    tac_recording_file_settle(&file, recorded);
    if (r == 0 && !recorded)
        return tac_error_set(err, -TAC_E_UNKNOWN, NULL, 0, 0,
                             "nothing was recorded: the program opened no audio stream that is "
                             "known (JACK, ALSA, PipeWire, PortAudio) and registered no thread, or "
                             "did so in a program that it starts without LD_PRELOAD and TACTUS_*");
    return r;
}
