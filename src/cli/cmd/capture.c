/* SPDX-License-Identifier: MIT
 * capture.c - `tactus capture`: a program, or whatever records over a socket, and the machine under
 * it, in one recording or straight into another tool's format. */
#include "cli/cmd.h"

#include "base/cpulist.h"
#include "base/text.h"
#include "cli/capturing.h"
#include "trace/format.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    OPT_OUTPUT,
    OPT_LISTEN,
    OPT_SOCKET,
    OPT_PID,
    OPT_TOKEN,
    OPT_SECONDS,
    OPT_FLIGHT,
    OPT_ON_MISS,
    OPT_MAX,
    OPT_NO_KERNEL,
    OPT_KERNEL,
    OPT_CPUS
};

/* The first line of a file, or the environment's TACTUS_TOKEN. False: one line says why. */
static bool read_token(const char *path, char token[TAC_TOKEN_BYTES + 2], const char **ret_token)
{
    const char *from_env = getenv("TACTUS_TOKEN");
    *ret_token = from_env;
    if (path) {
        FILE *file = fopen(path, "re");
        if (!file || !fgets(token, TAC_TOKEN_BYTES + 2, file)) {
            tac_cmd_fail(0, "%s: no token can be read: %s", path,
                         file ? "it is empty" : strerror(errno));
            if (file)
                fclose(file);
            return false;
        }
        fclose(file);
        token[strcspn(token, "\n")] = 0;
        *ret_token = token;
    }
    if (*ret_token && strlen(*ret_token) > TAC_TOKEN_BYTES) {
        tac_cmd_fail(0, "a token has at most %u characters", TAC_TOKEN_BYTES);
        return false;
    }
    return true;
}

/* Where the recording comes from. False: one line says what is wrong. */
static bool read_origin(const struct tac_cmd_args *args, struct tac_capturing *k, char *address,
                        size_t size)
{
    const char *listen = args->option[OPT_LISTEN], *socket = args->option[OPT_SOCKET];
    const char *pid = args->option[OPT_PID];
    double number = 0;
    if (listen && args->count > 0) {
        tac_cmd_fail(0, "--listen runs no program; its address is written --listen=ADDRESS");
        return false;
    }
    if (socket && (!*socket || !strncmp(socket, "listen:", 7))) {
        tac_cmd_fail(0, *socket ? "--socket connects; to wait for recorders say --listen=ADDRESS"
                                : "--socket wants an address: HOST:PORT, unix:PATH or unix:@NAME");
        return false;
    }
    if ((args->count > 0) + (listen != NULL) + (socket != NULL) + (pid != NULL) != 1) {
        tac_cmd_fail(0, "say what to record: a PROGRAM, or one of --pid, --socket and --listen");
        return false;
    }
    k->argv = args->count > 0 ? args->operand : NULL;
    k->address = address;
    k->kernel =
        !args->option[OPT_NO_KERNEL] && !listen && !(socket && strncmp(socket, "unix:", 5) != 0);
    if (pid && !tac_cmd_whole("pid", pid, 1, 4194304, &number))
        return false;
    k->pid = (uint32_t)number;
    if (listen)
        snprintf(address, size, "listen:%s", listen);
    else if (socket)
        snprintf(address, size, "%s", socket);
    else if (pid)
        snprintf(address, size, "unix:@tactus.%u", k->pid);
    return true;
}

static bool read_limits(const struct tac_cmd_args *args, struct tac_capturing *k)
{
    double flight = 0, max_mib = 0;
    if (!tac_cmd_number("seconds", args->option[OPT_SECONDS], 0.1, 1e9, &k->seconds) ||
        !tac_cmd_whole("flight", args->option[OPT_FLIGHT], 1, 3600, &flight) ||
        !tac_cmd_number("max-size", args->option[OPT_MAX], 1, 1e9, &max_mib))
        return false;
    if (args->option[OPT_ON_MISS] && !args->option[OPT_FLIGHT]) {
        tac_cmd_fail(0, "--on-miss goes with --flight SECONDS");
        return false;
    }
    k->outlet.flight_s = (uint32_t)flight;
    k->outlet.on_miss = args->option[OPT_ON_MISS] != NULL;
    k->outlet.bytes_max = (uint64_t)(max_mib * 1048576.0);
    return true;
}

/* The words of --kernel. */
static bool read_kernel_words(const char *text, struct tac_capturing *k)
{
    static const struct {
        const char *word;
        uint32_t want;
    } words[] = {{"faults", TAC_KERNEL_WANT_FAULTS},
                 {"disks", TAC_KERNEL_WANT_BLOCK},
                 {"stacks", TAC_KERNEL_WANT_STACKS},
                 {"switches", TAC_KERNEL_ONLY_SWITCHES},
                 {"own", 0},
                 {"bpf", 0}};
    const size_t count = sizeof words / sizeof *words;
    for (size_t n; text && *text; text += n + (text[n] == ',')) {
        size_t i = 0;
        n = strcspn(text, ",");
        while (i < count && (strlen(words[i].word) != n || strncmp(words[i].word, text, n) != 0))
            i++;
        if (i == count || (i == 4 && !k->pid)) {
            tac_cmd_fail(0,
                         "--kernel %.*s: say faults, disks, stacks, switches, bpf, or, with --pid, "
                         "own; several with commas between",
                         (int)n, text);
            return false;
        }
        k->kernel_config.want |= words[i].want;
        if (i == 4) {
            k->kernel_config.pids = &k->pid;
            k->kernel_config.pids_count = 1;
        }
        if (i == 5)
            k->kernel_config.tier = TAC_KERNEL_TIER_BPF;
    }
    return true;
}

