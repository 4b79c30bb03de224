/* SPDX-License-Identifier: MIT
 * test_net.c - addresses are read as documented, nonsense is refused, and a socket that a dead
 * process left is taken over while a live one is not. */
#include "base/net.h"

#include "test.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int port_of(const struct tac_net_address *a)
{
    return ntohs(((const struct sockaddr_in *)(const void *)&a->name)->sin_port);
}

static void addresses_are_read(void)
{
    struct tac_net_address a;
    REQUIRE(tac_net_parse("tcp:127.0.0.1:9000", &a, NULL) == 0);
    CHECK(port_of(&a) == 9000 && a.is_local && !a.listens);
    REQUIRE(tac_net_parse(":9001", &a, NULL) == 0);
    CHECK(port_of(&a) == 9001 && a.is_local);
    REQUIRE(tac_net_parse("9002", &a, NULL) == 0);
    CHECK(port_of(&a) == 9002 && a.is_local);
    REQUIRE(tac_net_parse("", &a, NULL) == 0);
    CHECK(port_of(&a) == TAC_NET_PORT && a.is_local);
    REQUIRE(tac_net_parse("10.1.2.3", &a, NULL) == 0);
    CHECK(port_of(&a) == TAC_NET_PORT && !a.is_local);
    REQUIRE(tac_net_parse("listen:0.0.0.0:7", &a, NULL) == 0);
    CHECK(port_of(&a) == 7 && !a.is_local && a.listens);
    REQUIRE(tac_net_parse("[::1]:77", &a, NULL) == 0);
    CHECK(a.name.ss_family == AF_INET6 && a.is_local);
    REQUIRE(tac_net_parse("listen:unix:@x", &a, NULL) == 0);
    CHECK(a.name.ss_family == AF_UNIX && a.is_local && a.listens);
    CHECK_STR(a.text, "unix:@x");
}

static void nonsense_is_refused_with_a_sentence(void)
{
    static const char *const bad[] = {
        "tcp:127.0.0.1:", "127.0.0.1:99999", "127.0.0.1:x",     "[::1",
        "[::1]x",         "unix:",           "host:1234567890", "127.0.0.1:-1"};
    struct tac_net_address a;
    struct tac_error err;
    char long_path[300] = "unix:/";
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        err.text[0] = 0;
        CHECK_MSG(tac_net_parse(bad[i], &a, &err) == -EINVAL && err.text[0], "%s", bad[i]);
    }
    memset(long_path + 6, 'x', sizeof long_path - 7);
    CHECK(tac_net_parse(long_path, &a, NULL) == -EINVAL);
    memset(long_path, 'x', sizeof long_path - 1);
    CHECK(tac_net_parse(long_path, &a, NULL) == -EINVAL);
    CHECK(tac_net_is_address("unix:x") && tac_net_is_address("listen:") &&
          !tac_net_is_address("./tcp:x"));
}

static int connect_and_wait(const struct tac_net_address *a)
{
    bool done;
    int fd = tac_net_connect(a, &done);
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    if (fd >= 0 && !done && (poll(&p, 1, 1000) != 1 || tac_net_connected(fd))) {
        close(fd);
        return -1;
    }
    return fd;
}

static void both_ends_meet(void)
{
    char text[64], byte = 0;
    struct tac_net_address a;
    snprintf(text, sizeof text, "unix:@tactus-test-net-%d", (int)getpid());
    REQUIRE(tac_net_parse(text, &a, NULL) == 0);
    int listener = tac_net_listen(&a);
    REQUIRE(listener >= 0);
    CHECK(tac_net_accept(listener) == -EAGAIN);
    CHECK(tac_net_listen(&a) == -EADDRINUSE);
    int here = connect_and_wait(&a), there = tac_net_accept(listener);
    REQUIRE(here >= 0 && there >= 0);
    CHECK(write(here, "x", 1) == 1 && read(there, &byte, 1) == 1 && byte == 'x');
    close(here);
    close(there);
    close(listener);
    bool done;
    CHECK(tac_net_connect(&a, &done) == -ECONNREFUSED);
}

static void a_dead_socket_file_is_taken_over_and_a_live_one_is_not(void)
{
    char text[96];
    struct tac_net_address a;
    struct stat st;
    snprintf(text, sizeof text, "unix:/tmp/tactus-test-net-%d", (int)getpid());
    REQUIRE(tac_net_parse(text, &a, NULL) == 0);
    int first = tac_net_listen(&a);
    REQUIRE(first >= 0);
    CHECK(stat(text + 5, &st) == 0 && (st.st_mode & 0777) == 0600);
    CHECK(tac_net_listen(&a) == -EADDRINUSE);
    close(first);
    int second = tac_net_listen(&a);
    CHECK(second >= 0);
    close(second);
    tac_net_unlink(&a);
    CHECK(stat(text + 5, &st) != 0);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(addresses_are_read);
    TEST(nonsense_is_refused_with_a_sentence);
    TEST(both_ends_meet);
    TEST(a_dead_socket_file_is_taken_over_and_a_live_one_is_not);
    return test_end();
}
