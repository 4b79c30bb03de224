/* SPDX-License-Identifier: MIT
 * wire.c - see wire.h.
 *
 * The queue is a byte ring of entries {struct entry, chunk}. Positions run freely.
 *   first .. cursor   sent, not acknowledged      cursor .. end   not sent (the first one in part)
 * Invariants: first <= cursor <= end <= first + size; numbers count chunks in the same way.
 *
 * What lies at the cursor goes out in frames, over TCP squeezed (a Unix socket has room enough).
 * That takes time which the rings may not have, so a pass squeezes PASS_BYTES at most; when more
 * than a quarter of the queue waits even so, and not because the connection is the slower one, the
 * rest goes plain. */
#include "trace/wire.h"

#include "base/clock.h"
#include "base/net.h"
#include "trace/squeeze.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PASS_BYTES = 32 << 10,
    PLAIN_BYTES = 16 << 10, /* of a plain frame at most */
    OUT_BYTES = 2 << 16,
    RETRY_MS = 100,
    RETRY_MS_MAX = 4000,
    ANSWER_MS = 5000,
    APART_MS = 10000,
    GUESTS = 8
};
enum state { APART, CONNECTING, GREETED, LIVE };

/* Who has connected and not shown the token yet. Who says nothing keeps nobody else out: the next
 * one takes the place of the one who has waited longest. */
struct guest {
    bool is_here;
    int fd;
    uint64_t until_ns;
    unsigned char in[sizeof(struct tac_wire_knock)];
    size_t in_bytes;
};

struct entry {
    uint32_t bytes; /* of the chunk */
};

struct tac_wire {
    struct tac_net_address address;
    char token[TAC_TOKEN_BYTES];
    int fd, listener;
    enum state state;
    uint64_t until_ns; /* APART: next attempt; before LIVE: give up */
    uint64_t stay_ns;  /* on demand: the one who left may come back until then */
    uint32_t retry_ms;
    bool restart;    /* the other end does not know what was acknowledged */
    bool incomplete; /* a definition had no room: begin anew when the rest is through */
    uint64_t session;
    /* what comes from the other end, until it is whole */
    unsigned char in[sizeof(struct tac_wire_answer)];
    size_t in_bytes;
    struct guest guest[GUESTS];
    /* the queue */
    unsigned char *ring;
    size_t size;
    uint64_t first, cursor, end; /* positions in all that ever was in it */
    size_t cursor_sent;          /* of the chunk at cursor */
    uint64_t first_number, cursor_number, end_number;
    /* frames on their way */
    struct tac_squeeze *squeeze; /* NULL: frames are plain */
    unsigned char *out;
    size_t out_bytes, out_sent;
    uint64_t sent; /* since the start, over all connections */
};
static_assert(OUT_BYTES >= sizeof(struct tac_wire_frame) + TAC_SQUEEZE_BYTES_MAX, "a frame fits");

static uint64_t new_session(void)
{
    uint64_t session = 0;
    if (getrandom(&session, sizeof session, GRND_NONBLOCK) != sizeof session)
        session = tac_clock_ns() * 0x9e3779b97f4a7c15ull ^ (uint64_t)getpid();
    return session | 1;
}

int tac_wire_open(const char *address, const char *token, size_t queue_bytes,
                  struct tac_wire **ret_stream)
{
    struct tac_wire *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    s->fd = s->listener = -1;
    s->retry_ms = RETRY_MS;
    s->session = new_session();
    s->size = queue_bytes ? queue_bytes : TAC_WIRE_QUEUE_BYTES;
    if (token)
        memcpy(s->token, token, strnlen(token, sizeof s->token));
    int error = tac_net_parse(address, &s->address, NULL);
    if (!error && s->size < TAC_WIRE_QUEUE_BYTES_MIN)
        error = -EINVAL;
    if (!error && s->address.listens && !s->address.is_local && !*s->token)
        error = -EACCES; /* whoever can reach this machine could read along */
    s->out = malloc(OUT_BYTES);
    s->ring = malloc(s->size);
    if (!error && !(s->ring && s->out))
        error = -ENOMEM;
    if (!error && s->address.listens)
        error = (s->listener = tac_net_listen(&s->address)) < 0 ? s->listener : 0;
    if (error) {
        tac_wire_close(s);
        return error;
    }
    memset(s->ring, 0, s->size); /* pages are there before they are needed */
    *ret_stream = s;
    return 0;
}

