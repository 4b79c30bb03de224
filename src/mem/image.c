/* SPDX-License-Identifier: MIT
 * image.c - the heap's own code and data are in memory before the first call that needs them.
 *
 * The kernel maps the pages of a library when they are first used, which would be a fault in the
 * malloc that is the first to take some path. So a heap that is populated touches, or locks, the
 * segments of the library it is in (the linker's __ehdr_start leads to them). Statically linked it
 * is in the program: one larger than IMAGE_MAX is left alone, its memory is its own affair.
 * Runs once, when the heap opens. */
#include "mem/heap.h"

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

enum { IMAGE_MAX = 1 << 20 };

extern const ElfW(Ehdr) __ehdr_start TAC_HIDDEN; /* NOLINT: the linker's name */

struct image {
    const ElfW(Phdr) * header;
    unsigned headers;
    uintptr_t base, page;
};

/* Whole pages of a segment. */
struct range {
    uintptr_t begin, end;
};

static struct range pages_of(const struct image *image, const ElfW(Phdr) * h)
{
    uintptr_t begin = image->base + h->p_vaddr, end = begin + h->p_memsz;
    return (struct range){begin & ~(image->page - 1), (end + image->page - 1) & ~(image->page - 1)};
}

static struct image find_image(size_t *ret_bytes)
{
    const char *start = (const char *)&__ehdr_start;
    const void *headers = start + __ehdr_start.e_phoff;
    struct image image = {headers, __ehdr_start.e_phnum, (uintptr_t)start,
                          (uintptr_t)sysconf(_SC_PAGESIZE)};
    *ret_bytes = 0;
    for (unsigned i = 0; i < image.headers; i++) {
        const ElfW(Phdr) *h = &image.header[i];
        if (h->p_type != PT_LOAD)
            continue;
        if (h->p_offset == 0)
            image.base = (uintptr_t)start - h->p_vaddr;
        *ret_bytes += h->p_memsz;
    }
    return image;
}

/* What the loader has made read-only after it wrote it: whole pages of it. */
static struct range read_only_part(const struct image *image)
{
    for (unsigned i = 0; i < image->headers; i++) {
        const ElfW(Phdr) *h = &image->header[i];
        uintptr_t end = (image->base + h->p_vaddr + h->p_memsz) & ~(image->page - 1);
        if (h->p_type == PT_GNU_RELRO)
            return (struct range){pages_of(image, h).begin, end};
    }
    return (struct range){0, 0};
}

/* Writes what is there, in one piece with the reading: other threads may be writing beside us. Not
 * for sanitizers, whose gaps between objects are read as well. */
__attribute__((no_sanitize("address", "thread"))) static void
touch(struct range pages, uintptr_t page, bool write, struct range read_only)
{
    for (uintptr_t at = pages.begin; at < pages.end; at += page) {
        unsigned *word = (unsigned *)at; /* NOLINT: of our own image */
        unsigned value = __atomic_load_n(word, __ATOMIC_RELAXED);
        if (write && !(at >= read_only.begin && at < read_only.end))
            __atomic_compare_exchange_n(word, &value, value, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED);
    }
}

void tac_mem_image_populate(bool lock)
{
    size_t bytes;
    struct image image = find_image(&bytes);
    struct range read_only = read_only_part(&image);
    for (unsigned i = 0; bytes <= IMAGE_MAX && i < image.headers; i++) {
        const ElfW(Phdr) *h = &image.header[i];
        if (h->p_type != PT_LOAD)
            continue;
        struct range pages = pages_of(&image, h);
        void *begin = (void *)pages.begin; /* NOLINT: of our own image */
        if (!lock || mlock(begin, pages.end - pages.begin))
            touch(pages, image.page, h->p_flags & PF_W, read_only);
    }
}
