/* SPDX-License-Identifier: MIT
 * test_receive.c - what a peer that follows the form and means ill can take from the receiver: no
 * more memory than a chunk, no more time at once than a turn, and no place for longer than it uses
 * it. What does not follow the form is in test_stream.c. */
#include "capture/receive.h"
#include "trace/squeeze.h"

#include "base/clock.h"
#include "base/crc.h"
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { TURN_BYTES = 1 << 20, FRAME_BYTES = 60000, READ_BYTES = 1 << 16 };

static char name[96];
static size_t largest; /* block that realloc was asked for */

void *__real_realloc(void *block, size_t bytes);
void *__wrap_realloc(void *block, size_t bytes);

void *__wrap_realloc(void *block, size_t bytes)
{
    largest = bytes > largest ? bytes : largest;
    return __real_realloc(block, bytes);
}

static time_t later_s; /* than it is */

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    int r = __real_clock_gettime(clock, now);
    now->tv_sec += later_s;
    return r;
}

static int begin(void *owner, uint32_t pid, void **ret_session)
{
    (void)pid;
    *ret_session = owner;
    return 0;
}

static int chunk(void *session, const struct tac_format_chunk *head, const void *payload)
{
    uint64_t *bytes = session;
    (void)payload;
    *bytes += head->bytes;
    return 0;
}

static struct tac_receive *receiver(uint64_t *bytes)
{
    char address[128];
    struct tac_receive_config config = {.owner = bytes, .begin = begin, .chunk = chunk};
    struct tac_receive *r = NULL;
    snprintf(address, sizeof address, "listen:%s", name);
    CHECK(tac_net_parse(address, &config.address, NULL) == 0 &&
          tac_receive_open(&config, NULL, &r) == 0);
    return r;
}

/* A recorder's side; it was answered, or its connection is closed. */
static int join(struct tac_receive *r, uint64_t session)
{
    struct {
        struct tac_wire_knock knock;
        struct tac_wire_hello hello;
    } greeting = {{TAC_WIRE_KNOCK, TAC_WIRE_VERSION, {0}},
                  {TAC_WIRE_HELLO, TAC_WIRE_VERSION, session, 0, 1, 0}};
    struct tac_net_address a;
    bool done;
    CHECK(tac_net_parse(name, &a, NULL) == 0);
    int fd = tac_net_connect(&a, &done);
    CHECK(fd >= 0 && send(fd, &greeting, sizeof greeting, MSG_NOSIGNAL) == sizeof greeting);
    struct tac_wire_answer answer;
    for (int i = 0; i < 1000 && recv(fd, &answer, sizeof answer, MSG_DONTWAIT) < 0; i++)
        CHECK(tac_receive_pump(r, -1, 10) == 0);
    return fd;
}

