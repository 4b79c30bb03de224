/* SPDX-License-Identifier: MIT
 * calls_files.c - files and folders, by descriptor and by name; control of devices.
 *
 * Built without large-file redirection, since both names of such functions are exported. */
#undef _FILE_OFFSET_BITS

#include "watch/calls.h"
#include "watch/descriptors.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

WRAP(ssize_t, read, (int fd, void *buffer, size_t n), (fd, buffer, n))
WRAP(ssize_t, write, (int fd, const void *buffer, size_t n), (fd, buffer, n))
WRAP(ssize_t, pread, (int fd, void *buffer, size_t n, off_t at), (fd, buffer, n, at))
WRAP(ssize_t, pwrite, (int fd, const void *buffer, size_t n, off_t at), (fd, buffer, n, at))
WRAP_AS("pread", ssize_t, pread64, (int fd, void *buffer, size_t n, off64_t at),
        (fd, buffer, n, at))
WRAP_AS("pwrite", ssize_t, pwrite64, (int fd, const void *buffer, size_t n, off64_t at),
        (fd, buffer, n, at))
WRAP(ssize_t, readv, (int fd, const struct iovec *v, int n), (fd, v, n))
WRAP(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n))
WRAP(ssize_t, preadv, (int fd, const struct iovec *v, int n, off_t at), (fd, v, n, at))
WRAP(ssize_t, pwritev, (int fd, const struct iovec *v, int n, off_t at), (fd, v, n, at))
WRAP_AS("preadv", ssize_t, preadv64, (int fd, const struct iovec *v, int n, off64_t at),
        (fd, v, n, at))
WRAP_AS("pwritev", ssize_t, pwritev64, (int fd, const struct iovec *v, int n, off64_t at),
        (fd, v, n, at))
WRAP_AS("preadv", ssize_t, preadv2, (int fd, const struct iovec *v, int n, off_t at, int flags),
        (fd, v, n, at, flags))
WRAP_AS("pwritev", ssize_t, pwritev2, (int fd, const struct iovec *v, int n, off_t at, int flags),
        (fd, v, n, at, flags))
WRAP_AS("preadv", ssize_t, preadv64v2,
        (int fd, const struct iovec *v, int n, off64_t at, int flags), (fd, v, n, at, flags))
WRAP_AS("pwritev", ssize_t, pwritev64v2,
        (int fd, const struct iovec *v, int n, off64_t at, int flags), (fd, v, n, at, flags))
WRAP(int, eventfd_read, (int fd, eventfd_t *value), (fd, value))
WRAP(int, eventfd_write, (int fd, eventfd_t value), (fd, value))
WRAP(int, fallocate, (int fd, int mode, off_t at, off_t n), (fd, mode, at, n))
WRAP_AS("fallocate", int, fallocate64, (int fd, int mode, off64_t at, off64_t n), (fd, mode, at, n))
WRAP(int, posix_fallocate, (int fd, off_t at, off_t n), (fd, at, n))
WRAP_AS("posix_fallocate", int, posix_fallocate64, (int fd, off64_t at, off64_t n), (fd, at, n))
WRAP(ssize_t, copy_file_range,
     (int in, off64_t *at, int out, off64_t *to, size_t n, unsigned flags),
     (in, at, out, to, n, flags))
WRAP(int, lockf, (int fd, int command, off_t n), (fd, command, n))
WRAP_AS("lockf", int, lockf64, (int fd, int command, off64_t n), (fd, command, n))
WRAP(int, fsync, (int fd), (fd))
WRAP(int, fdatasync, (int fd), (fd))
WRAP_VOID(sync, (void), ())
WRAP(int, syncfs, (int fd), (fd))
WRAP(int, flock, (int fd, int operation), (fd, operation))
WRAP(int, ftruncate, (int fd, off_t bytes), (fd, bytes))
WRAP_AS("ftruncate", int, ftruncate64, (int fd, off64_t bytes), (fd, bytes))
WRAP(ssize_t, sendfile, (int out, int in, off_t *at, size_t n), (out, in, at, n))
WRAP_AS("sendfile", ssize_t, sendfile64, (int out, int in, off64_t *at, size_t n), (out, in, at, n))
WRAP(ssize_t, splice, (int in, off64_t *at, int out, off64_t *to, size_t n, unsigned flags),
     (in, at, out, to, n, flags))

/* by name */
WRAP(int, stat, (const char *path, struct stat *st), (path, st))
WRAP(int, lstat, (const char *path, struct stat *st), (path, st))
WRAP(int, fstat, (int fd, struct stat *st), (fd, st))
WRAP_AS("stat", int, stat64, (const char *path, struct stat64 *st), (path, st))
WRAP_AS("lstat", int, lstat64, (const char *path, struct stat64 *st), (path, st))
WRAP_AS("fstat", int, fstat64, (int fd, struct stat64 *st), (fd, st))
WRAP(int, fstatat, (int folder, const char *path, struct stat *st, int flags),
     (folder, path, st, flags))
WRAP_AS("fstatat", int, fstatat64, (int folder, const char *path, struct stat64 *st, int flags),
        (folder, path, st, flags))
WRAP(int, statx, (int folder, const char *path, int flags, unsigned mask, struct statx *st),
     (folder, path, flags, mask, st))
WRAP(int, faccessat, (int folder, const char *path, int mode, int flags),
     (folder, path, mode, flags))
WRAP(int, unlinkat, (int folder, const char *path, int flags), (folder, path, flags))
WRAP(int, renameat, (int folder, const char *from, int other, const char *to),
     (folder, from, other, to))
