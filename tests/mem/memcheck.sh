#!/bin/bash
# SPDX-License-Identifier: MIT
# memcheck.sh BUILT CORE LINKED - Valgrind's memcheck finds planted faults in blocks of this heap.
# BUILT: 1 when the requests were built in. CORE calls tac_heap_malloc, LINKED calls malloc and is
# linked with libtactus-mem.
count=0
failed=0

ok() { # good?, name
    count=$((count + 1))
    if [ "$1" = 0 ]; then echo "ok $count - $2"; else
        failed=1
        sed 's/^/# /' log | tail -12
        echo "not ok $count - $2"
    fi
}

skip() { echo "ok 1 - memcheck # SKIP $1"; echo 1..1; exit 0; }

[ "$1" = 1 ] || skip "built without Valgrind's headers"
command -v valgrind >/dev/null || skip "valgrind is not installed"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
core=$(realpath "$2")
linked=$(realpath "$3")
cd "$work" || exit 1

check() { # name, valgrind arguments, program
    local name=$1
    shift
    timeout 100 valgrind --leak-check=full --num-callers=6 "$@" >log 2>&1
    grep -q 'Invalid write of size 1' log && grep -q '0 bytes after a .*block of size 100 alloc' log
    ok $? "$name: overrun"
    grep -q '1 bytes before a .*block of size 100 alloc' log
    ok $? "$name: underrun"
    grep -q 'depends on uninitialised' log
    ok $? "$name: undefined"
    grep -q 'Invalid read of size 1' log && grep -q "inside a .*block of size 100 free'd" log
    ok $? "$name: use after free"
    grep -q '0 bytes after a .*block of size 200 alloc' log
    ok $? "$name: overrun of an aligned block"
    grep -q '1,234 .*bytes in 1 blocks are definitely lost' log
    ok $? "$name: leak"
    timeout 100 valgrind --leak-check=full --errors-for-leak-kinds=definite "$@" well >log 2>&1
    grep -q 'ERROR SUMMARY: 0 errors' log
    ok $? "$name: nothing where nothing is"
}

export TACTUS_HEAP=size=64M,lock=no
check "tac_heap_malloc" "$core"
check "malloc, replaced by Valgrind" "$linked"
check "malloc, ours" --soname-synonyms=somalloc=nouserintercepts "$linked"
echo "1..$count"
exit $failed
