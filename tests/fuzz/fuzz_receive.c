/* SPDX-License-Identifier: MIT
 * fuzz_receive.c - the receiver of streams on any bytes that a peer sends. The first byte says how
 * much of a proper greeting stands in front, and whether the rest is a plain frame of chunks, a
 * squeezed one, or frames itself. See fuzz_main.h for how it is run. */
#include "capture/receive.h"
#include "trace/squeeze.h"

#include "fuzz_main.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int begin(void *owner, uint32_t pid, void **ret_session)
{
    (void)pid;
    *ret_session = owner;
    return 0;
}

static int chunk(void *session, const struct tac_format_chunk *head, const void *payload)
{
    unsigned *sum = session;
    const unsigned char *at = payload;
    for (uint32_t i = 0; i < head->bytes; i++) /* all of it can be read */
        *sum += at[i];
    return 0;
}

static int dial(const struct tac_net_address *a)
{
    bool done;
    int fd = tac_net_connect(a, &done);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static unsigned sum;
    char name[96];
    struct {
        struct tac_wire_knock knock;
        struct tac_wire_hello hello;
    } greeting = {{TAC_WIRE_KNOCK, TAC_WIRE_VERSION, {0}},
                  {TAC_WIRE_HELLO, TAC_WIRE_VERSION, 77, 0, 1, 0}};
    struct tac_receive_config config = {.owner = &sum, .begin = begin, .chunk = chunk};
    struct tac_receive *r;
    if (!size)
        return 0;
    snprintf(name, sizeof name, "listen:unix:@tactus-fuzz-%d", (int)getpid());
    if (tac_net_parse(name, &config.address, NULL) || tac_receive_open(&config, NULL, &r))
        return 0;
    int fd = dial(&config.address);
    size_t first = bytes[0] % 3 == 0   ? 0
                   : bytes[0] % 3 == 1 ? sizeof greeting.knock
                                       : sizeof greeting;
    if (fd >= 0) {
        (void)!send(fd, &greeting, first, MSG_NOSIGNAL | MSG_DONTWAIT);
        uint16_t length = (uint16_t)(size - 1 < UINT16_MAX ? size - 1 : UINT16_MAX);
        struct tac_wire_frame frame = {length, 0};
        if (bytes[0] / 3 % 3 == 1)
            frame = (struct tac_wire_frame){TAC_SQUEEZE_PLAIN_MAX, length};
        if (bytes[0] / 3 % 3 != 2)
            (void)!send(fd, &frame, sizeof frame, MSG_NOSIGNAL | MSG_DONTWAIT);
        (void)!send(fd, bytes + 1, size - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        for (int i = 0; i < 4; i++)
            (void)!tac_receive_pump(r, -1, 0);
        close(fd);
        (void)!tac_receive_pump(r, -1, 0);
    }
    tac_receive_close(r);
    return 0;
}