static void report(const struct tac_capturing *k, const struct tac_capturing_result *r)
{
    char size[16];
    struct stat st; /* an export writes its rest when it is closed */
    bool file = !stat(k->outlet.path, &st) && S_ISREG(st.st_mode);
    fprintf(stderr, "tactus capture: recorded to %s, %s", k->outlet.path,
            tac_text_bytes(file ? (double)st.st_size : (double)r->outlet.bytes, size, sizeof size));
    if (r->sessions > 1)
        fprintf(stderr, ", and %u more beside it", r->sessions - 1);
    if (r->kernel_events)
        fprintf(stderr, "; %" PRIu64 " kernel events, %" PRIu64 " lost", r->kernel_events,
                r->kernel_lost);
    if (k->outlet.flight_s)
        fprintf(stderr, "; %" PRIu64 " late cycles, written %" PRIu64 " times", r->outlet.misses,
                r->outlet.kept);
    if (r->outlet.left_out)
        fprintf(stderr, "; %" PRIu64 " chunks left out beyond --max-size", r->outlet.left_out);
    fputc('\n', stderr);
}

static int run(const struct tac_cmd_args *args)
{
    struct tac_capturing k = {.outlet.path = args->option[OPT_OUTPUT]};
    struct tac_capturing_result result = {0};
    struct tac_error err;
    char token[TAC_TOKEN_BYTES + 2] = "", address[256];
    k.kernel_config.cpus = args->option[OPT_CPUS];
    if (!read_origin(args, &k, address, sizeof address) || !read_limits(args, &k) ||
        !read_kernel_words(args->option[OPT_KERNEL], &k))
        return TAC_EXIT_USAGE;
    if (k.kernel_config.cpus && !tac_cpulist_parse(k.kernel_config.cpus, NULL))
        return tac_cmd_fail(TAC_EXIT_USAGE, "--cpus %s: write them like 0-3,6",
                            k.kernel_config.cpus);
    if (!k.outlet.path)
        return tac_cmd_fail(TAC_EXIT_USAGE, "say where to: -o FILE");
    if (!read_token(args->option[OPT_TOKEN], token, &k.token))
        return TAC_EXIT_FAILED;
    int error = tac_capturing_run(&k, &result, &err);
    if (error < 0)
        return tac_cmd_fail_error(&err);
    report(&k, &result);
    return result.status;
}

TAC_CMD(capture) = {
    .name = "capture",
    .summary = "record a program or a board, and what the machine did",
    .synopsis = "-o FILE [options] [--] PROGRAM [ARGUMENT...]\n"
                "    tactus capture -o FILE (--pid PID | --socket ADDRESS) [options]\n"
                "    tactus capture -o FILE --listen[=ADDRESS] [options]",
    .text =
        "Runs a program on its own heap, watches its audio streams as tactus run --record does, "
        "and, as root, records beside it which thread ran on which core, who woke whom, "
        "interrupts, memory reclaim and more. With that, tactus doctor can name who pre-empted "
        "an audio thread. Without privilege it says so and records what is left.\n\n"
        "Or takes the recording over a socket: --listen waits for recorders, on this machine or on "
        "boards elsewhere, whose path (or TACTUS_RECORD) is tcp:HOST:PORT or unix:PATH; --socket "
        "connects to one that was started with listen: in front of its address; --pid to a process "
        "of this machine that was started with TACTUS_RECORD=listen:. A connection that breaks is "
        "made again, and the recording goes on. What a slow network or disk cannot take is dropped "
        "by the recorder's helper and stands in the recording as a gap. Others than this machine "
        "must give a token.\n\n"
        "FILE may end in the suffix of a format of tactus export (.pftrace): it is written while "
        "the recording comes, in constant memory.\n\n"
        "With --flight, only the last SECONDS are kept, in memory, and written at the end. With "
        "--on-miss they are written instead when a cycle ended late, with as much after it, so "
        "that it can stay on for days; SIGUSR1 makes it write at any time.",
    .exits = "The program's own status, or 128 + the signal that ended it; 2 wrong usage; 3 it "
             "could not be done, one line on standard error says why.",
    .option = {{"output", 'o', "FILE", "The recording to write."},
               {"listen", 0, "[=ADDRESS]",
                "Wait for recorders: HOST:PORT, unix:PATH or unix:@NAME; 127.0.0.1:7007 unless "
                "given."},
               {"socket", 0, "ADDRESS", "Connect to a recorder that listens there."},
               {"pid", 0, "PID", "Connect to a process of this machine that listens."},
               {"token", 0, "FILE",
                "The first line of FILE is what both sides must know; TACTUS_TOKEN in the "
                "environment otherwise."},
               {"seconds", 0, "N", "End after so long; a program gets SIGINT then."},
               {"flight", 0, "SECONDS", "Flight recorder: keep only so much, 1 to 3600."},
               {"on-miss", 0, NULL, "With --flight: write around late cycles."},
               {"max-size", 0, "MIB",
                "Write no more events once FILE has so many MiB; what was under way still comes."},
               {"no-kernel", 0, NULL, "Leave the kernel's account out."},
               {"kernel", 0, "WHAT",
                "More or less of it: faults (page faults of all), disks, stacks (of the kernel, "
                "where real-time threads leave their CPU), switches (those and wake-ups alone), "
                "bpf (the same at less cost), own (with --pid: what its threads take part in); "
                "several with commas between."},
               {"cpus", 0, "LIST", "Only these CPUs, as 0-3,6."}},
    .operands_min = 0,
    .operands_max = -1,
    .options_first = 1,
    .run = run,
};
