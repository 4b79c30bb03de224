// SPDX-License-Identifier: MIT
// test_new.cpp - C++ on the heap: every form of new and delete, failure by handler and exception,
// the call sites that are noted, objects made before main and destroyed after it, and those of
// threads. Prints TAP by itself.
#include "tactus/mem.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <limits>
#include <map>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace
{

int count, failures;

void ok(bool good, const char *name)
{
    failures += !good;
    std::printf("%sok %d - %s\n", good ? "" : "not ", ++count, name);
}

bool ours(const void *block)
{
    return tac_heap_owns(block) != 0;
}

struct alignas(256) wide {
    char byte[300];
};

// The pointers are volatile so that no pair of new and delete is optimized away.
template <class T> T *keep(T *pointer)
{
    T *volatile kept = pointer;
    return kept;
}

void plain_and_array()
{
    int *one = keep(new int(7)), *many = keep(new int[1000]);
    ok(ours(one) && ours(many) && *one == 7, "new and new[] are ours");
    delete one;
    delete[] many;
    void *sized = keep(static_cast<char *>(::operator new(100)));
    ::operator delete (sized, std::size_t{100});
    void *array = ::operator new[](100);
    ok(ours(array), "operator new[] by name");
    ::operator delete[](array, std::size_t{100});
}

void aligned()
{
    bool good = true;
    for (int i = 0; i < 100; i++) {
        wide *w = keep(new wide), *row = keep(new wide[3]);
        good = good && ours(w) && reinterpret_cast<std::uintptr_t>(w) % 256 == 0 &&
               reinterpret_cast<std::uintptr_t>(row) % 256 == 0;
        delete w;
        delete[] row;
    }
    void *page = ::operator new (10, std::align_val_t{4096});
    good = good && reinterpret_cast<std::uintptr_t>(page) % 4096 == 0;
    ::operator delete (page, std::size_t{10}, std::align_val_t{4096});
    void *nothing = ::operator new (10, std::align_val_t{64}, std::nothrow);
    good = good && reinterpret_cast<std::uintptr_t>(nothing) % 64 == 0;
    ::operator delete (nothing, std::align_val_t{64}, std::nothrow);
    ok(good, "aligned new");
}

volatile std::size_t huge = std::numeric_limits<std::size_t>::max() / 4;

void failure()
{
    ok(!::operator new(huge, std::nothrow) && !::operator new[](huge, std::nothrow),
       "nothrow new returns null");
    int caught = 0;
    try {
        keep(static_cast<char *>(::operator new(huge)));
    } catch (const std::bad_alloc &) {
        caught++;
    }
    try {
        keep(static_cast<char *>(::operator new[](huge, std::align_val_t{128})));
    } catch (const std::bad_alloc &) {
        caught++;
    }
    ok(caught == 2, "new throws bad_alloc");
}

int handler_calls;

void handler()
{
    if (++handler_calls == 3)
        std::set_new_handler(nullptr);
}

void handler_that_throws()
{
    throw std::runtime_error("no more");
}

void handler_of_bad_alloc()
{
    throw std::bad_alloc();
}

void handlers()
{
    std::set_new_handler(handler);
    bool caught = false;
    try {
        keep(static_cast<char *>(::operator new(huge)));
    } catch (const std::bad_alloc &) {
        caught = true;
    }
    ok(caught && handler_calls == 3, "the new handler is called until it gives up");
    std::set_new_handler(handler_that_throws);
    caught = false;
    try {
        keep(static_cast<char *>(::operator new(huge)));
    } catch (const std::runtime_error &) {
        caught = true;
    }
    ok(caught, "a new handler may throw");
    std::set_new_handler(handler_of_bad_alloc);
    ok(!::operator new(huge, std::nothrow) && !::operator new[](huge, std::nothrow) &&
           !::operator new (huge, std::align_val_t{64}, std::nothrow),
       "nothrow new returns null also when the new handler throws");
    std::set_new_handler(nullptr);
}

// ---- guard: the call site is ours ----

#ifdef TEST_DEBUG // whose blocks are longer
constexpr bool checked = true;
#else
constexpr bool checked = false;
#endif

bool noted(std::size_t bytes)
{
    tac_heap_violation last;
    Dl_info module, self;
    return tac_heap_violations_get(&last, 1) == 1 && (last.bytes == bytes || checked) &&
           dladdr(last.site, &module) && dladdr(reinterpret_cast<void *>(noted), &self) &&
           module.dli_fbase == self.dli_fbase;
}

template <class F> bool noted_by(std::size_t bytes, F call)
{
    tac_heap_guard before = tac_heap_guard_set(TAC_HEAP_COUNT);
    call();
    tac_heap_guard_set(before);
    return noted(bytes);
}

void *volatile kept;

void sites()
{
    void *block = nullptr;
    ok(noted_by(100, [] { kept = ::operator new (100, std::align_val_t{64}); }),
       "the site of aligned new");
    ::operator delete (kept, std::align_val_t{64});
    ok(noted_by(100, [&] { kept = posix_memalign(&block, 64, 100) ? nullptr : block; }),
       "the site of posix_memalign");
    ok(noted_by(0, [] { kept = realloc(kept, 0); }), "the site of realloc to nothing");
}

thread_local std::map<int, std::string> local;

void threads()
{
    std::vector<std::unique_ptr<std::string>> made(400);
    std::vector<std::thread> pool;
    for (int t = 0; t < 4; t++)
        pool.emplace_back([t, &made] {
            for (int i = 0; i < 100; i++) {
                local[i] = std::string(static_cast<std::size_t>(i), 'x'); // freed at thread exit
                made[static_cast<std::size_t>(t * 100 + i)] = std::make_unique<std::string>(
                    std::to_string(i) + " is long enough for the heap");
            }
        });
    for (auto &thread : pool)
        thread.join();
    std::size_t length = 0;
    for (auto &text : made)
        length += text->size();
    made.clear();
    ok(length == 4 * (10 * 29 + 90 * 30) && tac_heap_is_valid(nullptr, 0) == 0,
       "objects outlive their threads, thread_local ones die with them");
}

struct early {
    std::vector<int> numbers = std::vector<int>(1000, 3);
    ~early()
    {
        std::vector<int> late(5000, 1); // after main
        if (late.size() + numbers.size() != 6000 || !ours(numbers.data()))
            std::_Exit(9);
    }
} before_main;

} // namespace

int main()
{
    ok(before_main.numbers.size() == 1000 && ours(before_main.numbers.data()),
       "static objects before main");
    plain_and_array();
    aligned();
    failure();
    handlers();
    sites();
    threads();
    std::printf("1..%d\n", count);
    return failures != 0;
}
