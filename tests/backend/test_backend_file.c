/* SPDX-License-Identifier: MIT
 * test_backend_file.c - what is played into a file is what is read from it; failures are told. */
#include "backend/backend.h"

#include "test.h"

#include <sndfile.h>
#include <stdlib.h>
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

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(what_is_written_is_read_back);
    TEST(failures_are_one_line);
    TEST(a_full_disk_is_told);
    return test_end();
}
