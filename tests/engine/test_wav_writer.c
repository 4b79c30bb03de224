/* SPDX-License-Identifier: MIT
 * test_wav_writer.c - what is pushed stands in the file, and an unwritable file is refused. */
#include "engine/wav_writer.h"

#include "test.h"

#include <sndfile.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void pushed_frames_are_in_the_file(void)
{
    char path[] = "/tmp/tactus-wav-XXXXXX";
    int fd = mkstemp(path);
    REQUIRE(fd >= 0);
    close(fd);
    struct tac_wav_writer *writer;
    struct tac_error err;
    REQUIRE(tac_wav_writer_open(path, 48000, 2, &writer, &err) == 0);
    enum { CYCLES = 3000, FRAMES = 100 };
    float left[FRAMES], right[FRAMES];
    const float *planar[] = {left, right};
    for (int c = 0; c < CYCLES; c++) {
        for (int i = 0; i < FRAMES; i++) {
            left[i] = (float)(c * FRAMES + i);
            right[i] = -left[i];
        }
        tac_wav_writer_push(writer, planar, FRAMES);
        if (c % 500 == 0)
            nanosleep(&(struct timespec){0, 60000000}, NULL);
    }
    uint64_t dropped = tac_wav_writer_dropped(writer);
    CHECK(dropped % FRAMES == 0);
    CHECK(tac_wav_writer_close(writer, &err) == 0);
    SF_INFO info = {0};
    SNDFILE *file = sf_open(path, SFM_READ, &info);
    REQUIRE(file);
    CHECK(info.channels == 2 && info.samplerate == 48000);
    CHECK((uint64_t)info.frames + dropped == (uint64_t)CYCLES * FRAMES);
    float frame[2], last = -1;
    int wrong = 0;
    while (sf_readf_float(file, frame, 1) == 1) {
        wrong += frame[0] <= last || frame[1] != -frame[0];
        last = frame[0];
    }
    CHECK(wrong == 0);
    sf_close(file);
    unlink(path);
}

static off_t size_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? st.st_size : -1;
}

static void what_was_there_stays_until_a_frame_comes(void)
{
    char path[] = "/tmp/tactus-wav-XXXXXX";
    int fd = mkstemp(path);
    REQUIRE(fd >= 0 && write(fd, "precious", 8) == 8);
    close(fd);
    struct tac_wav_writer *writer;
    struct tac_error err;
    REQUIRE(tac_wav_writer_open(path, 48000, 1, &writer, &err) == 0);
    CHECK(tac_wav_writer_close(writer, &err) == 0);
    CHECK(size_of(path) == 8);
    float x[4] = {0};
    REQUIRE(tac_wav_writer_open(path, 48000, 1, &writer, &err) == 0);
    tac_wav_writer_push(writer, (const float *const[]){x}, 4);
    CHECK(tac_wav_writer_close(writer, &err) == 0);
    CHECK(size_of(path) > 8);
    unlink(path);
    REQUIRE(tac_wav_writer_open(path, 48000, 1, &writer, &err) == 0);
    CHECK(tac_wav_writer_close(writer, &err) == 0);
    CHECK(size_of(path) < 0);
}

static void unwritable_path_is_one_line(void)
{
    struct tac_wav_writer *writer = NULL;
    struct tac_error err = {0};
    CHECK(tac_wav_writer_open("/nonexistent/x.wav", 48000, 2, &writer, &err) < 0);
    CHECK(!writer && strstr(err.text, "cannot be written"));
    CHECK_STR(err.file, "/nonexistent/x.wav");
    CHECK(tac_wav_writer_close(NULL, &err) == 0);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(pushed_frames_are_in_the_file);
    TEST(what_was_there_stays_until_a_frame_comes);
    TEST(unwritable_path_is_one_line);
    return test_end();
}
