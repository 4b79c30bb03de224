/* SPDX-License-Identifier: MIT
 * process_maps.c - see process_maps.h. A process that has run another program since is known by its
 * number alone: its first program counts. */
#include "capture/process_maps.h"

#include "base/build_id.h"
#include "capture/idmap.h"

#include <elf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PROCESS_MAPS_MAX = 4096, TEXT_MAX = 1 << 18, PATH_LENGTH_MAX = 4096, NOTES_MAX = 4096 };
enum { SEGMENTS_MAX = 64 };

struct tac_process_maps {
    struct tac_idmap threads; /* tid -> 1: asked */
    struct tac_idmap processes;
    char text[TEXT_MAX];
};

struct tac_process_maps *tac_process_maps_new(void)
{
    return calloc(1, sizeof(struct tac_process_maps));
}

void tac_process_maps_free(struct tac_process_maps *m)
{
    if (!m)
        return;
    tac_idmap_fini(&m->threads);
    tac_idmap_fini(&m->processes);
    free(m);
}

/* ---- build-ids ---- */

/* Of files of this machine's own kind; others have none that we know. */
static void read_build_id(int fd, char *ret_text)
{
    ElfW(Ehdr) head;
    ElfW(Phdr) segment[SEGMENTS_MAX];
    unsigned char notes[NOTES_MAX];
    if (pread(fd, &head, sizeof head, 0) != sizeof head || memcmp(head.e_ident, ELFMAG, SELFMAG) ||
        head.e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) ||
        head.e_phentsize != sizeof *segment || head.e_phnum > SEGMENTS_MAX)
        return;
    ssize_t size = (ssize_t)(head.e_phnum * sizeof *segment);
    if (pread(fd, segment, (size_t)size, (off_t)head.e_phoff) != size)
        return;
    for (int i = 0; i < head.e_phnum; i++) {
        size_t want = segment[i].p_filesz < NOTES_MAX ? (size_t)segment[i].p_filesz : NOTES_MAX;
        if (segment[i].p_type != PT_NOTE)
            continue;
        ssize_t n = pread(fd, notes, want, (off_t)segment[i].p_offset);
        if (n > 0 && tac_build_id_find(notes, (size_t)n, segment[i].p_align, ret_text))
            return;
    }
}

void tac_build_id_of_file(const char *path, char *ret_text)
{
    struct stat st;
    strcpy(ret_text, "-");
    if (stat(path, &st) || !S_ISREG(st.st_mode))
        return;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return;
    read_build_id(fd, ret_text);
    close(fd);
}

/* ---- processes ---- */

/* The process of a thread, or 0. */
static uint32_t process_of(uint32_t tid)
{
    char path[40], line[128];
    uint32_t pid = 0;
    snprintf(path, sizeof path, "/proc/%u/status", tid);
    FILE *file = fopen(path, "re");
    while (file && !pid && fgets(line, sizeof line, file))
        if (sscanf(line, "Tgid: %" SCNu32, &pid) != 1)
            pid = 0;
    if (file)
        fclose(file);
    return pid;
}

/* A line of /proc/PID/maps, if it is of an executable mapping of a file. */
static size_t take_line(uint32_t pid, const char *line, char *to, size_t room)
{
    uint64_t start, end, offset;
    char rights[8], file[PATH_LENGTH_MAX + 1], place[PATH_LENGTH_MAX + 32];
    char build_id[TAC_BUILD_ID_TEXT];
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %*s %*s %4096[^\n]", &start, &end,
               rights, &offset, file) != 5 ||
        rights[2] != 'x' || *file != '/')
        return 0;
    snprintf(place, sizeof place, "/proc/%u/root%s", pid, file);
    tac_build_id_of_file(place, build_id);
    int n = snprintf(to, room, "%" PRIx64 " %" PRIx64 " %" PRIx64 " %s %s\n", start, end, offset,
                     build_id, file);
    return n > 0 && (size_t)n < room ? (size_t)n : 0;
}

static size_t read_maps(struct tac_process_maps *m, uint32_t pid)
{
    char path[40], line[PATH_LENGTH_MAX + 256];
    size_t used = 0;
    snprintf(path, sizeof path, "/proc/%u/maps", pid);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        used += take_line(pid, line, m->text + used, sizeof m->text - used);
    if (file)
        fclose(file);
    return used;
}

bool tac_process_maps_learn(struct tac_process_maps *m, uint32_t tid, uint32_t *ret_pid,
                            const char **ret_text, size_t *ret_bytes)
{
    if (tac_idmap_get(&m->threads, tid) || m->threads.count >= 16 * PROCESS_MAPS_MAX ||
        !tac_idmap_put(&m->threads, tid, 1))
        return false;
    uint32_t pid = process_of(tid);
    if (!pid)
        return false;
    *ret_pid = pid;
    *ret_text = m->text;
    *ret_bytes = 0;
    if (tac_idmap_get(&m->processes, pid) || m->processes.count >= PROCESS_MAPS_MAX ||
        !tac_idmap_put(&m->processes, pid, 1))
        return true;
    *ret_bytes = read_maps(m, pid);
    return true;
}
