/* SPDX-License-Identifier: MIT
 * real.c - finds the functions that the wrappers stand in front of.
 *
 * Looking up takes the loader's lock. A thread that waits in a library's constructor for another
 * thread holds it, and the other one would never come out of its first wrapped call; so all that is
 * there is looked up by our constructor. What comes later is the audio libraries of plug-ins:
 * dlsym(RTLD_NEXT) sees only libraries of the global scope, and a plug-in that was opened with
 * RTLD_LOCAL brings its own along in a scope of its own, yet its calls come to us: we are in front
 * of every scope. Then the library is already loaded and RTLD_NOLOAD finds it by name. */
#include "watch/watch.h"

#include <dlfcn.h>
#include <errno.h>

static void *look_into(const char *soname, const char *name)
{
    void *library = dlopen(soname, RTLD_LAZY | RTLD_NOLOAD);
    void *found = library ? tac_watch_dlsym(library, name) : NULL;
    if (library)
        dlclose(library);
    return found;
}

uintptr_t tac_watch_look_up(struct tac_watch_real *real)
{
    struct tac_watch_thread *t = tac_watch_thread();
    int before = errno;
    t->shim++;
    void *found = real->version ? dlvsym(RTLD_NEXT, real->name, real->version) : NULL;
    if (!found)
        found = tac_watch_dlsym(RTLD_NEXT, real->name);
    if (!found && real->soname)
        found = look_into(real->soname, real->name);
    t->shim--;
    errno = before;
    atomic_store_explicit(&real->address, (uintptr_t)found, memory_order_relaxed);
    return (uintptr_t)found;
}

#define HIDDEN __attribute__((visibility("hidden")))
extern HIDDEN struct tac_watch_real first_real[] __asm__("__start_tac_watch_reals");
extern HIDDEN struct tac_watch_real end_real[] __asm__("__stop_tac_watch_reals");

static __attribute__((constructor)) void look_up_all(void)
{
    for (struct tac_watch_real *r = first_real; r < end_real; r++)
        if (!r->address && !r->soname)
            tac_watch_look_up(r);
}