static void send_away(struct guest *g)
{
    if (g->is_here)
        close(g->fd);
    *g = (struct guest){0};
}

void tac_wire_leave(struct tac_wire *s)
{
    if (!s)
        return;
    for (int i = 0; i < GUESTS; i++)
        send_away(&s->guest[i]);
    if (s->listener >= 0)
        close(s->listener);
    if (s->fd >= 0)
        close(s->fd);
    s->listener = s->fd = -1;
}

void tac_wire_close(struct tac_wire *s)
{
    if (!s)
        return;
    if (s->listener >= 0)
        tac_net_unlink(&s->address);
    tac_wire_leave(s);
    tac_squeeze_free(s->squeeze);
    free(s->out);
    free(s->ring);
    free(s);
}

/* ---- the queue ---- */

static void ring_write(struct tac_wire *s, const void *bytes, size_t n)
{
    size_t at = (size_t)(s->end % s->size), head = n < s->size - at ? n : s->size - at;
    memcpy(s->ring + at, bytes, head);
    memcpy(s->ring, (const char *)bytes + head, n - head);
    s->end += n;
}

static void ring_read(const struct tac_wire *s, uint64_t position, void *to, size_t n)
{
    size_t at = (size_t)(position % s->size), head = n < s->size - at ? n : s->size - at;
    memcpy(to, s->ring + at, head);
    memcpy((char *)to + head, s->ring, n - head);
}

static uint32_t entry_bytes(const struct tac_wire *s, uint64_t position)
{
    struct entry e;
    ring_read(s, position, &e, sizeof e);
    return e.bytes;
}

/* What can be left out without making the rest unreadable. */
static bool may_be_dropped(uint16_t kind)
{
    return tac_chunk_is_events(kind) || kind == TAC_CHUNK_CLOCK;
}

bool tac_wire_put(struct tac_wire *s, const struct tac_format_chunk *head,
                  const struct iovec *piece, int pieces)
{
    uint64_t need = sizeof(struct entry), room = s->size - (s->end - s->first);
    for (int i = 0; i < pieces; i++)
        need += piece[i].iov_len;
    uint64_t reserve = may_be_dropped(head->kind) ? s->size / 4 : 0;
    if (need + reserve > room || s->incomplete) {
        s->incomplete = s->incomplete || !may_be_dropped(head->kind);
        return false;
    }
    struct entry e = {(uint32_t)(need - sizeof e)};
    ring_write(s, &e, sizeof e);
    for (int i = 0; i < pieces; i++)
        ring_write(s, piece[i].iov_base, piece[i].iov_len);
    s->end_number++;
    return true;
}

/* Go back to the oldest chunk that is not acknowledged. */
static void rewind_cursor(struct tac_wire *s)
{
    s->cursor = s->first;
    s->cursor_number = s->first_number;
    s->cursor_sent = 0;
}

/* The other end has so many chunks. False when that cannot be. */
static bool acknowledge(struct tac_wire *s, uint64_t chunks)
{
    if (chunks < s->first_number || chunks > s->cursor_number)
        return chunks < s->first_number; /* an old answer */
    for (; s->first_number < chunks; s->first_number++)
        s->first += sizeof(struct entry) + entry_bytes(s, s->first);
    return true;
}

/* The next bytes of chunks, at most so many; returns how many. */
static size_t take_bytes(struct tac_wire *s, unsigned char *to, size_t most)
{
    size_t n = 0;
    while (n < most && s->cursor < s->end) {
        uint32_t bytes = entry_bytes(s, s->cursor);
        size_t left = bytes - s->cursor_sent, piece = left < most - n ? left : most - n;
        ring_read(s, s->cursor + sizeof(struct entry) + s->cursor_sent, to + n, piece);
        n += piece;
        s->cursor_sent += piece;
        if (piece < left)
            break;
        s->cursor += sizeof(struct entry) + bytes;
        s->cursor_sent = 0;
        s->cursor_number++;
    }
    return n;
}

