/* SPDX-License-Identifier: MIT
 * kernel.c - the capture session of kernel.h: a tier, the thread that reads it, and the writer. */
#include "capture/kernel.h"

#include "capture/kernel_filter.h"
#include "capture/kernel_tier.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAUSE_US = 20000, STREAM = 0x10000 };

struct tac_kernel {
    const struct tac_kernel_tier *tier;
    void *state, *library;
    struct tac_kernel_writer *writer;
    pthread_t thread;
    _Atomic bool stopping;
    uint32_t kinds;
};

static void *run(void *arg)
{
    struct tac_kernel *k = arg;
    pthread_setname_np(pthread_self(), "tactus-kernel");
    while (!atomic_load(&k->stopping)) {
        k->tier->read(k->state);
        tac_kernel_writer_tick(k->writer);
        usleep(PAUSE_US);
    }
    return NULL;
}

static void put_meta(struct tac_kernel *k, const char *suffix, const char *value)
{
    char key[64];
    snprintf(key, sizeof key, "evidence.%s%s", k->tier->name, suffix);
    tac_kernel_writer_meta(k->writer, key, value);
}

static void put_count(struct tac_kernel *k, const char *suffix, uint64_t count)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)count);
    put_meta(k, suffix, text);
}

static void put_opening(struct tac_kernel *k, const struct tac_kernel_config *config)
{
    char text[96];
    snprintf(text, sizeof text, "yes, %u kinds of events%s%s", k->kinds,
             config->pids ? ", of some threads" : "", config->cpus ? ", on some CPUs" : "");
    put_meta(k, "", text);
    put_meta(k, ".blind", k->tier->blind);
}

static const char *sentence(const struct tac_kernel_config *config, int error)
{
    switch (-error) {
    case EACCES:
    case EPERM:
        return "kernel events need root: who pre-empted a thread cannot be named";
    case ENOENT:
        return config->tier == TAC_KERNEL_TIER_BPF ? "this kernel does not describe its types (BTF)"
                                                   : "this kernel has no tracefs: no kernel events";
    case TAC_E_NOT_BUILT:
        return config->tier == TAC_KERNEL_TIER_BPF
                   ? "the BPF tier (libtactus-bpf) is not installed"
                   : "kernel events were not built in (libtraceevent): who pre-empted a thread "
                     "cannot be named";
    case EOPNOTSUPP:
        return "the BPF tier sees all CPUs: leave the choice of CPUs out";
    case EINVAL:
        return "CPUs are written like 0-3,6, and must be there";
    default:
        return tac_error_sentence(error);
    }
}

/* The library among the system's or this program's own ones, where TACTUS_BPF says, or where the
 * build has it. */
static void *open_library(void)
{
    char path[PATH_MAX];
    const char *own = getenv("TACTUS_BPF");
    if (own && *own)
        return dlopen(own, RTLD_NOW | RTLD_LOCAL);
    void *library = dlopen("libtactus-bpf.so", RTLD_NOW | RTLD_LOCAL);
    ssize_t n = library ? 0 : readlink("/proc/self/exe", path, sizeof path - 1);
    path[n > 0 ? n : 0] = 0;
    char *name = strrchr(path, '/');
    static const char place[] = "/../capture/bpf/libtactus-bpf.so";
    if (!name || name + sizeof place > path + sizeof path)
        return library;
    memcpy(name, place, sizeof place);
    return dlopen(path, RTLD_NOW | RTLD_LOCAL);
}

static const struct tac_kernel_tier *load_bpf(struct tac_kernel *k)
{
    k->library = open_library();
    const struct tac_kernel_tier *(*get)(void) = NULL;
    if (k->library)
        *(void **)&get = dlsym(k->library, TAC_KERNEL_TIER_BPF_SYMBOL);
    return get ? get() : NULL;
}

static int start(struct tac_kernel *k, const struct tac_kernel_config *config)
{
    k->tier = config->tier == TAC_KERNEL_TIER_BPF ? load_bpf(k) : &tac_kernel_tier_tracefs;
    struct tac_kernel_filter *filter = NULL;
    if (config->pids && !(filter = tac_kernel_filter_new(config->pids, config->pids_count)))
        return -ENOMEM;
    int error = tac_kernel_writer_open(config->path, STREAM, filter, &k->writer);
    if (error)
        return error;
    struct tac_kernel_out out = {k->writer, tac_kernel_writer_event, tac_kernel_writer_comm};
    error = k->tier ? k->tier->start(config, &out, &k->state, &k->kinds) : -TAC_E_NOT_BUILT;
    if (error) { /* so that the recording says what it lacks, and why */
        char text[128];
        snprintf(text, sizeof text, "refused: %s", sentence(config, error));
        tac_kernel_writer_meta(
            k->writer, config->tier == TAC_KERNEL_TIER_BPF ? "evidence.bpf" : "evidence.ftrace",
            text);
        return error;
    }
    put_opening(k, config);
    error = -pthread_create(&k->thread, NULL, run, k);
    if (error)
        k->tier->stop(k->state);
    return error;
}

static int discard(struct tac_kernel *k)
{
    int error = tac_kernel_writer_close(k->writer);
    if (k->library)
        dlclose(k->library);
    free(k);
    return error;
}

int tac_kernel_start(const struct tac_kernel_config *config, struct tac_error *err,
                     struct tac_kernel **ret_kernel)
{
    struct tac_kernel *k = calloc(1, sizeof *k);
    if (!k)
        return tac_error_set(err, -ENOMEM, NULL, 0, 0, "not enough memory");
    int error = start(k, config);
    if (error) {
        (void)discard(k);
        return tac_error_set(err, error, NULL, 0, 0, "%s", sentence(config, error));
    }
    *ret_kernel = k;
    return 0;
}

int tac_kernel_stop(struct tac_kernel *k, struct tac_kernel_stats *ret_stats)
{
    struct tac_kernel_writer_stats stats;
    if (!k)
        return 0;
    k->tier->halt(k->state);
    atomic_store(&k->stopping, true);
    pthread_join(k->thread, NULL);
    k->tier->read(k->state);
    tac_kernel_writer_get_stats(k->writer, &stats);
    put_count(k, ".lost", stats.lost);
    if (stats.left_out)
        put_count(k, ".left_out", stats.left_out);
    k->tier->stop(k->state);
    tac_kernel_writer_get_stats(k->writer, &stats);
    if (ret_stats)
        *ret_stats = (struct tac_kernel_stats){stats.events, stats.lost, stats.bytes, k->kinds};
    return discard(k);
}
