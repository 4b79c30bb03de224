/* SPDX-License-Identifier: MIT
 * test_backend_file.c - what is played into a file is what is read from it; failures are told. */
#include "backend/backend.h"

#include "test.h"

#include <errno.h>
#include <sched.h>
#include <sndfile.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

static void count_up(void *user, const struct tac_cycle *c)
{
    uint64_t *frame = user;
    for (uint32_t i = 0; i < c->frames; i++, ++*frame)
        for (uint32_t k = 0; k < c->outputs; k++)
            c->out[k][i] = (float)(*frame * 2 + k) + (c->inputs ? c->in[0][i] : 0);
}

static int play(const struct tac_backend_config *config, struct tac_error *err)
{
    const struct tac_backend *file = tac_backend_find("file");
    struct tac_backend_stream *stream;
    int code = file->open(config, &stream, err);
    if (code < 0)
        return code;
    code = file->start(stream, err);
    struct tac_backend_stats stats = {0};
    for (int i = 0; code >= 0 && i < 60000 && !stats.done; i++) {
        usleep(500);
        file->stats(stream, &stats);
    }
    code = file->stop(stream);
    file->close(stream);
    return code;
}

static void what_is_written_is_read_back(void)
{
    char path[] = "/tmp/tactus-file-XXXXXX.wav";
    int fd = mkstemps(path, 4);
    REQUIRE(fd >= 0);
    uint64_t frame = 0;
    struct tac_error err = {0};
    struct tac_backend_config config = {.rate_hz = 48000,
                                        .frames = 100,
                                        .outputs = 2,
                                        .device = path,
                                        .frames_end = 1234,
                                        .process = count_up,
                                        .user = &frame};
    CHECK_MSG(play(&config, &err) == 0, "%s", err.text);
    SF_INFO info = {0};
    SNDFILE *file = sf_open(path, SFM_READ, &info);
    REQUIRE(file);
    static float data[2 * 1300];
    CHECK(info.frames == 1234 && info.channels == 2 && info.samplerate == 48000);
    CHECK(sf_readf_float(file, data, 1300) == 1234);
    for (int i = 0; i < 2468; i++)
        CHECK(data[i] == (float)i);
    sf_close(file);
    close(fd);
    unlink(path);
}

static void failures_are_one_line(void)
{
    struct tac_error err = {0};
    struct tac_backend_config config = {.rate_hz = 48000,
                                        .frames = 64,
                                        .outputs = 2,
                                        .process = count_up,
                                        .device = "/no/such/a.wav"};
    CHECK(play(&config, &err) < 0 && err.text[0]);
    config.device = "/tmp/a.mp9";
    CHECK(play(&config, &err) == -TAC_E_UNKNOWN && strstr(err.text, ".wav"));
    config.device = NULL;
    config.capture = "/no/such/b.wav";
    config.inputs = 1;
    CHECK(play(&config, &err) < 0 && strstr(err.text, "cannot be read"));
}

static void a_full_disk_is_told(void)
{
    uint64_t frame = 0;
    struct tac_error err = {0};
    char path[] = "/tmp/tactus-full-XXXXXX";
    REQUIRE(mkdtemp(path));
    char link[64];
    snprintf(link, sizeof link, "%s/full.wav", path);
    REQUIRE(symlink("/dev/full", link) == 0);
    struct tac_backend_config config = {.rate_hz = 48000,
                                        .frames = 4096,
                                        .outputs = 2,
                                        .device = link,
                                        .frames_end = 480000,
                                        .process = count_up,
                                        .user = &frame};
    CHECK(play(&config, &err) < 0);
    unlink(link);
    rmdir(path);
}

/* A disk of 2 MiB, which only root can make. True when there is one at path. */
static bool mount_small(const char *path)
{
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tactus", path, "tmpfs", 0, "size=2m") == 0;
}

static void noise(void *user, const struct tac_cycle *c)
{
    uint32_t *random = user;
    for (uint32_t i = 0; i < c->frames; i++)
        for (uint32_t k = 0; k < c->outputs; k++)
            c->out[k][i] = (float)(int32_t)(*random = *random * 1664525 + 1013904223) / 4e9f;
}

/* Frames that can be read; 0 where fewer than the heading promises, if it does. */
static sf_count_t frames_of(const char *path)
{
    static float data[2 * 4096];
    SF_INFO info = {0};
    SNDFILE *file = sf_open(path, SFM_READ, &info);
    sf_count_t all = 0, got = 1;
    while (file && (got = sf_readf_float(file, data, 4096)) > 0)
        all += got;
    if (file)
        sf_close(file);
    return all == info.frames || info.frames == SF_COUNT_MAX ? all : 0;
}

/* Plays noise into a file at path. */
static int play_noise(const char *path, double rate_hz, uint32_t outputs, uint64_t frames,
                      struct tac_error *err)
{
    uint32_t random = 1;
    struct tac_backend_config config = {.rate_hz = rate_hz,
                                        .frames = 4096,
                                        .outputs = outputs,
                                        .device = path,
                                        .frames_end = frames,
                                        .process = noise,
                                        .user = &random};
    return play(&config, err);
}

/* The heading is written anew while it grows. */
static void half_a_minute_is_all_there(void)
{
    static const char *const names[] = {"a.ogg", "a.flac", "a.wav"};
    char folder[] = "/tmp/tactus-minute-XXXXXX", path[64];
    REQUIRE(mkdtemp(folder));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct tac_error err = {0};
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        CHECK_MSG(play_noise(path, 8000, 1, 8000 * 30, &err) == 0, "%s: %s", names[i], err.text);
        CHECK_MSG(frames_of(path) == 240000, "%s: %lld", names[i], (long long)frames_of(path));
        unlink(path);
    }
    rmdir(folder);
}

/* Also where the encoder says that all is well. */
static void a_file_is_whole_when_the_disk_fills(void)
{
    static const char *const names[] = {"a.ogg", "a.flac", "a.wav", "a.caf"};
    char folder[] = "/tmp/tactus-small-XXXXXX", path[64];
    REQUIRE(mkdtemp(folder));
    if (!mount_small(folder)) {
        rmdir(folder);
        SKIP("only root can make a small disk");
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct tac_error err = {0};
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        CHECK_MSG(play_noise(path, 48000, 2, 48000 * 300, &err) == -ENOSPC, "%s: %s", names[i],
                  err.text);
        CHECK_MSG(frames_of(path) > 40000, "%s: %lld", names[i], (long long)frames_of(path));
        unlink(path);
    }
    umount(folder);
    rmdir(folder);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(what_is_written_is_read_back);
    TEST(failures_are_one_line);
    TEST(a_full_disk_is_told);
    TEST(half_a_minute_is_all_there);
    TEST(a_file_is_whole_when_the_disk_fills);
    return test_end();
}