static void put_frame(struct tac_wire *s, bool squeezed)
{
    unsigned char plain[TAC_SQUEEZE_PLAIN_MAX];
    unsigned char *body = s->out + s->out_bytes + sizeof(struct tac_wire_frame);
    size_t n = squeezed ? take_bytes(s, plain, sizeof plain) : take_bytes(s, body, PLAIN_BYTES);
    size_t bytes = squeezed ? tac_squeeze_in(s->squeeze, plain, n, body) : n;
    if (s->squeeze && !squeezed)
        tac_squeeze_pass(s->squeeze, body, n);
    struct tac_wire_frame head = {(uint16_t)n, (uint16_t)(squeezed ? bytes : 0)};
    memcpy(s->out + s->out_bytes, &head, sizeof head);
    s->out_bytes += sizeof head + bytes;
}

/* Whether the connection takes what it is given, or lets it wait in the kernel. */
static bool is_fast(const struct tac_wire *s)
{
    int unsent = 0;
    return ioctl(s->fd, SIOCOUTQNSD, &unsent) != 0 || unsent == 0;
}

/* Frames of what waits, as many as there is room for. False: none. */
static bool fill_out(struct tac_wire *s, size_t *budget)
{
    s->out_bytes = s->out_sent = 0;
    while (s->cursor < s->end) {
        bool squeezed = s->squeeze && *budget >= TAC_SQUEEZE_PLAIN_MAX;
        size_t most = squeezed ? TAC_SQUEEZE_BYTES_MAX : PLAIN_BYTES;
        bool may_be_plain =
            !s->squeeze || (!s->out_bytes && s->end - s->cursor > s->size / 4 && is_fast(s));
        if (!squeezed && !may_be_plain)
            break;
        if (s->out_bytes + sizeof(struct tac_wire_frame) + most > OUT_BYTES)
            break;
        put_frame(s, squeezed);
        *budget -= squeezed ? TAC_SQUEEZE_PLAIN_MAX : 0;
    }
    return s->out_bytes > 0;
}

/* ---- the connection ---- */

static void part(struct tac_wire *s)
{
    uint64_t now = tac_clock_ns();
    if (s->fd >= 0)
        close(s->fd);
    if (s->state == LIVE)
        s->stay_ns = now + (uint64_t)APART_MS * 1000000;
    s->fd = -1;
    s->state = APART;
    s->in_bytes = s->out_bytes = s->out_sent = 0;
    s->until_ns = now + (uint64_t)s->retry_ms * 1000000;
    s->retry_ms = 2 * s->retry_ms < RETRY_MS_MAX ? 2 * s->retry_ms : RETRY_MS_MAX;
}

static void enter(struct tac_wire *s, enum state state)
{
    s->state = state;
    s->until_ns = tac_clock_ns() + (uint64_t)ANSWER_MS * 1000000;
}

/* A few bytes on a fresh connection: all or nothing. */
static void say(struct tac_wire *s, const void *bytes, size_t n, enum state next)
{
    if (send(s->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)n)
        enter(s, next);
    else
        part(s);
}

/* Forget the queue; what comes is another session. */
static void begin_session(struct tac_wire *s)
{
    s->session = new_session();
    s->first = s->cursor = s->end;
    s->cursor_sent = 0;
    s->first_number = s->cursor_number = s->end_number = 0;
}

static void greet(struct tac_wire *s, bool knocks)
{
    if (s->address.listens && tac_clock_ns() >= s->stay_ns) {
        begin_session(s);
        s->restart = true;
    }
    struct {
        struct tac_wire_knock knock;
        struct tac_wire_hello hello;
    } both = {{TAC_WIRE_KNOCK, TAC_WIRE_VERSION, {0}},
              {TAC_WIRE_HELLO, TAC_WIRE_VERSION, s->session, s->first_number, (uint32_t)getpid(),
               TAC_WIRE_GO}};
    memcpy(both.knock.token, s->token, sizeof both.knock.token);
    if (knocks)
        say(s, &both, sizeof both, GREETED);
    else
        say(s, &both.hello, sizeof both.hello, GREETED);
}

