# SPDX-License-Identifier: MIT
# heap.bash - for the scripts heap_*: a program gives the same result on the system's heap and on
# ours. Sourced; not a test by itself.
#
#   same NAME PROGRAM COMMAND   standard output and exit code of the shell command are the same
#   good NAME PROGRAM COMMAND   the shell command succeeds on our heap
# PROGRAM: what must be installed, else the test is skipped. LIMIT: seconds for each run. In COMMAND
# $ours is 1 on our heap, so that files can be told apart.
# The script's argument is the path of the command tactus; the heap lies beside it.
TACTUS_MEM=$(readlink -f "$(dirname "$1")/../mem/libtactus-mem.so")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
count=0
failed=0
LIMIT=${LIMIT:-600}

result() { # good?, name, file to show
    count=$((count + 1))
    if [ "$1" = 1 ]; then
        echo "ok $count - $2"
    else
        failed=1
        tail -n 12 "$3" | sed 's/^/# /'
        echo "not ok $count - $2"
    fi
}

skipped() { # name, why
    count=$((count + 1))
    echo "ok $count - $1 # SKIP $2"
}

has() { # name, program
    command -v "$2" >/dev/null && return 0
    skipped "$1" "$2 is not installed"
    return 1
}

same() {
    has "$1" "$2" || return
    ours=0 timeout "$LIMIT" bash -c "$3" >plain.out 2>plain.err
    local plain=$?
    ours=1 LD_PRELOAD=$TACTUS_MEM timeout "$LIMIT" bash -c "$3" >ours.out 2>ours.err
    local code=$?
    if [ $plain = $code ] && cmp -s plain.out ours.out; then
        result 1 "$1"
    else
        { echo "exit $plain and $code"; diff plain.out ours.out | head -8; tail -n 4 ours.err; } >diff.out
        result 0 "$1" diff.out
    fi
}

good() {
    has "$1" "$2" || return
    ours=1 LD_PRELOAD=$TACTUS_MEM timeout "$LIMIT" bash -c "$3" >ours.out 2>&1
    local code=$?
    [ $code = 0 ] || echo "exit $code" >>ours.out
    result $((code == 0)) "$1" ours.out
}

done_testing() {
    echo "1..$count"
    exit $failed
}
