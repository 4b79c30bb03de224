/* SPDX-License-Identifier: MIT
 * test_slow_disk.c - a disk that stops answering: what is in memory plays to its last frame, then
 * there is silence that is counted, and the sound goes on where it broke off.
 *
 * This program's read() stands in front of libc's for libsndfile, too; while `stuck` is set, a
 * thread that is not the test's own waits in it. */
#include "rig_engine.h"
#include "test.h"

#include <math.h>
#include <sndfile.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { RATE = 48000, LONG = 4 * RATE, IN_MEMORY = 55000, HEAD = RATE / 2, TRIES = 5000 };

static char path[] = "/tmp/tactus-slow-XXXXXX";
static atomic_bool stuck;
static atomic_uint waited;
static pid_t own_thread;

__attribute__((visibility("default"))) ssize_t read(int fd, void *to, size_t bytes)
{
    while (atomic_load(&stuck) && syscall(SYS_gettid) != own_thread) {
        atomic_fetch_add(&waited, 1);
        usleep(500);
    }
    return syscall(SYS_read, fd, to, bytes);
}

/* Never 0, so that silence can be told. */
static float ramp(uint32_t frame)
{
    return (float)(1 + frame % 1000) / 1001;
}

static int write_sound(void)
{
    SF_INFO info = {.samplerate = RATE, .channels = 1, .format = SF_FORMAT_WAV | SF_FORMAT_FLOAT};
    static float frames[LONG];
    int fd = mkstemp(path);
    SNDFILE *file = fd < 0 ? NULL : sf_open_fd(fd, SFM_WRITE, &info, 1);
    for (uint32_t i = 0; i < LONG; i++)
        frames[i] = ramp(i);
    sf_count_t written = file ? sf_writef_float(file, frames, LONG) : 0;
    return file && sf_close(file) == 0 && written == LONG ? 0 : -1;
}

/* As a program on a card has it: files are read by the helper thread. */
static struct tac_engine *open_live(const char *format)
{
    char text[512];
    struct tac_engine *e = NULL;
    struct tac_engine_config config = {.rate_hz = RATE, .no_lock = 1, .no_shed = 1};
    snprintf(text, sizeof text, format, path);
    if (tac_engine_new(&config, &e) < 0 || rig_load(e, text) < 0) {
        tac_engine_free(e);
        return NULL;
    }
    return e;
}

static uint64_t underruns(struct tac_engine *e)
{
    struct tac_engine_stats stats;
    tac_engine_stats(e, &stats);
    return stats.stream_underruns;
}

/* The helper has gone to the disk, and hangs. */
static bool wait_until_stuck(void)
{
    unsigned before = atomic_load(&waited);
    for (int i = 0; i < TRIES && atomic_load(&waited) < before + 3; i++)
        usleep(1000);
    return atomic_load(&waited) >= before + 3;
}

/* Frames of the ramp that come out, from frame `next` of it on, until silence. */
static uint32_t count_ramp(struct tac_engine *e, uint32_t next, uint32_t frames)
{
    uint32_t heard = 0;
    for (uint32_t done = 0; done < frames; done += 500) {
        rig_play(e, 0, 500, 64);
        for (uint32_t i = 0; i < 500; i++)
            if (rig_out[0][i] == ramp(next + heard))
                heard++;
            else if (rig_out[0][i] != 0)
                return 0;
    }
    return heard;
}

/* The helper gets time, until there is sound again; the frame of the ramp that comes first. */
static uint32_t first_after(struct tac_engine *e)
{
    for (int i = 0; i < TRIES; i++) {
        rig_play(e, 0, 1, 1);
        if (rig_out[0][0] != 0)
            return (uint32_t)lrintf(rig_out[0][0] * 1001) - 1;
        usleep(1000);
    }
    return UINT32_MAX;
}

static void a_player_outlives_a_disk_that_stops(void)
{
    struct tac_engine *e =
        open_live("output: 1\nnodes:\n  p: {block: player, file: '%s'}\ncables: [p -> output]\n");
    REQUIRE(e);
    atomic_store(&stuck, true);
    uint32_t heard = count_ramp(e, 0, IN_MEMORY / 2);
    CHECK(wait_until_stuck());
    heard += count_ramp(e, heard, IN_MEMORY / 2);
    CHECK_MSG(heard == IN_MEMORY && !underruns(e), "%u frames heard, %llu missing", heard,
              (unsigned long long)underruns(e));
    heard += count_ramp(e, heard, LONG - RATE);
    CHECK_MSG(heard < LONG - RATE && underruns(e) > 0, "%u frames heard", heard);
    atomic_store(&stuck, false);
    uint32_t next = first_after(e);
    CHECK_MSG(next == heard % 1000, "goes on at %u, not at %u", next, heard % 1000);
    tac_engine_free(e);
}

/* Struck while the disk does not answer, a sample plays what is kept of it. */
static void a_sample_has_its_beginning_without_the_disk(void)
{
    struct tac_engine *e = open_live(
        "tempo: 60\noutput: 1\nnodes:\n  s: {block: sequencer, rate: 0.25, length: 10 %%, notes: "
        "[60]}\n"
        "  p: {block: sampler, file: '%s'}\ncables:\n  - s.gate -> p.gate\n  - p.left -> output\n");
    REQUIRE(e);
    atomic_store(&stuck, true);
    uint32_t heard = count_ramp(e, 0, HEAD);
    CHECK_MSG(heard == HEAD, "%u frames heard", heard);
    rig_play(e, 0, RIG_FRAMES, 64);
    CHECK(wait_until_stuck());
    for (uint32_t i = 0; i < 3 * RATE; i += 6000) {
        rig_play(e, 0, 6000, 64);
        for (uint32_t k = 0; k < 6000; k++)
            CHECK(isfinite(rig_out[0][k]));
    }
    CHECK(underruns(e) > 0);
    atomic_store(&stuck, false);
    tac_engine_free(e);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    own_thread = (pid_t)syscall(SYS_gettid);
    if (write_sound() < 0)
        return 1;
    TEST(a_player_outlives_a_disk_that_stops);
    TEST(a_sample_has_its_beginning_without_the_disk);
    unlink(path);
    return test_end();
}
