/* SPDX-License-Identifier: MIT
 * test_wire.c - a recorder's end of a connection, with the other end played here: what goes plain
 * and what squeezed, and what is told of losses at the end of a thread. */
#include "trace/wire.h"

#include "base/clock.h"
#include "tactus/cycle.h"
#include "trace/perf.h"
#include "trace/squeeze.h"

#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { QUEUE = TAC_WIRE_QUEUE_BYTES_MIN, CHUNK = 4000, CHUNKS = QUEUE / 2 / CHUNK, ROUNDS = 5000 };

/* The other end: what has come, and what it was. */
static struct {
    int listener, fd;
    unsigned char bytes[2 * QUEUE]; /* frames as they came, from `at` on not looked at */
    size_t have, at;
    unsigned char plain[2 * QUEUE]; /* what the frames carried */
    size_t got, plain_bytes, squeezed_bytes;
    struct tac_squeeze *squeeze;
} peer;

static unsigned char sent[2 * QUEUE];
static size_t sent_bytes;

/* A listener whose connections hold so many bytes; returns its address. */
static const char *listen_here(int room)
{
    static char address[32];
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof a;
    memset(&peer, 0, sizeof peer);
    peer.fd = -1;
    peer.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(peer.listener, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (bind(peer.listener, (struct sockaddr *)&a, sizeof a) || listen(peer.listener, 1) ||
        getsockname(peer.listener, (struct sockaddr *)&a, &length))
        abort();
    snprintf(address, sizeof address, "tcp:127.0.0.1:%d", ntohs(a.sin_port));
    peer.squeeze = tac_squeeze_new();
    return address;
}

static bool take(void *to, size_t n)
{
    if (peer.have - peer.at < n)
        return false;
    memcpy(to, peer.bytes + peer.at, n);
    peer.at += n;
    return true;
}

static void hear(size_t most)
{
    struct pollfd p = {.fd = peer.fd, .events = POLLIN};
    size_t room = sizeof peer.bytes - peer.have;
    ssize_t n = poll(&p, 1, 5) == 1
                    ? recv(peer.fd, peer.bytes + peer.have, most < room ? most : room, MSG_DONTWAIT)
                    : 0;
    peer.have += n > 0 ? (size_t)n : 0;
}

/* Looks at whole frames. */
static void take_frames(void)
{
    struct tac_wire_frame head;
    while (peer.have - peer.at >= sizeof head) {
        memcpy(&head, peer.bytes + peer.at, sizeof head);
        size_t body = head.squeezed ? head.squeezed : head.plain;
        if (peer.have - peer.at - sizeof head < body)
            return;
        unsigned char *from = peer.bytes + peer.at + sizeof head, *to = peer.plain + peer.got;
        REQUIRE(peer.got + head.plain <= sizeof peer.plain);
        if (head.squeezed) {
            tac_squeeze_out(peer.squeeze, from, body, to, head.plain);
        } else {
            tac_squeeze_pass(peer.squeeze, from, body);
            memcpy(to, from, body);
        }
        *(head.squeezed ? &peer.squeezed_bytes : &peer.plain_bytes) += head.plain;
        peer.got += head.plain;
        peer.at += sizeof head + body;
    }
}

/* Chunks of bytes that are hard to squeeze, half a queue of them. */
static void put_chunks(struct tac_wire *w)
{
    static unsigned char payload[CHUNK];
    uint64_t state = 88172645463325252ull;
    sent_bytes = 0;
    for (uint32_t i = 0; i < CHUNKS; i++) {
        for (size_t k = 0; k < CHUNK; k++) {
            state = state * 6364136223846793005ull + 1442695040888963407ull;
            payload[k] = (unsigned char)(state >> 56);
        }
        struct tac_format_chunk head = {
            .magic = TAC_FORMAT_MAGIC, .kind = TAC_CHUNK_RECORDS, .bytes = CHUNK, .sequence = i};
        struct iovec piece[2] = {{&head, sizeof head}, {payload, CHUNK}};
        REQUIRE(tac_wire_put(w, &head, piece, 2));
        memcpy(sent + sent_bytes, &head, sizeof head);
        memcpy(sent + sent_bytes + sizeof head, payload, CHUNK);
        sent_bytes += sizeof head + CHUNK;
    }
}

/* Greetings up to where chunks flow. NULL: a helper pumps. */
static void meet(struct tac_wire *w)
{
    struct {
        struct tac_wire_knock knock;
        struct tac_wire_hello hello;
    } both;
    struct tac_wire_answer go = {TAC_WIRE_ANSWER, TAC_WIRE_GO, 0};
    for (int i = 0; i < ROUNDS && peer.fd < 0; i++) {
        struct pollfd p = {.fd = peer.listener, .events = POLLIN};
        if (w)
            tac_wire_pump(w);
        peer.fd = poll(&p, 1, 2) == 1 ? accept4(peer.listener, NULL, NULL, SOCK_CLOEXEC) : -1;
    }
    REQUIRE(peer.fd >= 0);
    for (int i = 0; i < ROUNDS && peer.have < sizeof both; i++) {
        if (w)
            tac_wire_pump(w);
        hear(sizeof both - peer.have);
    }
    REQUIRE(take(&both, sizeof both) && both.knock.magic == TAC_WIRE_KNOCK);
    REQUIRE(send(peer.fd, &go, sizeof go, MSG_NOSIGNAL) == (ssize_t)sizeof go);
}

static void part(struct tac_wire *w)
{
    tac_wire_close(w);
    tac_squeeze_free(peer.squeeze);
    close(peer.fd);
    close(peer.listener);
}

/* All of what was put, through so much room, read in pieces of so many bytes with a pump before
 * each.
 */
static void carry(int room, size_t piece)
{
    struct tac_wire *w = NULL;
    REQUIRE(tac_wire_open(listen_here(room), NULL, QUEUE, &w) == 0);
    put_chunks(w);
    meet(w);
    for (int i = 0; i < ROUNDS && peer.got < sent_bytes && peer.fd >= 0; i++) {
        tac_wire_pump(w);
        hear(piece);
        take_frames();
    }
    CHECK_MSG(peer.got == sent_bytes && !memcmp(peer.plain, sent, sent_bytes), "%zu of %zu",
              peer.got, sent_bytes);
    part(w);
}

/* Plain frames would be larger, and the connection is what all waits for. */
static void a_slow_connection_gets_squeezed_frames(void)
{
    if (test_emulated())
        SKIP("an emulator does not tell what waits in the kernel");
    carry(4 << 10, 2 << 10);
    CHECK_MSG(peer.plain_bytes == 0, "%zu plain, %zu squeezed", peer.plain_bytes,
              peer.squeezed_bytes);
}

/* What a pass cannot squeeze goes as it is, and what follows is squeezed right. */
static void a_fast_connection_gets_the_rest_plain(void)
{
    carry(1 << 20, SIZE_MAX);
    CHECK_MSG(peer.plain_bytes > 0 && peer.squeezed_bytes > 0, "%zu plain, %zu squeezed",
              peer.plain_bytes, peer.squeezed_bytes);
}

/* ---- what was lost at the end of a thread ---- */

static void *stop_recording(void *unused)
{
    CHECK(tac_trace_stop() == 0);
    return unused;
}

/* The next chunk of what has come; NULL: not whole yet. */
static const struct tac_format_chunk *next_chunk(size_t *at)
{
    static struct tac_format_chunk head;
    if (peer.got - *at < sizeof head)
        return NULL;
    memcpy(&head, peer.plain + *at, sizeof head);
    if (peer.got - *at - sizeof head < head.bytes)
        return NULL;
    *at += sizeof head + head.bytes;
    return &head;
}

/* All chunks up to the last, acknowledged; a text in their META lines, or NULL. */
static const char *receive_until_end(const char *wanted)
{
    static char line[256];
    const struct tac_format_chunk *chunk = NULL;
    struct tac_wire_answer have = {TAC_WIRE_ANSWER, TAC_WIRE_GO, 0};
    const char *found = NULL;
    size_t at = 0;
    for (int i = 0; i < ROUNDS && !(chunk && chunk->kind == TAC_CHUNK_END); i++) {
        hear(SIZE_MAX);
        take_frames();
        while ((chunk = next_chunk(&at)) && ++have.chunks && chunk->kind != TAC_CHUNK_END) {
            size_t n = chunk->bytes < sizeof line - 1 ? chunk->bytes : sizeof line - 1;
            if (chunk->kind != TAC_CHUNK_META || found)
                continue;
            memcpy(line, peer.plain + at - chunk->bytes, n);
            line[n] = 0;
            found = strstr(line, wanted);
        }
    }
    CHECK(chunk && chunk->kind == TAC_CHUNK_END);
    CHECK(send(peer.fd, &have, sizeof have, MSG_NOSIGNAL) == (ssize_t)sizeof have);
    return found;
}

static void nap(void)
{
    tac_clock_sleep_until(tac_clock_ns() + 2000000);
}

/* Until the queue of the stream is so full that it takes nothing small either; nobody has come yet.
 */
static void fill_queue(void)
{
    struct tac_trace_stats stats = {0};
    uint64_t before = 0;
    for (int i = 0, full = 0; i < ROUNDS && full < 20; i++) {
        before = stats.dropped;
        for (int k = 0; k < (full ? 1 : 500); k++) {
            TAC_ZONE("zone");
            TAC_PLOT("curve", "", sqrt((double)(k * i)));
        }
        nap();
        tac_trace_get_stats(&stats);
        full += stats.dropped > before;
    }
    CHECK(stats.dropped > before);
}

static void fault_in(size_t pages)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *fresh =
        mmap(NULL, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(fresh != MAP_FAILED && madvise(fresh, pages * page, MADV_NOHUGEPAGE) == 0);
    for (size_t i = 0; i < pages; i++)
        ((volatile char *)fresh)[i * page] = 1;
    munmap(fresh, pages * page);
}

static bool perf_is_there(const struct tac_perf_config *config)
{
    struct tac_perf *perf = NULL;
    bool is_there = tac_perf_open((uint32_t)gettid(), config, &perf) == 0 &&
                    (!config->stacks || tac_perf_has_stacks(perf));
    tac_perf_close(perf);
    return is_there;
}

/* A thread faults while the stream takes nothing, and ends: what the META line of that name says in
 * the end is at least a number for each fault. */
static void check_lost(uint32_t evidence, const char *line)
{
    enum { PAGES = 64 };
    pthread_t thread;
    struct tac_trace_config config = {
        .path = listen_here(1 << 20), .drain_ms = 1, .stream_bytes = QUEUE, .evidence = evidence};
    REQUIRE(tac_trace_start(&config) == 0 && tac_thread_register("worker", 1 << 14) == 0);
    fill_queue();
    fault_in(PAGES);
    for (int i = 0; i < 10; i++)
        nap();
    tac_thread_unregister();
    pthread_create(&thread, NULL, stop_recording, NULL);
    meet(NULL);
    const char *lost = receive_until_end(line);
    pthread_join(thread, NULL);
    part(NULL);
    CHECK_MSG(lost && atol(strchr(lost, '=') + 1) >= PAGES, "%s", lost ? lost : "nothing was told");
}

static void kernel_events_lost_at_a_threads_end_are_told(void)
{
    if (!perf_is_there(&(struct tac_perf_config){0}))
        SKIP("the kernel shows this process no events of its own");
    check_lost(TAC_EVIDENCE_PERF, "evidence.perf.lost=");
}

static void stacks_without_room_are_told(void)
{
    if (!perf_is_there(&(struct tac_perf_config){.stacks = TAC_PERF_CHAINS}))
        SKIP("the kernel takes no stacks of this process");
    check_lost(TAC_EVIDENCE_PERF | TAC_EVIDENCE_STACKS, "evidence.stacks.lost=");
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(a_slow_connection_gets_squeezed_frames);
    TEST(a_fast_connection_gets_the_rest_plain);
    TEST(kernel_events_lost_at_a_threads_end_are_told);
    TEST(stacks_without_room_are_told);
    return test_end();
}
