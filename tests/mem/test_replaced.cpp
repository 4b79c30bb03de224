// SPDX-License-Identifier: MIT
// test_replaced.cpp - a program that brings its own operators new and delete, each block with a
// head in front: every form that it does not bring must end in those. Prints TAP by itself.
#include "tactus/mem.h"

#include <cstdio>
#include <cstdlib>
#include <new>

namespace
{

constexpr std::size_t head_bytes = 64;
long live_bytes, strange;

struct head {
    std::size_t bytes, magic;
};

void *make(std::size_t bytes)
{
    char *raw = static_cast<char *>(aligned_alloc(64, (bytes + head_bytes + 63) / 64 * 64));
    if (!raw)
        throw std::bad_alloc();
    *reinterpret_cast<head *>(raw) = {bytes, 0xabcd};
    live_bytes += static_cast<long>(bytes);
    return raw + head_bytes;
}

void drop(void *block)
{
    if (!block)
        return;
    head *of = reinterpret_cast<head *>(static_cast<char *>(block) - head_bytes);
    strange += of->magic != 0xabcd;
    of->magic = 0;
    live_bytes -= static_cast<long>(of->bytes);
    std::free(of);
}

struct with_end {
    int number[10];
    ~with_end()
    {
        number[0] = 0;
    }
};

struct alignas(64) wide {
    char byte[128];
    ~wide()
    {
        byte[0] = 0;
    }
};

int count, failures;

template <class T> void round_trip(const char *name)
{
    T *volatile one = new T, *volatile many = new T[3], *volatile quiet = new (std::nothrow) T;
    bool good = live_bytes >= static_cast<long>(5 * sizeof(T)) && tac_heap_owns(one);
    delete one;
    delete[] many;
    delete quiet;
    ::operator delete[](::operator new[](40, std::nothrow), std::nothrow);
    good = good && live_bytes == 0 && strange == 0;
    failures += !good;
    std::printf("%sok %d - %s\n", good ? "" : "not ", ++count, name);
}

} // namespace

void *operator new(std::size_t bytes)
{
    return make(bytes);
}

void operator delete(void *block) noexcept
{
    drop(block);
}

void *operator new(std::size_t bytes, std::align_val_t)
{
    return make(bytes);
}

void operator delete(void *block, std::align_val_t) noexcept
{
    drop(block);
}

int main()
{
    live_bytes = 0;
    round_trip<with_end>("the program's operators answer arrays, sizes and nothrow");
    round_trip<wide>("and those of aligned types");
    std::printf("1..%d\n", count);
    return failures != 0;
}