/* In constant time, so that the answer's delay tells nothing. */
static bool same_token(const struct tac_wire *s, const char *token)
{
    unsigned char difference = 0;
    for (size_t i = 0; i < TAC_TOKEN_BYTES; i++)
        difference |= (unsigned char)(s->token[i] ^ token[i]);
    return !difference;
}

/* A guest has said all: it becomes the other end, and those who still wait may come again, or it is
 * told why not. */
static void take_knock(struct tac_wire *s, struct guest *g)
{
    struct tac_wire_knock knock;
    memcpy(&knock, g->in, sizeof knock);
    uint32_t status = knock.version != TAC_WIRE_VERSION ? TAC_WIRE_BAD_VERSION
                      : !same_token(s, knock.token)     ? TAC_WIRE_BAD_TOKEN
                                                        : TAC_WIRE_GO;
    if (knock.magic == TAC_WIRE_KNOCK && status == TAC_WIRE_GO) {
        s->fd = g->fd;
        g->is_here = false;
        for (int i = 0; i < GUESTS; i++)
            send_away(&s->guest[i]);
        greet(s, false);
        return;
    }
    struct tac_wire_hello no = {
        .magic = TAC_WIRE_HELLO, .version = TAC_WIRE_VERSION, .status = status};
    if (knock.magic == TAC_WIRE_KNOCK)
        (void)!send(g->fd, &no, sizeof no, MSG_NOSIGNAL | MSG_DONTWAIT);
    send_away(g);
}

static struct guest *place_for_guest(struct tac_wire *s)
{
    struct guest *oldest = &s->guest[0];
    for (int i = 0; i < GUESTS; i++) {
        if (!s->guest[i].is_here)
            return &s->guest[i];
        if (s->guest[i].until_ns < oldest->until_ns)
            oldest = &s->guest[i];
    }
    send_away(oldest);
    return oldest;
}

/* At most GUESTS a time, so that a flood of them costs the helper no more. */
static void let_guests_in(struct tac_wire *s)
{
    for (int i = 0; i < GUESTS; i++) {
        int fd = tac_net_accept(s->listener);
        if (fd < 0)
            return;
        struct guest *g = place_for_guest(s);
        g->is_here = true;
        g->fd = fd;
        g->until_ns = tac_clock_ns() + (uint64_t)ANSWER_MS * 1000000;
    }
}

static void hear_guests(struct tac_wire *s)
{
    for (int i = 0; i < GUESTS && s->state == APART; i++) {
        struct guest *g = &s->guest[i];
        if (!g->is_here)
            continue;
        ssize_t n = recv(g->fd, g->in + g->in_bytes, sizeof g->in - g->in_bytes, MSG_DONTWAIT);
        g->in_bytes += n > 0 ? (size_t)n : 0;
        if (g->in_bytes == sizeof g->in)
            take_knock(s, g);
        else if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) ||
                 tac_clock_ns() > g->until_ns)
            send_away(g);
    }
}

static void take_answer(struct tac_wire *s)
{
    struct tac_wire_answer a;
    memcpy(&a, s->in, sizeof a);
    if (a.magic == TAC_WIRE_ANSWER && a.status == TAC_WIRE_GOODBYE && s->state == LIVE) {
        (void)acknowledge(s, a.chunks);
        part(s);
        s->stay_ns = 0; /* it does not come back: who comes next begins anew */
        return;
    }
    if (a.magic != TAC_WIRE_ANSWER || a.status != TAC_WIRE_GO) {
        s->retry_ms = RETRY_MS_MAX;
        part(s);
        return;
    }
    if (s->state == GREETED) {
        s->state = LIVE;
        s->retry_ms = RETRY_MS;
        s->cursor_number = s->end_number; /* whatever was sent before, it says what it has */
        /* nobody has the chunks that were acknowledged to somebody else */
        if (a.chunks < s->first_number || !acknowledge(s, a.chunks))
            s->restart = true;
        rewind_cursor(s);
        /* what was learnt of the last connection, the other end has forgotten */
        tac_squeeze_free(s->squeeze);
        s->squeeze = s->address.name.ss_family == AF_UNIX ? NULL : tac_squeeze_new();
    } else if (!acknowledge(s, a.chunks)) {
        part(s);
    }
}

