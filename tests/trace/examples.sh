#!/bin/sh
# SPDX-License-Identifier: MIT
# What docs/trace.md promises: an installed libtactus-trace, found by pkg-config, is all that a program
# with CMake or Meson needs, and the command reads what the program records.
# usage: examples.sh SOURCE-ROOT BUILD-ROOT TACTUS
root=$1
build=$2
tactus=$3
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
echo 1..3
if ! meson install -C "$build" --no-rebuild --destdir "$dir/root" --tags devel,runtime >"$dir/log" 2>&1; then
    sed 's/^/# /' "$dir/log" | tail -5
    echo "not ok 1 - the_library_installs"
    exit 1
fi
pc=$(find "$dir/root" -name tactus-trace.pc)
export PKG_CONFIG_PATH="${pc%/*}" PKG_CONFIG_SYSROOT_DIR="$dir/root"
lib=$(dirname "$(find "$dir/root" -name 'libtactus-trace.so' | head -1)")
export LD_LIBRARY_PATH="$lib"
[ -n "$pc" ] && echo "ok 1 - the_library_installs" || echo "not ok 1 - the_library_installs"

# try NUMBER NAME PROGRAM: it records, and the recording holds its one late cycle
try() {
    if "$3" "$dir/$2.tac" && "$tactus" zones "$dir/$2.tac" | grep -q mix; then
        echo "ok $1 - an_example_with_$2_records"
    else
        sed 's/^/# /' "$dir/log" | tail -5
        echo "not ok $1 - an_example_with_$2_records"
    fi
}

if command -v cmake >/dev/null; then
    cmake -S "$root/examples/trace" -B "$dir/cmake" >"$dir/log" 2>&1 &&
        cmake --build "$dir/cmake" >>"$dir/log" 2>&1
    try 2 cmake "$dir/cmake/example"
else
    echo "ok 2 - an_example_with_cmake_records # SKIP cmake is not installed"
fi
meson setup "$dir/meson" "$root/examples/trace" >"$dir/log" 2>&1 &&
    ninja -C "$dir/meson" >>"$dir/log" 2>&1
try 3 meson "$dir/meson/example"
