/* SPDX-License-Identifier: MIT
 * real.c - finds the functions that the wrappers stand in front of.
 *
 * dlsym(RTLD_NEXT) sees only libraries of the global scope. A plug-in that was opened with
 * RTLD_LOCAL brings its audio library along in a scope of its own, yet its calls come to us: we are
 * in front of every scope. Then the library is already loaded and RTLD_NOLOAD finds it by name. */
#include "watch/watch.h"

#include <dlfcn.h>
#include <errno.h>

uintptr_t tac_watch_real(_Atomic(uintptr_t) *slot, const char *name, const char *version,
                         const char *soname)
{
    struct tac_watch_thread *t = tac_watch_thread();
    int before = errno;
    t->shim++;
    void *found = version ? dlvsym(RTLD_NEXT, name, version) : NULL;
    if (!found)
        found = tac_watch_dlsym(RTLD_NEXT, name);
    if (!found && soname) {
        void *library = dlopen(soname, RTLD_LAZY | RTLD_NOLOAD);
        if (library) {
            found = tac_watch_dlsym(library, name);
            dlclose(library);
        }
    }
    t->shim--;
    errno = before;
    atomic_store_explicit(slot, (uintptr_t)found, memory_order_relaxed);
    return (uintptr_t)found;
}