/* True when another message of the size is whole. */
static bool receive(struct tac_wire *s, size_t size)
{
    ssize_t n = recv(s->fd, s->in + s->in_bytes, size - s->in_bytes, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        part(s);
        return false;
    }
    s->in_bytes += n > 0 ? (size_t)n : 0;
    if (s->in_bytes < size)
        return false;
    s->in_bytes = 0;
    return true;
}

static void hear(struct tac_wire *s)
{
    while ((s->state == GREETED || s->state == LIVE) && receive(s, sizeof(struct tac_wire_answer)))
        take_answer(s);
}

static void send_queue(struct tac_wire *s)
{
    size_t budget = PASS_BYTES;
    while (s->state == LIVE && !s->restart) {
        if (s->out_sent == s->out_bytes && !fill_out(s, &budget))
            return;
        ssize_t n = send(s->fd, s->out + s->out_sent, s->out_bytes - s->out_sent,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            hear(s); /* it may have said goodbye before it closed */
            if (s->state == LIVE)
                part(s);
            return;
        }
        if (n <= 0)
            return;
        s->out_sent += (size_t)n;
        s->sent += (uint64_t)n;
    }
}

static void try_to_meet(struct tac_wire *s)
{
    bool done = false;
    if (s->address.listens) {
        let_guests_in(s);
        hear_guests(s);
        return;
    }
    if (tac_clock_ns() < s->until_ns)
        return;
    s->fd = tac_net_connect(&s->address, &done);
    enter(s, CONNECTING);
    if (s->fd < 0)
        part(s);
    else if (done)
        greet(s, true);
}

static void finish_connect(struct tac_wire *s)
{
    struct pollfd p = {.fd = s->fd, .events = POLLOUT};
    if (poll(&p, 1, 0) != 1)
        return;
    if (tac_net_connected(s->fd))
        part(s);
    else
        greet(s, true);
}

void tac_wire_pump(struct tac_wire *s)
{
    if (s->state == APART)
        try_to_meet(s);
    if (s->state == CONNECTING)
        finish_connect(s);
    hear(s);
    if (s->state != APART && s->state != LIVE && tac_clock_ns() > s->until_ns)
        part(s);
    send_queue(s);
}

uint64_t tac_wire_sent(const struct tac_wire *s)
{
    return s->sent;
}

bool tac_wire_is_wanted(const struct tac_wire *s)
{
    return !s->address.listens || s->state == LIVE || tac_clock_ns() < s->stay_ns;
}

bool tac_wire_takes_restart(struct tac_wire *s)
{
    bool through = s->incomplete && s->first == s->end;
    if (s->state != LIVE || !(s->restart || through))
        return false;
    s->restart = s->incomplete = false;
    uint64_t session = s->session;
    bool has_nothing = !s->cursor_number && !s->cursor_sent;
    begin_session(s);
    if (has_nothing) {
        s->session = session;
        return true;
    }
    part(s);
    s->until_ns = 0;
    s->retry_ms = RETRY_MS;
    return true;
}

bool tac_wire_finish(struct tac_wire *s, uint64_t until_ns)
{
    uint64_t begin = tac_clock_ns(), patience = until_ns > begin ? until_ns - begin : 0;
    while (tac_wire_is_wanted(s) && s->first < s->end &&
           tac_clock_ns() - begin < (s->state == LIVE ? patience : patience / 4)) {
        tac_wire_pump(s);
        struct pollfd p = {.fd = s->fd, .events = POLLIN};
        poll(&p, 1, 5);
    }
    return !tac_wire_is_wanted(s) || s->first == s->end; /* nobody asks for it, or all is there */
}
