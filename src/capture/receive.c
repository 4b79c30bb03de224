/* SPDX-License-Identifier: MIT
 * receive.c - see receive.h. */
#include "capture/receive.h"

#include "base/clock.h"
#include "base/crc.h"
#include "trace/squeeze.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CONNECTIONS = 24,
    LIVE = 16, /* of them; the rest is for those who have yet to show that they know the token */
    SESSIONS = 256,
    GREETING_MS = 5000,
    SILENT_MS = 5000, /* a recorder says the time ten times a second */
    RETRY_MS = 500,
    READS = 64,
    TURN_BYTES = 1 << 20, /* that one connection may become before the others are looked at */
    READ_BYTES = 1 << 16,
    FRAMES_BYTES = READ_BYTES + 65536 + sizeof(struct tac_wire_frame) /* a read, a frame */
};
enum state { FREE, CONNECTING, KNOCK, HELLO, CHUNKS };

struct session {
    uint64_t id, chunks;
    uint32_t pid;
    bool ended, begun;
    void *user;
};

struct connection {
    enum state state;
    int fd;
    uint64_t until_ns; /* before CHUNKS: give up; in CHUNKS: silent, when nothing came by then */
    struct session *session;
    uint64_t told;            /* chunks that were acknowledged */
    unsigned char *in;        /* of greetings, then of chunks */
    size_t given, have, room; /* in: bytes of chunks that were given on, all bytes, space */
    unsigned char *frames;    /* as they come */
    size_t framed;
    bool waits; /* its turn was over before its frames were */
    struct tac_squeeze *squeeze;
};

struct tac_receive {
    struct tac_receive_config config;
    char token[TAC_TOKEN_BYTES];
    int listener;
    uint64_t retry_ns;
    struct connection connection[CONNECTIONS];
    struct session session[SESSIONS];
    struct tac_receive_stats stats;
};

int tac_receive_open(const struct tac_receive_config *config, struct tac_error *err,
                     struct tac_receive **ret_receive)
{
    const struct tac_net_address *a = &config->address;
    if (a->listens && !a->is_local && !(config->token && *config->token))
        return tac_error_set(err, -EACCES, NULL, 0, 0,
                             "%s can be reached from other machines: give a token, or listen at "
                             "127.0.0.1",
                             a->text);
    struct tac_receive *r = calloc(1, sizeof *r);
    if (!r)
        return tac_error_set(err, -ENOMEM, NULL, 0, 0, "not enough memory");
    r->config = *config;
    if (config->token)
        memcpy(r->token, config->token, strnlen(config->token, sizeof r->token));
    r->listener = a->listens ? tac_net_listen(a) : -1;
    if (a->listens && r->listener < 0) {
        int error = r->listener;
        free(r);
        return tac_error_set(err, error, NULL, 0, 0, "cannot listen at %s: %s", a->text,
                             tac_error_sentence(error));
    }
    *ret_receive = r;
    return 0;
}

static void let_go(struct connection *c)
{
    if (c->fd >= 0)
        close(c->fd);
    free(c->in);
    free(c->frames);
    tac_squeeze_free(c->squeeze);
    *c = (struct connection){.fd = -1};
}

static void answer(struct connection *c, uint32_t status, uint64_t chunks)
{
    struct tac_wire_answer a = {TAC_WIRE_ANSWER, status, chunks};
    (void)!send(c->fd, &a, sizeof a, MSG_NOSIGNAL | MSG_DONTWAIT); /* the next one says more */
}

void tac_receive_close(struct tac_receive *r)
{
    if (!r)
        return;
    for (int i = 0; i < CONNECTIONS; i++) {
        struct connection *c = &r->connection[i];
        if (c->state == CHUNKS)
            answer(c, TAC_WIRE_GOODBYE, c->session->chunks);
        if (c->state != FREE)
            let_go(c);
    }
    if (r->listener >= 0) {
        close(r->listener);
        tac_net_unlink(&r->config.address);
    }
    free(r);
}

static void tell(struct tac_receive *r, enum tac_receive_news what, uint32_t pid)
{
    r->stats.refused += what == TAC_RECEIVE_REFUSED;
    r->stats.garbage += what == TAC_RECEIVE_GARBAGE;
    if (r->config.news)
        r->config.news(r->config.owner, what, pid);
}

static void part(struct tac_receive *r, struct connection *c, bool garbage)
{
    struct session *s = c->session;
    bool live = c->state == CHUNKS;
    let_go(c);
    r->retry_ns = tac_clock_ns() + (uint64_t)RETRY_MS * 1000000;
    if (garbage)
        tell(r, TAC_RECEIVE_GARBAGE, s ? s->pid : 0);
    r->stats.live -= live;
    if (live && s && !s->ended)
        tell(r, TAC_RECEIVE_LEFT, s->pid);
}

