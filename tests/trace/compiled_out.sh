#!/bin/sh
# SPDX-License-Identifier: MIT
# Compiled out means gone: the object code with TAC_TRACE_OFF is that of a file without the macros,
# and so is that of a level or category that is not compiled in, as far as calls and data go.
# usage: compiled_out.sh SOURCE-ROOT CC...
root=$1
shift
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
cd "$root" || exit 99
flags="-std=gnu17 -O2 -Iinclude -c tests/trace/compiled_out.c"
"$@" $flags -DTAC_TRACE_OFF -o "$dir/off.o" && "$@" $flags -DPLAIN -o "$dir/plain.o" &&
    "$@" $flags -o "$dir/on.o" && "$@" $flags -DSTATIC_ONLY -DTAC_TRACE_LEVEL=0 -o "$dir/level.o" &&
    "$@" $flags -DSTATIC_ONLY -DTAC_TRACE_CATEGORIES=0 -o "$dir/category.o" || exit 99
text() { objcopy -O binary -j .text "$dir/$1.o" "$dir/$1.text" && cat "$dir/$1.text" | cksum; }
say() { if [ "$2" = "$3" ]; then echo "ok $1"; else echo "not ok $1"; fi; }
say "1 - trace_off_gives_the_same_object_code" "$(text off)" "$(text plain)"
if [ "$(text on)" != "$(text plain)" ]; then echo "ok 2 - the_comparison_can_fail"; else echo "not ok 2 - the_comparison_can_fail"; fi
say "3 - level_0_leaves_no_reference" "$(nm -u "$dir/level.o")" "$(nm -u "$dir/plain.o")"
say "4 - no_category_leaves_no_reference" "$(nm -u "$dir/category.o")" "$(nm -u "$dir/plain.o")"
echo 1..4
