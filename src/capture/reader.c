/* SPDX-License-Identifier: MIT
 * reader.c - the arrays of a reader, see reader.h: shown, looked into while it reads, let go. */
#include "capture/reader.h"

#include "capture/bulk.h"

#include <stdlib.h>

#define LISTS(X)                                                                                   \
    X(meta)                                                                                        \
    X(threads)                                                                                     \
    X(sources)                                                                                     \
    X(sites)                                                                                       \
    X(cycles)                                                                                      \
    X(zones)                                                                                       \
    X(memory)                                                                                      \
    X(locks)                                                                                       \
    X(holds)                                                                                       \
    X(plots)                                                                                       \
    X(messages)                                                                                    \
    X(flows)                                                                                       \
    X(stacks)                                                                                      \
    X(kernel)                                                                                      \
    X(kernel_stacks)                                                                               \
    X(symbols)                                                                                     \
    X(gaps)                                                                                        \
    X(modules)

bool tac_reader_show(struct tac_reader *r)
{
    bool failed = r->keeps.failed || r->comms.failed || r->pairs.failed || r->lanes.failed ||
                  r->accounts.failed || r->spared.failed;
#define X(list)                                                                                    \
    r->pub.list = r->list.data;                                                                    \
    r->pub.list##_count = r->list.count;                                                           \
    failed = failed || r->list.failed;
    LISTS(X)
#undef X
    const struct tac_format_clock *pairs = r->clock.pairs.data;
    r->pub.counter_hz = r->clock.hz;
    r->pub.clock_pairs = r->clock.pairs.count;
    if (r->clock.pairs.count)
        r->pub.boot_offset_ns = pairs[r->clock.pairs.count - 1].boot_ns;
    return !failed;
}

bool tac_reader_sort_names(struct tac_reader *r, uint16_t kind)
{
    bool good = true;
    if (!kind || kind == TAC_CHUNK_MODULE)
        good = tac_list_sort(&r->modules, sizeof(struct tac_capture_module), NULL);
    if (!kind || kind == TAC_CHUNK_SYMBOLS)
        good = tac_list_sort(&r->symbols, sizeof(struct tac_capture_symbol), NULL) && good;
    return good;
}

size_t tac_reader_kernel_at(const struct tac_reader *r, uint64_t ns)
{
    return tac_capture_lower(r->kernel.data, r->kernel.count, sizeof(struct tac_capture_kernel),
                             offsetof(struct tac_capture_kernel, ns), ns);
}

void tac_reader_free(struct tac_reader *r)
{
    if (!r)
        return;
    char **keeps = r->keeps.data;
    for (size_t i = 0; i < r->keeps.count; i++)
        free(keeps[i]);
#define X(name) tac_list_fini(&r->name);
    LISTS(X)
#undef X
    tac_list_fini(&r->keeps);
    tac_list_fini(&r->chunks);
    tac_list_fini(&r->pairs);
    tac_list_fini(&r->comms);
    tac_list_fini(&r->lanes);
    tac_list_fini(&r->accounts);
    tac_list_fini(&r->spared);
    tac_clockmap_fini(&r->clock);
    tac_zip_free(r->zip);
    tac_unwind_close(r->unwind);
    tac_idmap_fini(&r->site_of);
    tac_idmap_fini(&r->comm_of);
    free(r->scratch);
    tac_bulk_free(r->owned, r->owned_bytes);
    free(r);
}