static void refuse(struct tac_receive *r, struct connection *c, uint32_t status)
{
    answer(c, status, 0);
    part(r, c, false);
    tell(r, TAC_RECEIVE_REFUSED, 0);
}

/* ---- the beginning of a connection ---- */

static bool same_token(const char *a, const char *b)
{
    unsigned char difference = 0;
    for (size_t i = 0; i < TAC_TOKEN_BYTES; i++)
        difference |= (unsigned char)(a[i] ^ b[i]);
    return !difference;
}

/* Bytes of a message that was begun with; it is dropped from the buffer. False: not whole yet. */
static bool take(struct connection *c, void *message, size_t n)
{
    if (c->have < n)
        return false;
    memcpy(message, c->in, n);
    c->have -= n;
    memmove(c->in, c->in + n, c->have);
    return true;
}

static void take_knock(struct tac_receive *r, struct connection *c)
{
    struct tac_wire_knock knock;
    if (!take(c, &knock, sizeof knock))
        return;
    if (knock.magic != TAC_WIRE_KNOCK)
        part(r, c, true);
    else if (knock.version != TAC_WIRE_VERSION)
        refuse(r, c, TAC_WIRE_BAD_VERSION);
    else if (!same_token(knock.token, r->token))
        refuse(r, c, TAC_WIRE_BAD_TOKEN);
    else
        c->state = HELLO;
}

static void heard(struct connection *c)
{
    c->until_ns = tac_clock_ns() + (uint64_t)SILENT_MS * 1000000;
}

static struct session *session_of(struct tac_receive *r, const struct tac_wire_hello *hello)
{
    for (uint32_t i = 0; i < r->stats.sessions; i++)
        if (r->session[i].id == hello->session)
            return &r->session[i];
    if (r->stats.sessions == SESSIONS)
        return NULL;
    struct session *s = &r->session[r->stats.sessions++];
    *s = (struct session){.id = hello->session, .pid = hello->pid};
    return s;
}

