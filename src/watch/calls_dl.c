/* SPDX-License-Identifier: MIT
 * calls_dl.c - libraries that are loaded, and functions that are looked up, while the program runs.
 *
 * The loader looks at who calls: a relative name is searched by the caller's run path, RTLD_NEXT
 * begins after the caller. So the real function must see the program's return address, and is
 * jumped to, not called: nothing may happen after it. A dlopen in a cycle is therefore an event
 * without length; the files and mappings of the loader are its own and not seen.
 *
 * dlsym is where programs that open their audio library by themselves (JUCE, miniaudio, SDL) come
 * by: for a name that we stand in front of they get ours. RTLD_DEEPBIND is dropped: such a library
 * would take malloc from libc and give its blocks to ours, and the other way round. */
#include "watch/calls.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

typedef void *open_function(const char *path, int flags);
typedef void *openm_function(Lmid_t space, const char *path, int flags);
typedef void *symbol_function(void *handle, const char *name);

/* libc's dlsym: ours cannot look itself up. Its version says where it came in. */
static symbol_function *real_dlsym(void)
{
    static const char *const version[] = {"GLIBC_2.34", "GLIBC_2.2.5", "GLIBC_2.17", "GLIBC_2.4",
                                          "GLIBC_2.0"};
    static _Atomic(uintptr_t) slot;
    uintptr_t found = atomic_load_explicit(&slot, memory_order_relaxed);
    for (size_t i = 0; !found && i < sizeof version / sizeof *version; i++)
        found = (uintptr_t)dlvsym(RTLD_NEXT, "dlsym", version[i]);
    atomic_store_explicit(&slot, found, memory_order_relaxed);
    return (symbol_function *)found;
}

void *tac_watch_dlsym(void *handle, const char *name)
{
    return real_dlsym()(handle, name);
}

static void note(const struct tac_trace_site *site, const void *caller)
{
    tac_watch_note(tac_watch_thread(), site, caller);
}

TAC_WATCH_EXPORT void *dlopen(const char *path, int flags)
{
    TAC_WATCH_SITE(site, "dlopen");
    note(&site, TAC_WATCH_CALLER);
    return TAC_WATCH_REAL_AS(open_function *, "dlopen", NULL, NULL)(path, flags & ~RTLD_DEEPBIND);
}

TAC_WATCH_EXPORT void *dlmopen(Lmid_t space, const char *path, int flags)
{
    TAC_WATCH_SITE(site, "dlopen");
    note(&site, TAC_WATCH_CALLER);
    return TAC_WATCH_REAL_AS(openm_function *, "dlmopen", NULL, NULL)(space, path,
                                                                      flags & ~RTLD_DEEPBIND);
}

WRAP(int, dlclose, (void *handle), (handle))

static const char *const audio[] = {"jack_", "snd_pcm_", "Pa_", "pw_stream_", "pw_filter_"};

static bool is_audio(const char *name)
{
    for (size_t i = 0; i < sizeof audio / sizeof *audio; i++)
        if (!strncmp(name, audio[i], strlen(audio[i])))
            return true;
    return false;
}

/* Ours of that name, when the library behind the handle has one too. */
static void *ours(void *handle, const char *name)
{
    if (handle == RTLD_NEXT || handle == RTLD_DEFAULT || !name || !is_audio(name) ||
        !tac_watch_dlsym(handle, name))
        return NULL;
    void *found = tac_watch_dlsym(RTLD_DEFAULT, name);
    Dl_info there, here;
    bool is_ours = found && dladdr(found, &there) && dladdr((void *)(uintptr_t)&audio, &here) &&
                   there.dli_fbase == here.dli_fbase;
    return is_ours ? found : NULL;
}

TAC_WATCH_EXPORT void *dlsym(void *handle, const char *name)
{
    void *found = ours(handle, name);
    if (found)
        return found;
    return real_dlsym()(handle, name);
}