WRAP(int, mkdirat, (int folder, const char *path, mode_t mode), (folder, path, mode))
WRAP(int, symlink, (const char *from, const char *to), (from, to))
WRAP(int, link, (const char *from, const char *to), (from, to))
WRAP(int, truncate, (const char *path, off_t bytes), (path, bytes))
WRAP_AS("truncate", int, truncate64, (const char *path, off64_t bytes), (path, bytes))
WRAP(int, chmod, (const char *path, mode_t mode), (path, mode))
WRAP(char *, realpath, (const char *path, char *to), (path, to))
WRAP(int, access, (const char *path, int mode), (path, mode))
WRAP(int, unlink, (const char *path), (path))
WRAP(int, rename, (const char *from, const char *to), (from, to))
WRAP(int, mkdir, (const char *path, mode_t mode), (path, mode))
WRAP(int, rmdir, (const char *path), (path))
WRAP(ssize_t, readlink, (const char *path, char *to, size_t n), (path, to, n))
WRAP(DIR *, opendir, (const char *path), (path))
WRAP(struct dirent *, readdir, (DIR * folder), (folder))
WRAP_AS("readdir", struct dirent64 *, readdir64, (DIR * folder), (folder))
WRAP(int, closedir, (DIR * folder), (folder))

/* The third argument of open is there only when a file may be made. */
#define WRAP_OPEN(shown, name, first_param, first_arg)                                             \
    TAC_WATCH_EXPORT int name(first_param const char *path, int flags, ...)                        \
    {                                                                                              \
        TAC_WATCH_SITE(site, shown);                                                               \
        mode_t mode = 0;                                                                           \
        if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) {                                 \
            va_list args;                                                                          \
            va_start(args, flags);                                                                 \
            mode = va_arg(args, mode_t);                                                           \
            va_end(args);                                                                          \
        }                                                                                          \
        struct tac_watch_call call = tac_watch_call_begin(&site, TAC_WATCH_CALLER);                \
        int fd = TAC_WATCH_REAL(name)(first_arg path, flags, mode);                                \
        tac_watch_call_end(&call);                                                                 \
        return fd;                                                                                 \
    }
#define FOLDER_PARAM int folder,
#define FOLDER_ARG folder,
WRAP_OPEN("open", open, , )
WRAP_OPEN("open", open64, , )
WRAP_OPEN("openat", openat, FOLDER_PARAM, FOLDER_ARG)
WRAP_OPEN("openat", openat64, FOLDER_PARAM, FOLDER_ARG)
WRAP(int, creat, (const char *path, mode_t mode), (path, mode))

/* What fortified programs call. */
ssize_t __read_chk(int fd, void *buffer, size_t n, size_t size);
ssize_t __pread_chk(int fd, void *buffer, size_t n, off_t at, size_t size);
ssize_t __pread64_chk(int fd, void *buffer, size_t n, off64_t at, size_t size);
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int folder, const char *path, int flags);
int __openat64_2(int folder, const char *path, int flags);
char *__realpath_chk(const char *path, char *to, size_t size);
ssize_t __readlink_chk(const char *path, char *to, size_t n, size_t size);
WRAP_AS("read", ssize_t, __read_chk, (int fd, void *buffer, size_t n, size_t size),
        (fd, buffer, n, size))
WRAP_AS("pread", ssize_t, __pread_chk, (int fd, void *buffer, size_t n, off_t at, size_t size),
        (fd, buffer, n, at, size))
WRAP_AS("pread", ssize_t, __pread64_chk, (int fd, void *buffer, size_t n, off64_t at, size_t size),
        (fd, buffer, n, at, size))
WRAP_AS("open", int, __open_2, (const char *path, int flags), (path, flags))
WRAP_AS("open", int, __open64_2, (const char *path, int flags), (path, flags))

WRAP_AS("openat", int, __openat_2, (int folder, const char *path, int flags), (folder, path, flags))
WRAP_AS("openat", int, __openat64_2, (int folder, const char *path, int flags),
        (folder, path, flags))
WRAP_AS("realpath", char *, __realpath_chk, (const char *path, char *to, size_t size),
        (path, to, size))
WRAP_AS("readlink", ssize_t, __readlink_chk, (const char *path, char *to, size_t n, size_t size),
        (path, to, n, size))

/* A sound device is driven by ioctl; anything else is not for a cycle. */
TAC_WATCH_EXPORT int ioctl(int fd, unsigned long request, ...)
{
    TAC_WATCH_SITE(site, "ioctl");
    va_list args;
    va_start(args, request);
    void *argument = va_arg(args, void *);
    va_end(args);
    if (tac_watch_thread()->cycle && tac_descriptor_is_sound(fd))
        return TAC_WATCH_REAL(ioctl)(fd, request, argument);
    struct tac_watch_call call = tac_watch_call_begin(&site, TAC_WATCH_CALLER);
    int result = TAC_WATCH_REAL(ioctl)(fd, request, argument);
    tac_watch_call_end(&call);
    return result;
}

/* Only a lock that is waited for is worth a word. */
#define WRAP_FCNTL(name)                                                                           \
    TAC_WATCH_EXPORT int name(int fd, int command, ...)                                            \
    {                                                                                              \
        TAC_WATCH_SITE(site, "fcntl");                                                             \
        va_list args;                                                                              \
        va_start(args, command);                                                                   \
        void *argument = va_arg(args, void *);                                                     \
        va_end(args);                                                                              \
        if (command != F_SETLKW && command != F_OFD_SETLKW)                                        \
            return TAC_WATCH_REAL(name)(fd, command, argument);                                    \
        struct tac_watch_call call = tac_watch_call_begin(&site, TAC_WATCH_CALLER);                \
        int result = TAC_WATCH_REAL(name)(fd, command, argument);                                  \
        tac_watch_call_end(&call);                                                                 \
        return result;                                                                             \
    }
WRAP_FCNTL(fcntl)
WRAP_FCNTL(fcntl64)