/* What it said while we were busy with others was not read yet. */
static bool is_silent(const struct connection *c)
{
    char byte;
    return c->state == CHUNKS && !c->waits && recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

/* Where all are taken, the one that has said nothing for longest goes: who holds a place must use
 * it. A recorder that was only stopped comes back and goes on. */
static bool make_place(struct tac_receive *r)
{
    struct connection *silent = NULL;
    uint64_t least_ns = tac_clock_ns();
    if (r->stats.live < LIVE)
        return true;
    for (int i = 0; i < CONNECTIONS; i++) {
        struct connection *c = &r->connection[i];
        if (c->until_ns < least_ns && is_silent(c)) {
            silent = c;
            least_ns = c->until_ns;
        }
    }
    if (silent)
        part(r, silent, false);
    return silent != NULL;
}

static void take_hello(struct tac_receive *r, struct connection *c)
{
    struct tac_wire_hello hello;
    if (!take(c, &hello, sizeof hello))
        return;
    bool refused = hello.magic == TAC_WIRE_HELLO && hello.status != TAC_WIRE_GO;
    if (refused) { /* we knocked, and the token was wrong */
        part(r, c, false);
        tell(r, TAC_RECEIVE_REFUSED, hello.pid);
        return;
    }
    if (hello.magic != TAC_WIRE_HELLO || hello.version != TAC_WIRE_VERSION) {
        part(r, c, true);
        return;
    }
    struct session *s = session_of(r, &hello);
    if (!s) {
        refuse(r, c, TAC_WIRE_BUSY);
        return;
    }
    for (int i = 0; i < CONNECTIONS; i++) /* it came back before we saw it go */
        if (&r->connection[i] != c && r->connection[i].state == CHUNKS &&
            r->connection[i].session == s)
            part(r, &r->connection[i], false);
    bool has_place = make_place(r);
    c->frames = has_place ? malloc(FRAMES_BYTES) : NULL;
    c->squeeze = has_place ? tac_squeeze_new() : NULL;
    if (!c->frames || !c->squeeze) {
        refuse(r, c, TAC_WIRE_BUSY);
        return;
    }
    c->framed = c->have; /* less than one read; of a recorder that does not wait for the answer */
    memcpy(c->frames, c->in, c->framed);
    c->have = 0;
    c->session = s;
    c->told = s->chunks;
    c->state = CHUNKS;
    heard(c);
    r->stats.live++;
    tell(r, TAC_RECEIVE_CAME, s->pid);
    answer(c, TAC_WIRE_GO, s->chunks);
}

/* ---- chunks ---- */

static int give(struct tac_receive *r, struct session *s, const struct tac_format_chunk *head,
                const void *payload)
{
    int error = s->begun ? 0 : r->config.begin(r->config.owner, s->pid, &s->user);
    if (error)
        return error;
    s->begun = true;
    error = r->config.chunk(s->user, head, payload);
    if (error)
        return error;
    s->chunks++;
    r->stats.chunks++;
    r->stats.bytes += sizeof *head + head->bytes;
    if (head->kind == TAC_CHUNK_END && !s->ended) {
        s->ended = true;
        r->stats.ended++;
        tell(r, TAC_RECEIVE_ENDED, s->pid);
    }
    return 0;
}

/* All chunks that are whole now. 0, -errno of the owner, or -EBADMSG. */
static int take_chunks(struct tac_receive *r, struct connection *c)
{
    int error = 0;
    struct tac_format_chunk head;
    while (!error && c->have - c->given >= sizeof head) {
        memcpy(&head, c->in + c->given, sizeof head);
        if (head.magic != TAC_FORMAT_MAGIC || head.bytes > TAC_WIRE_BYTES_MAX)
            error = -EBADMSG;
        if (error || c->have - c->given - sizeof head < head.bytes)
            break;
        const unsigned char *payload = c->in + c->given + sizeof head;
        uint32_t crc = head.crc;
        head.crc = 0;
        if (tac_crc32c(tac_crc32c(0, &head, sizeof head), payload, head.bytes) != crc)
            error = -EBADMSG;
        head.crc = crc;
        error = error ? error : give(r, c->session, &head, payload);
        c->given += error ? 0 : sizeof head + head.bytes;
    }
    return error;
}

/* Room for so many bytes more, first where what was given on lies: so there is never more of it
 * than for a chunk, a frame and a read. */
static bool make_room(struct connection *c, size_t more)
{
    if (c->room - c->have >= more)
        return true;
    if (c->given) {
        c->have -= c->given;
        memmove(c->in, c->in + c->given, c->have);
        c->given = 0;
    }
    if (c->room - c->have >= more)
        return true;
    size_t room = c->have + more + READ_BYTES;
    unsigned char *in = realloc(c->in, room);
    if (!in)
        return false;
    c->in = in;
    c->room = room;
    return true;
}

/* A frame's bytes behind those that are there. 0, -ENOBUFS. */
static int take_frame(struct connection *c, struct tac_wire_frame head, const unsigned char *body)
{
    if (!make_room(c, head.plain))
        return -ENOBUFS;
    if (head.squeezed) {
        tac_squeeze_out(c->squeeze, body, head.squeezed, c->in + c->have, head.plain);
    } else {
        tac_squeeze_pass(c->squeeze, body, head.plain);
        memcpy(c->in + c->have, body, head.plain);
    }
    c->have += head.plain;
    return 0;
}

/* All whole frames, as long as the turn lasts: of few bytes may be made many, which takes time. 0,
 * -errno of the owner, -EBADMSG, or -ENOBUFS. */
static int take_frames(struct tac_receive *r, struct connection *c, size_t *turn)
{
    struct tac_wire_frame head;
    size_t at = 0;
    int error = 0;
    while (!error && *turn && c->framed - at >= sizeof head) {
        memcpy(&head, c->frames + at, sizeof head);
        size_t body = head.squeezed ? head.squeezed : head.plain;
        if (!head.plain || (head.squeezed && head.plain > TAC_SQUEEZE_PLAIN_MAX))
            error = -EBADMSG;
        if (error || c->framed - at - sizeof head < body)
            break;
        error = take_frame(c, head, c->frames + at + sizeof head);
        error = error ? error : take_chunks(r, c);
        at += sizeof head + body;
        *turn -= head.plain < *turn ? head.plain : *turn;
    }
    c->waits = !*turn;
    c->framed -= at;
    memmove(c->frames, c->frames + at, c->framed);
    if (c->session->chunks != c->told)
        answer(c, TAC_WIRE_GO, c->told = c->session->chunks);
    return error;
}

/* What came: 0, -EBADMSG, -ENOBUFS, or the owner's -errno. */
static int take_all(struct tac_receive *r, struct connection *c, size_t *turn)
{
    if (c->state == KNOCK)
        take_knock(r, c);
    if (c->state == HELLO)
        take_hello(r, c);
    return c->state == CHUNKS ? take_frames(r, c, turn) : 0;
}

static ssize_t read_some(struct connection *c)
{
    bool in_frames = c->state == CHUNKS;
    size_t *have = in_frames ? &c->framed : &c->have;
    if (!in_frames && !make_room(c, READ_BYTES))
        return 0;
    unsigned char *to = in_frames ? c->frames : c->in;
    ssize_t n = recv(c->fd, to + *have, READ_BYTES, MSG_DONTWAIT);
    *have += n > 0 ? (size_t)n : 0;
    if (n > 0 && in_frames)
        heard(c);
    return n;
}

/* 0, or the owner's -errno. The connection may be gone afterwards. */
static int serve(struct tac_receive *r, struct connection *c)
{
    size_t turn = TURN_BYTES;
    for (int i = 0; i < READS && turn && c->state != FREE; i++) {
        ssize_t n = c->waits ? 1 : read_some(c);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return 0;
        int error = n > 0 ? take_all(r, c, &turn) : -ENOBUFS;
        if (error == -EBADMSG || error == -ENOBUFS) /* without memory the others go on */
            part(r, c, error == -EBADMSG);
        else if (error)
            return error;
    }
    return 0;
}

/* ---- who comes ---- */

static struct connection *free_place(struct tac_receive *r)
{
    for (int i = 0; i < CONNECTIONS; i++)
        if (r->connection[i].state == FREE)
            return &r->connection[i];
    return NULL;
}

static void enter(struct connection *c, int fd, enum state state)
{
    *c = (struct connection){
        .state = state, .fd = fd, .until_ns = tac_clock_ns() + (uint64_t)GREETING_MS * 1000000};
}

/* As many as there are places; more of them wait until these were looked at. */
static void accept_some(struct tac_receive *r)
{
    int fd;
    for (int i = 0; i < CONNECTIONS && ((fd = tac_net_accept(r->listener)) >= 0 || fd == -EPERM);
         i++) {
        struct connection *c = fd >= 0 ? free_place(r) : NULL;
        if (c) {
            enter(c, fd, KNOCK);
            continue;
        }
        if (fd >= 0)
            close(fd);
        tell(r, TAC_RECEIVE_REFUSED, 0);
    }
}

static void knock(struct tac_receive *r, struct connection *c)
{
    struct tac_wire_knock k = {TAC_WIRE_KNOCK, TAC_WIRE_VERSION, {0}};
    memcpy(k.token, r->token, sizeof k.token);
    if (tac_net_connected(c->fd) ||
        send(c->fd, &k, sizeof k, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)sizeof k)
        part(r, c, false);
    else
        c->state = HELLO;
}

static void connect_again(struct tac_receive *r)
{
    bool done = false;
    struct connection *c = &r->connection[0];
    if (r->config.address.listens || c->state != FREE || tac_clock_ns() < r->retry_ns)
        return;
    int fd = tac_net_connect(&r->config.address, &done);
    r->retry_ns = tac_clock_ns() + (uint64_t)RETRY_MS * 1000000;
    if (fd < 0)
        return;
    enter(c, fd, CONNECTING);
    if (done)
        knock(r, c);
}

int tac_receive_pump(struct tac_receive *r, int extra_fd, int timeout_ms)
{
    struct pollfd p[CONNECTIONS + 2];
    struct connection *of[CONNECTIONS + 2];
    nfds_t n = 0;
    bool one_waits = false;
    connect_again(r);
    for (int i = 0; i < CONNECTIONS; i++) {
        struct connection *c = &r->connection[i];
        if (c->state != FREE) {
            one_waits |= c->waits;
            of[n] = c;
            p[n++] = (struct pollfd){c->fd, c->state == CONNECTING ? POLLOUT : POLLIN, 0};
        }
    }
    nfds_t connections = n;
    p[n++] = (struct pollfd){r->listener, POLLIN, 0};
    p[n++] = (struct pollfd){extra_fd, POLLIN, 0};
    if (poll(p, n, one_waits ? 0 : timeout_ms) < 0)
        return errno == EINTR ? 0 : -errno;
    for (nfds_t i = 0; i < connections; i++) {
        bool ready = p[i].revents != 0 || of[i]->waits;
        int error = 0;
        if (of[i]->fd != p[i].fd) /* closed meanwhile: its recorder came back */
            continue;
        if (ready && of[i]->state == CONNECTING)
            knock(r, of[i]);
        else if (ready)
            error = serve(r, of[i]);
        if (error)
            return error;
        if (of[i]->state != FREE && of[i]->state != CHUNKS && tac_clock_ns() > of[i]->until_ns)
            part(r, of[i], false);
    }
    if (r->listener >= 0 && p[connections].revents)
        accept_some(r);
    return 0;
}

struct tac_receive_stats tac_receive_stats(const struct tac_receive *r)
{
    return r->stats;
}
