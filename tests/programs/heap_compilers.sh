#!/bin/bash
# SPDX-License-Identifier: MIT
# Compilers on our heap make the same objects, bit for bit.
here=$(dirname "$(readlink -f "$0")")
source "$here/heap.bash"
root=$here/../..

cat >big.cpp <<'END'
#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <regex>
#include <string>
#include <vector>
template <int N> struct tower { static int up(int x) { return tower<N - 1>::up(x) + N; } };
template <> struct tower<0> { static int up(int x) { return x; } };
int main() {
    std::map<std::string, std::vector<std::function<int(int)>>> m;
    for (int i = 0; i < 9; i++) m[std::to_string(i)].push_back([i](int x) { return tower<200>::up(x + i); });
    std::regex r("a(b|c)*d");
    std::cout << m["3"][0](4) << std::regex_match("abcbcd", r) << "\n";
}
END
sources="src/mem/spans.c src/mem/pool.c src/base/text.c src/mem/stats.c"
for compiler in gcc clang; do
    for level in -O0 -O2 "-O3 -g"; do
        same "$compiler $level: C" $compiler "cd $root; for s in $sources; do
            $compiler -std=gnu17 $level -Iinclude -Isrc -D_GNU_SOURCE -c \$s -o $PWD/one.o &&
            sha256sum <$PWD/one.o; done"
    done
done
same "g++ -O2: templates" g++ 'g++ -O2 -g -c big.cpp -o big.o && sha256sum <big.o'
same "clang++ -O2: templates" clang++ 'clang++ -O2 -g -c big.cpp -o big.o && sha256sum <big.o'
same "link time optimization" gcc 'gcc -O2 -flto=2 -x c++ big.cpp -lstdc++ -o big && ./big && objdump -d big | tail -n +4 | sha256sum'
done_testing
