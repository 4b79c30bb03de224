#!/bin/bash
# SPDX-License-Identifier: MIT
# Recordings over sockets, end to end and on this machine alone: a recorder that connects, one that is
# asked, tokens, a flight recorder, formats written while they come, and what can go wrong.
# usage: capture_network.sh TACTUS RECORD_SELF
tactus=$(realpath "$1")
program=$(realpath "$2")
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 99
unset TACTUS_RECORD TACTUS_TOKEN
n=0
check() { # NAME EXPECTED-STATUS PATTERN COMMAND...
    local name=$1 want=$2 pattern=$3 out got
    shift 3
    n=$((n + 1))
    out=$(timeout 60 "$@" 2>&1)
    got=$?
    if [ $got = "$want" ] && echo "$out" | grep -q -- "$pattern"; then
        echo "ok $n - $name"
    else
        echo "# status $got: $out"
        echo "not ok $n - $name"
    fi
}
sock=unix:@tactus-test-net-$$
# A port that nobody has, below those that the system gives to connections.
for _ in $(seq 50); do
    port=$((20000 + RANDOM % 10000))
    grep -qs "$(printf ':%04X ' $port)" /proc/net/tcp /proc/net/tcp6 || break
done
listens() { # at the name of a socket, or at the port
    case $1 in
    tcp) grep -qs "$(printf ':%04X 00000000:0000 0A' $port)" /proc/net/tcp ;;
    *) grep -qs "$1\$" /proc/net/unix ;;
    esac
}
heard() { # until somebody listens there, at most ten seconds
    for _ in $(seq 500); do
        listens "$1" && return
        sleep 0.02
    done
}
capture() { # in the background; its words go to log
    timeout 60 "$tactus" capture --no-kernel "$@" >log 2>&1 &
    background=$!
    case $* in *127.0.0.1*) heard tcp ;; *) heard "@tactus-test-net-$$" ;; esac
}
finish() {
    kill -INT $background
    wait $background
}

capture --listen=$sock -o one.tac
check a_recorder_connects 0 '^$' "$program" $sock
check another_goes_beside_it 0 '^$' "$program" $sock
finish
check the_first_is_whole 0 'callback  *50 ' "$tactus" info one.tac
check the_second_is_whole 0 'callback  *50 ' "$tactus" info one.2.tac
check it_said_what_it_did 0 'and 1 more beside it' cat log

capture --listen=127.0.0.1:$port -o tcp.tac
check a_recorder_connects_over_tcp 0 '^$' "$program" tcp:127.0.0.1:$port
finish
check that_one_is_whole 0 'callback  *50 ' "$tactus" info tcp.tac

"$program" $sock 300 & # nobody is there yet
recorder=$!
capture --listen=$sock -o later.tac
wait $recorder
finish
check what_came_before_the_listener_is_there 0 'callback  *300 ' "$tactus" info later.tac

echo sesame >token
capture --listen=$sock --token token -o token.tac
check a_wrong_token_is_let_go 1 '^$' "$program" $sock 5
check another_as_well 1 '^$' "$program" $sock 5
check the_right_token_opens 0 '^$' env TACTUS_TOKEN=sesame "$program" $sock
finish
check only_one_was_written 0 'callback  *50 ' "$tactus" info token.tac
check refusals_are_told_in_few_lines_and_a_count 0 '^[1-9] .*more were refused' \
    sh -c 'echo $(grep -c "somebody: refused" log) $(grep -o "[0-9]* more were refused" log)'

TACTUS_RECORD=listen: "$program" unused 2000 &
recorder=$!
heard "@tactus.$recorder"
check a_process_is_asked_by_its_pid 0 'recorded to' \
    "$tactus" capture --no-kernel --pid $recorder --seconds 1 -o pid.tac
kill $recorder
wait $recorder 2>/dev/null
check it_has_what_happened_meanwhile 0 '^work  *[1-9][0-9][0-9] ' "$tactus" zones pid.tac
check a_process_that_does_not_listen 3 'does not listen' "$tactus" capture --no-kernel --pid $$ -o no.tac
check nobody_listens_there 3 'no recorder answers' \
    "$tactus" capture --no-kernel --socket unix:@tactus-nobody-$$ -o no.tac

capture --listen=$sock --flight 1 --on-miss -o flight.tac
check a_program_with_one_late_cycle 0 '^$' "$program" $sock 1000 700
check another_without 0 '^$' "$program" $sock 200 5000
finish
check the_flight_recorder_wrote_once 0 '1 late cycles, written 1 times' cat log
check around_the_miss 0 'callback  *[0-9]* *1 ' "$tactus" info flight.tac
check less_than_all 0 '^work  *[3-9][0-9][0-9] ' "$tactus" zones flight.tac
check nothing_without_a_miss 0 'zones 0,' "$tactus" info flight.2.tac

check another_format_while_it_comes 0 'recorded to' \
    "$tactus" capture --no-kernel -o live.pftrace -- "$program" unused
check it_has_the_zone 0 'work' grep -a -o work live.pftrace
check settings_for_others_do_not_hold_here 0 'recorded to' env TACTUS_RECORD=/no/such TACTUS_TOKEN=x \
    "$tactus" capture --no-kernel -o own.tac -- "$program" unused
check a_full_disk_is_told 3 'No space left' \
    "$tactus" capture --no-kernel -o /dev/full -- "$program" unused
check a_file_that_cannot_be 3 'cannot be written' "$tactus" capture --listen=$sock -o /no/such/x.tac
check others_need_a_token 3 'give a token' "$tactus" capture --listen=0.0.0.0:0 -o no.tac
check an_address_that_is_none 3 'is no address' "$tactus" capture --listen=127.0.0.1:xyz -o no.tac
capture --listen=$sock -o taken.tac
check it_is_taken 3 'cannot listen' "$tactus" capture --listen=$sock -o no.tac
finish
check no_origin 2 'say what to record' "$tactus" capture -o no.tac
check two_origins 2 'say what to record' "$tactus" capture -o no.tac --pid 1 --socket x
check absurd_seconds 2 'seconds' "$tactus" capture -o no.tac --seconds 1e99 -- true
check absurd_pid 2 'pid' "$tactus" capture -o no.tac --pid -5
check on_miss_alone 2 'goes with --flight' "$tactus" capture -o no.tac --on-miss -- true
check a_token_that_is_not_there 3 'no token can be read' "$tactus" capture --listen --token /no/such -o no.tac
check nothing_is_left_behind 1 '^$' test -e no.tac -o -e taken.tac
echo "1..$n"
