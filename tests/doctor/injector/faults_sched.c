/* SPDX-License-Identifier: MIT
 * faults_sched.c - the thread could run and does not: others of higher priority, a used-up budget,
 * no priority at all, stopped, frozen, woken late by another thread, or pushed aside by soft
 * interrupts. */
#include "injector.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- of higher priority, on the same CPU ---- */

static void press_from(const char *fault, unsigned at, uint64_t from_ns)
{
    wait_until(from_ns);
    uint64_t from = now(), planned = from + strike_ns(at);
    spin(strike_ns(at));
    injector_outside(fault, from, planned);
    injector_done(planned);
}

/* Takes the CPU in the middle of a struck cycle. */
static void help_hog(void)
{
    static unsigned pressed; /* a late thread must not be pressed for ever */
    once_fifo(80);
    unsigned at = atomic_load(&tick) + 1;
    if (is_struck(at) && at != pressed)
        press_from("hog", pressed = at, release_of(at) + period_ns / 20);
    else
        sleep_ns(period_ns / 4);
}

/* Has it already when the cycle should begin. */
static void help_early(void)
{
    static unsigned pressed;
    once_fifo(80);
    unsigned at = atomic_load(&tick) + 1;
    if (is_struck(at) && at != pressed)
        press_from("early-hog", pressed = at, release_of(at) - period_ns / 20);
    else
        sleep_ns(period_ns / 4);
}

/* ---- no priority ---- */

/* Always wants to run; notes when it does: a pause of its clock is a turn of somebody else. */
static void take_turns(const char *fault, uint64_t until_ns)
{
    enum { PAUSE_NS = 50000 };
    uint64_t from = now(), last = from;
    while (last < until_ns) {
        uint64_t at = now();
        if (at - last > PAUSE_NS) {
            if (last - from > PAUSE_NS)
                injector_outside(fault, from, last);
            from = at;
        }
        last = at;
    }
    injector_outside(fault, from, last);
}

static void help_rival(void)
{
    take_turns("normal", now() + period_ns * 8);
}

/* ---- the budget ---- */

static void put_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        fprintf(stderr, "injector: %s: %s\n", path, strerror(errno));
    if (fd >= 0)
        close(fd);
}

/* Real-time work of lower priority fills the CPU, and a normal thread starves beside it. */
static void *starve(void *unused)
{
    pin(1);
    while (atomic_load(&running))
        take_turns("fair", now() + period_ns * 8);
    return unused;
}

static void help_fair(void)
{
    static pthread_t normal;
    static int started;
    if (!started)
        started = !pthread_create(&normal, NULL, starve, NULL);
    once_fifo(40);
    spin(1500000000); /* shorter than the guard of real-time time allows */
    sleep_ns(100000);
    if (!atomic_load(&running))
        pthread_join(normal, NULL);
}

static char group[96];

static void leave_group(void)
{
    put_text("/sys/fs/cgroup/cpu/cgroup.procs", "0");
    rmdir(group);
}

/* A cgroup whose real-time threads have 30 ms of each 200 ms; the cycles need a tenth of a CPU, and
 * a struck one more. */
static void prepare_budget(void)
{
    char path[160];
    snprintf(group, sizeof group, "/sys/fs/cgroup/cpu/tactus-%d", getpid());
    mkdir(group, 0755);
    atexit(leave_group);
    snprintf(path, sizeof path, "%s/cpu.rt_period_us", group);
    put_text(path, "200000");
    snprintf(path, sizeof path, "%s/cpu.rt_runtime_us", group);
    put_text(path, "15000");
    snprintf(path, sizeof path, "%s/cgroup.procs", group);
    put_text(path, "0");
}

/* ---- stopped ---- */

static pid_t stopper;

static void end_stopper(void)
{
    if (stopper > 0)
        kill(stopper, SIGKILL);
}

static void stop_and_go(pid_t parent)
{
    sleep_ns(period_ns * 16);
    uint64_t from = now();
    kill(parent, SIGSTOP);
    sleep_ns(period_ns * 2);
    kill(parent, SIGCONT);
    injector_outside("stop", from, now());
}

static void freeze_and_thaw(pid_t parent)
{
    char path[160];
    (void)parent;
    snprintf(path, sizeof path, "%s/freezer.state", group);
    sleep_ns(period_ns * 32);
    uint64_t from = now();
    put_text(path, "FROZEN");
    sleep_ns(period_ns * 12);
    put_text(path, "THAWED");
    injector_outside("freeze", from, now());
}

/* A child that does it to its parent, until that is gone. */
static void start_child(void (*act)(pid_t parent))
{
    pid_t parent = getpid();
    stopper = fork();
    if (stopper) {
        atexit(end_stopper);
        return;
    }
    while (getppid() == parent)
        act(parent);
    _exit(0);
}

static void prepare_stop(void)
{
    start_child(stop_and_go);
}

static void leave_freezer(void)
{
    put_text("/sys/fs/cgroup/freezer/cgroup.procs", "0");
    for (int i = 0; i < 100 && rmdir(group) && errno == EBUSY; i++)
        sleep_ns(10000000);
}

