/* SPDX-License-Identifier: MIT
 * ctf_stream.c - see ctf_stream.h. */
#include "capture/export/ctf_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAGIC 0xc1fc1fc1u

void tac_ctf_write_packet(struct tac_ctf *o, struct tac_ctf_stream *s)
{
    char name[32];
    size_t content = s->n;
    s->n = 0;
    tac_ctf_put32(s, MAGIC);
    tac_ctf_put32(s, (uint64_t)s->id);
    tac_ctf_put64(s, s->begin_ns);
    tac_ctf_put64(s, s->last_ns);
    tac_ctf_put64(s, content * 8);
    tac_ctf_put64(s, content * 8);
    tac_ctf_put64(s, s->discarded);
    tac_ctf_put32(s, s->names[0]);
    tac_ctf_put32(s, s->names[1]);
    snprintf(name, sizeof name, "%s_%u",
             s->id == TAC_CTF_STREAM_CPU     ? "cpu"
             : s->number & TAC_CTF_OF_KERNEL ? "kernel_of_thread"
                                             : "thread",
             s->number & ~TAC_CTF_OF_KERNEL);
    int fd = openat(o->folder, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    ssize_t n = fd < 0 ? -1 : write(fd, s->bytes, content);
    if (n != (ssize_t)content && !o->error)
        o->error = n < 0 ? -errno : -ENOSPC;
    if (fd >= 0)
        close(fd);
    s->n = TAC_CTF_CONTEXT_BYTES;
    s->packets++;
    o->packets++;
    o->bytes += content;
}

struct tac_ctf_stream *tac_ctf_stream_of(struct tac_ctf *o, int id, uint32_t number)
{
    uint64_t key = (uint64_t)id << 32 | number;
    uint32_t place = tac_idmap_get(&o->place, key);
    if (place)
        return ((struct tac_ctf_stream **)o->streams.data)[place - 1];
    struct tac_ctf_stream *s = calloc(1, sizeof *s),
                          **slot = s ? tac_list_add(&o->streams, sizeof s) : NULL;
    if (!slot || !tac_idmap_put(&o->place, key, (uint32_t)o->streams.count)) {
        o->streams.count -= slot != NULL;
        free(s);
        o->error = o->error ? o->error : -ENOMEM;
        return NULL;
    }
    *slot = s;
    s->id = id;
    s->number = number;
    s->n = TAC_CTF_CONTEXT_BYTES;
    s->names[0] = number;
    if (id == TAC_CTF_STREAM_THREAD) {
        s->names[0] = o->c->threads[number & ~TAC_CTF_OF_KERNEL].pid;
        s->names[1] = o->c->threads[number & ~TAC_CTF_OF_KERNEL].tid;
    }
    return s;
}

void tac_ctf_event_begin(struct tac_ctf *o, struct tac_ctf_stream *s, int id, uint64_t ns)
{
    if (s->n + TAC_CTF_EVENT_MAX > TAC_CTF_PACKET_BYTES)
        tac_ctf_write_packet(o, s);
    s->last_ns = ns > s->last_ns ? ns : s->last_ns;
    if (tac_ctf_is_empty(s))
        s->begin_ns = s->last_ns;
    tac_ctf_put16(s, (uint64_t)id);
    tac_ctf_put64(s, s->last_ns);
}