static bool is_closed(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

/* A chunk of zeros with its header, in a buffer that the caller frees. */
static unsigned char *zeros(uint32_t bytes)
{
    struct tac_format_chunk head = {
        .magic = TAC_FORMAT_MAGIC, .kind = TAC_CHUNK_RECORDS, .count = 1, .bytes = bytes};
    unsigned char *all = calloc(1, sizeof head + bytes);
    head.crc = tac_crc32c(tac_crc32c(0, &head, sizeof head), all + sizeof head, bytes);
    memcpy(all, &head, sizeof head);
    return all;
}

/* Sends all, and pumps where the other end has to take something first. */
static void push(struct tac_receive *r, int fd, const void *bytes, size_t n)
{
    const unsigned char *at = bytes;
    while (n) {
        ssize_t sent = send(fd, at, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        at += sent > 0 ? sent : 0;
        n -= sent > 0 ? (size_t)sent : 0;
        REQUIRE(sent >= 0 || errno == EAGAIN);
        if (sent < 0)
            CHECK(tac_receive_pump(r, -1, 10) == 0);
    }
}

/* In plain frames. */
static void push_plain(struct tac_receive *r, int fd, const unsigned char *bytes, size_t n)
{
    for (size_t at = 0; at < n; at += FRAME_BYTES) {
        uint16_t part = (uint16_t)(n - at < FRAME_BYTES ? n - at : FRAME_BYTES);
        push(r, fd, &(struct tac_wire_frame){part, 0}, sizeof(struct tac_wire_frame));
        push(r, fd, bytes + at, part);
    }
}

/* The bytes in squeezed frames. Returns how many these are. */
static size_t frames_of(struct tac_squeeze *squeeze, const unsigned char *bytes, size_t n,
                        unsigned char *ret_frames)
{
    unsigned char *to = ret_frames;
    for (size_t at = 0, part; at < n; at += part) {
        part = n - at < TAC_SQUEEZE_PLAIN_MAX ? n - at : TAC_SQUEEZE_PLAIN_MAX;
        struct tac_wire_frame frame = {(uint16_t)part, 0};
        frame.squeezed = (uint16_t)tac_squeeze_in(squeeze, bytes + at, part, to + sizeof frame);
        memcpy(to, &frame, sizeof frame);
        to += sizeof frame + frame.squeezed;
    }
    return (size_t)(to - ret_frames);
}

/* Large chunks behind small ones, which leave a gap in front of them. */
static void memory_is_that_of_a_chunk(void)
{
    enum { LARGE = TAC_WIRE_BYTES_MAX, SMALL = 700000, ROUNDS = 3 };
    uint64_t bytes = 0;
    struct tac_receive *r = receiver(&bytes);
    unsigned char *large = zeros(LARGE), *small = zeros(SMALL);
    int fd = join(r, 77);
    largest = 0;
    for (int i = 0; i < ROUNDS; i++) {
        push_plain(r, fd, small, sizeof(struct tac_format_chunk) + SMALL);
        push_plain(r, fd, large, sizeof(struct tac_format_chunk) + LARGE);
    }
    for (int i = 0; i < 1000 && bytes < ROUNDS * (uint64_t)(LARGE + SMALL); i++)
        CHECK(tac_receive_pump(r, -1, 10) == 0);
    CHECK(bytes == ROUNDS * (uint64_t)(LARGE + SMALL));
    CHECK_MSG(largest && largest <= LARGE + 2 * FRAME_BYTES + 2 * READ_BYTES, "%zu", largest);
    close(fd);
    tac_receive_close(r);
    free(large);
    free(small);
}

/* Some ten bytes become 2 000: what comes with one read would keep all others waiting. */
static void a_turn_is_bounded(void)
{
    enum { CHUNK = 50000, CHUNKS = 80, ROOM = 1 << 20 };
    uint64_t bytes = 0, before = 0, most = 0;
    struct tac_receive *r = receiver(&bytes);
    struct tac_squeeze *squeeze = tac_squeeze_new();
    unsigned char *one = zeros(CHUNK), *frames = malloc(ROOM);
    size_t n = 0;
    for (int i = 0; i < CHUNKS && n < ROOM / 2; i++)
        n += frames_of(squeeze, one, sizeof(struct tac_format_chunk) + CHUNK, frames + n);
    int fd = join(r, 77);
    CHECK_MSG(send(fd, frames, n, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)n, "%zu bytes", n);
    for (int i = 0; i < 1000 && bytes < (uint64_t)CHUNK * CHUNKS; i++) {
        CHECK(tac_receive_pump(r, -1, 10) == 0);
        most = bytes - before > most ? bytes - before : most;
        before = bytes;
    }
    CHECK(bytes == (uint64_t)CHUNK * CHUNKS);
    CHECK_MSG(most <= TURN_BYTES + CHUNK, "%llu at once", (unsigned long long)most);
    close(fd);
    tac_receive_close(r);
    tac_squeeze_free(squeeze);
    free(frames);
    free(one);
}

/* Those who greeted and then say nothing keep nobody out for longer than some seconds; nobody who
 * has not greeted takes their place. */
static void silent_ones_make_room(void)
{
    enum { PLACES = 16, SILENT_S = 6 };
    uint64_t bytes = 0;
    struct tac_receive *r = receiver(&bytes);
    int fd[PLACES + 2];
    for (int i = 0; i <= PLACES; i++)
        fd[i] = join(r, 100 + (uint64_t)i);
    CHECK(tac_receive_stats(r).live == PLACES && is_closed(fd[PLACES]));
    later_s += SILENT_S;
    struct tac_net_address a;
    bool done;
    int stranger = tac_net_parse(name, &a, NULL) ? -1 : tac_net_connect(&a, &done);
    CHECK(stranger >= 0 && tac_receive_pump(r, -1, 1000) == 0 &&
          tac_receive_stats(r).live == PLACES);
    close(stranger);
    CHECK(send(fd[0], "", 1, MSG_NOSIGNAL) == 1 && tac_receive_pump(r, -1, 1000) == 0);
    fd[PLACES + 1] = join(r, 200);
    CHECK(tac_receive_stats(r).live == PLACES && !is_closed(fd[PLACES + 1]));
    CHECK(!is_closed(fd[0]) && is_closed(fd[1]) && !is_closed(fd[2]));
    for (int i = 0; i < PLACES + 2; i++)
        close(fd[i]);
    tac_receive_close(r);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    snprintf(name, sizeof name, "unix:@tactus-test-receive-%d", (int)getpid());
    TEST(memory_is_that_of_a_chunk);
    TEST(a_turn_is_bounded);
    TEST(silent_ones_make_room);
    return test_end();
}
