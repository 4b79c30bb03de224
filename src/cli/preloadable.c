/* SPDX-License-Identifier: MIT
 * preloadable.c - looks a program up and reads its ELF header; see preloadable.h.
 *
 * Source: System V ABI, chapters 4 and 5 (ELF header, PT_INTERP); ld.so(8), secure execution. */
#include "cli/preloadable.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { SCRIPT_DEPTH_MAX = 4 };

static bool is_program(const char *path)
{
    struct stat st;
    return !stat(path, &st) && S_ISREG(st.st_mode) && !access(path, X_OK);
}

/* As execvp would. 0 or -errno. */
static int look_up(const char *program, char *path, size_t size)
{
    if (strchr(program, '/')) {
        struct stat st;
        snprintf(path, size, "%s", program);
        if (stat(path, &st))
            return -errno;
        return is_program(path) ? 0 : -EACCES;
    }
    const char *folder = getenv("PATH");
    for (folder = folder ? folder : "/bin:/usr/bin"; *folder;) {
        size_t length = strcspn(folder, ":");
        snprintf(path, size, "%.*s/%s", (int)length, length ? folder : ".", program);
        if (is_program(path))
            return 0;
        folder += length + (folder[length] == ':');
    }
    return -ENOENT;
}

/* The same class and machine as this command. */
static bool is_native(const ElfW(Ehdr) * header)
{
    ElfW(Ehdr) self;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    bool same = fd < 0 || read(fd, &self, sizeof self) != (ssize_t)sizeof self ||
                (header->e_ident[EI_CLASS] == self.e_ident[EI_CLASS] &&
                 header->e_machine == self.e_machine);
    if (fd >= 0)
        close(fd);
    return same;
}

static bool has_interpreter(int fd, const ElfW(Ehdr) * header)
{
    for (unsigned i = 0; i < header->e_phnum; i++) {
        ElfW(Phdr) segment;
        off_t at = (off_t)(header->e_phoff + (size_t)i * header->e_phentsize);
        if (pread(fd, &segment, sizeof segment, at) != (ssize_t)sizeof segment)
            return true; /* not ours to judge; the kernel will */
        if (segment.p_type == PT_INTERP)
            return true;
    }
    return false;
}

static int check_rights(const char *path, struct tac_error *err)
{
    struct stat st;
    if (stat(path, &st))
        return 0;
    bool other = ((st.st_mode & S_ISUID) && st.st_uid != getuid()) ||
                 ((st.st_mode & S_ISGID) && (st.st_mode & S_IXGRP) && st.st_gid != getgid()) ||
                 (getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0);
    if (!other)
        return 0;
    return tac_error_set(err, -EPERM, path, 0, 0,
                         "runs with other rights than yours (setuid, setgid or file capabilities), "
                         "so no library can be put in front of it; run it as that user, or a copy "
                         "without these rights");
}

static int check_file(const char *path, int depth, struct tac_error *err);

/* head is the start of a script: go on with its interpreter. */
static int check_script(char *head, int depth, struct tac_error *err)
{
    char *word = head + 2 + strspn(head + 2, " \t");
    word[strcspn(word, " \t\n")] = 0;
    return *word && depth < SCRIPT_DEPTH_MAX ? check_file(word, depth + 1, err) : 0;
}

static int check_file(const char *path, int depth, struct tac_error *err)
{
    union {
        ElfW(Ehdr) elf;
        char text[256];
    } head = {.text = ""};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return check_rights(path, err); /* may be run but not read */
    ssize_t n = read(fd, &head, sizeof head - 1);
    int r = 0;
    if (n > 2 && head.text[0] == '#' && head.text[1] == '!')
        r = check_script(head.text, depth, err);
    else if (n < (ssize_t)sizeof head.elf || memcmp(head.elf.e_ident, ELFMAG, SELFMAG) != 0)
        r = 0;
    else if (!is_native(&head.elf))
        r = tac_error_set(err, -ENOEXEC, path, 0, 0,
                          "is a program for another kind of machine than this Tactus");
    else if (!has_interpreter(fd, &head.elf))
        r = tac_error_set(
            err, -ENOEXEC, path, 0, 0,
            "is statically linked, so no library can be put in front of it; link it "
            "dynamically, or link libtactus-trace into it to record it, libtactus-mem for "
            "its heap");
    else
        r = check_rights(path, err);
    close(fd);
    return r;
}

int tac_preloadable_check(const char *program, struct tac_error *err)
{
    char path[PATH_MAX];
    int r = look_up(program, path, sizeof path);
    if (r == -ENOENT)
        return tac_error_set(err, r, program, 0, 0, "there is no such program%s",
                             strchr(program, '/') ? "" : " in PATH");
    if (r == -EACCES)
        return tac_error_set(err, r, program, 0, 0,
                             "is not a program that may be run (chmod +x makes a file one)");
    if (r < 0)
        return tac_error_set(err, r, program, 0, 0, "cannot be started: %s", strerror(-r));
    return check_file(path, 0, err);
}