static void prepare_freeze(void)
{
    char path[160];
    snprintf(group, sizeof group, "/sys/fs/cgroup/freezer/tactus-%d", getpid());
    mkdir(group, 0755);
    atexit(leave_freezer);
    start_child(freeze_and_thaw);
    snprintf(path, sizeof path, "%s/cgroup.procs", group);
    put_text(path, "0");
}

/* ---- woken by another thread, which is late itself ---- */

sem_t injector_wake;

static void prepare_server(void)
{
    sem_init(&injector_wake, 0, 0);
}

static void help_server(void)
{
    static unsigned next;
    once_fifo(70);
    wait_until(release_of(next));
    if (is_struck(next)) {
        uint64_t from = now();
        spin(strike_ns(next));
        injector_outside("server", from, now());
    }
    sem_post(&injector_wake);
    next++;
}

/* ---- packets, received on the CPU of the cycles; in a network of its own ---- */

enum { RECEIVERS = 48 };

static int out = -1, last_in = -1;
static struct sockaddr_in address, last_address;

static void set_up_loopback(void)
{
    struct ifreq request = {.ifr_flags = IFF_UP | IFF_MULTICAST};
    char path[96], mask[16];
    memcpy(request.ifr_name, "lo", 3);
    ioctl(out, SIOCSIFFLAGS, &request);
    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
    if (mount("sysfs", "/sys", "sysfs", 0, NULL))
        fprintf(stderr, "injector: /sys: %s\n", strerror(errno));
    snprintf(path, sizeof path, "/sys/class/net/lo/queues/rx-0/rps_cpus");
    snprintf(mask, sizeof mask, "%x", 1u << (sysconf(_SC_NPROCESSORS_ONLN) - 1));
    put_text(path, mask);
}

/* One packet goes to many sockets, so that its receipt takes long. */
static void prepare_packets(void)
{
    if (unshare(CLONE_NEWNET | CLONE_NEWNS)) {
        fprintf(stderr, "injector: no network of its own: %s\n", strerror(errno));
        exit(3);
    }
    out = socket(AF_INET, SOCK_DGRAM, 0);
    set_up_loopback();
    address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(9000)};
    address.sin_addr.s_addr = inet_addr("239.1.1.1");
    struct ip_mreq group_of = {.imr_multiaddr = address.sin_addr};
    group_of.imr_interface.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0, yes = 1; i < RECEIVERS; i++) {
        int in = socket(AF_INET, SOCK_DGRAM, 0);
        setsockopt(in, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        if (bind(in, (struct sockaddr *)&address, sizeof address) ||
            setsockopt(in, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group_of, sizeof group_of))
            fprintf(stderr, "injector: multicast: %s\n", strerror(errno));
    }
    setsockopt(out, IPPROTO_IP, IP_MULTICAST_IF, &group_of.imr_interface,
               sizeof group_of.imr_interface);
    last_in = socket(AF_INET, SOCK_DGRAM, 0);
    last_address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(9001)};
    last_address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(last_in, (struct sockaddr *)&last_address, sizeof last_address))
        fprintf(stderr, "injector: loopback: %s\n", strerror(errno));
}

/* What was sent waits in one queue for the CPU of the cycles: when a last packet has come through
 * it, all have been received. It is sent again where the queue was full. */
static void wait_for_receipt(void)
{
    struct pollfd fd = {.fd = last_in, .events = POLLIN};
    char byte;
    do
        sendto(out, "x", 1, 0, (struct sockaddr *)&last_address, sizeof last_address);
    while (poll(&fd, 1, 1) == 0 && atomic_load(&running));
    while (recv(last_in, &byte, 1, MSG_DONTWAIT) > 0)
        ;
}

static void help_packets(void)
{
    static char data[64];
    unsigned at = atomic_load(&tick) + 1;
    if (!is_struck(at)) {
        sleep_ns(period_ns / 4);
        return;
    }
    wait_until(release_of(at) - period_ns / 10);
    uint64_t from = now();
    while (now() < release_of(at) + strike_ns(at))
        if (sendto(out, data, sizeof data, MSG_DONTWAIT, (struct sockaddr *)&address,
                   sizeof address) < 0)
            break;
    wait_for_receipt();
    injector_outside("packets", from, now());
}

const struct fault faults_sched[] = {
    {"hog", NULL, NULL, help_hog, FAULT_OUTSIDE | FAULT_SAME_CPU},
    {"early-hog", NULL, NULL, help_early, FAULT_OUTSIDE | FAULT_SAME_CPU},
    {"normal", NULL, NULL, help_rival, FAULT_OUTSIDE | FAULT_SAME_CPU | FAULT_NORMAL},
    {"fair", NULL, NULL, help_fair, FAULT_OUTSIDE | FAULT_SAME_CPU},
    {"budget", prepare_budget, NULL, NULL, FAULT_OUTSIDE},
    {"stop", prepare_stop, NULL, NULL, FAULT_OUTSIDE},
    {"freeze", prepare_freeze, NULL, NULL, FAULT_OUTSIDE},
    {"server", prepare_server, NULL, help_server, FAULT_OUTSIDE | FAULT_WOKEN},
    {"packets", prepare_packets, NULL, help_packets, FAULT_OUTSIDE},
    {0},
};
