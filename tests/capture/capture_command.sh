#!/bin/sh
# SPDX-License-Identifier: MIT
# The commands of recording, end to end: a program's own recording through capture, info, zones and
# export; and what a user gets who makes a mistake.
# usage: capture_command.sh TACTUS RECORD_SELF
tactus=$1
program=$2
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
n=0
check() { # NAME EXPECTED-STATUS PATTERN COMMAND...
    name=$1 want=$2 pattern=$3
    shift 3
    n=$((n + 1))
    out=$("$@" 2>&1)
    got=$?
    if [ $got = "$want" ] && echo "$out" | grep -q "$pattern"; then
        echo "ok $n - $name"
    else
        echo "# status $got: $out"
        echo "not ok $n - $name"
    fi
}
check a_program_records_itself 0 '^$' "$program" "$dir/own.tac"
check info_lists_thread_and_cycles 0 'callback  *50 ' "$tactus" info "$dir/own.tac"
check zones_count_them 0 '^work  *50 ' "$tactus" zones "$dir/own.tac"
check zones_compare 0 '^work .*1.00x' "$tactus" zones "$dir/own.tac" --compare "$dir/own.tac"
check zones_show_the_distribution_of_one 0 '##########' "$tactus" zones "$dir/own.tac" --histogram work
check zones_by_category 0 '^app  *50 ' "$tactus" zones "$dir/own.tac" --categories
check zones_do_not_know_it 3 "no zone 'x'" "$tactus" zones "$dir/own.tac" --histogram x
check export_writes_perfetto 0 '^$' "$tactus" export "$dir/own.tac" -o "$dir/p.pftrace"
check export_writes_csv 0 '^$' "$tactus" export "$dir/own.tac" --format csv -o "$dir/c"
check csv_has_the_zone 0 '"work"' cat "$dir/c"
check capture_joins_program_and_machine 0 'recorded to' \
    "$tactus" capture -o "$dir/all.tac" -- "$program" "$dir/unused"
check the_joined_recording_is_whole 0 'callback  *50 ' "$tactus" info "$dir/all.tac"
head -c -100 "$dir/own.tac" >"$dir/cut.tac"
check info_tells_a_cut 1 'cut off' "$tactus" info "$dir/cut.tac"
check export_goes_as_far_as_it_can 1 'cut off' "$tactus" export "$dir/cut.tac" --format csv -o "$dir/c"
check export_wants_a_format 2 'does not tell the format' "$tactus" export "$dir/own.tac" -o "$dir/x"
check export_wants_a_known_format 2 "no format 'x'" "$tactus" export "$dir/own.tac" --format x -o "$dir/x"
check no_place_to_write 3 'cannot be written' "$tactus" export "$dir/own.tac" --format csv -o /no/such/c
check no_recording 3 'not a Tactus recording' "$tactus" info "$program"
check nothing_to_record 3 'nothing was recorded' "$tactus" capture -o "$dir/n.tac" -- true
check chosen_kernel_events_are_captured 0 'recorded to' \
    "$tactus" capture -o "$dir/chosen.tac" --kernel switches,stacks --cpus 0 -- "$program" "$dir/unused"
check a_capture_without_its_events_goes_on 0 'recorded to' \
    "$tactus" capture -o "$dir/refused.tac" --kernel bpf --cpus 0 -- "$program" "$dir/unused"
check processors_are_a_list 2 'like 0-3,6' \
    "$tactus" capture -o "$dir/own.tac" --cpus x -- "$program" "$dir/unused"
check the_recording_says_that_they_were_refused 0 'bpf refused: ' "$tactus" info "$dir/refused.tac"
check unknown_kernel_events_are_refused 2 'say faults' \
    "$tactus" capture -o "$dir/x.tac" --kernel fault -- "$program" "$dir/unused"
check own_wants_a_process 2 'with --pid' \
    "$tactus" capture -o "$dir/x.tac" --kernel own -- "$program" "$dir/unused"
# a command that records or exports nothing leaves what was there
cp "$dir/own.tac" "$dir/keep.tac"
check export_is_not_to_itself 2 'the recording itself' \
    "$tactus" export "$dir/keep.tac" --format csv -o "$dir/./keep.tac"
check nothing_to_capture 3 'nothing was recorded' "$tactus" capture -o "$dir/keep.tac" -- true
check nobody_to_capture 3 'does not listen\|no process' "$tactus" capture -o "$dir/keep.tac" --pid 4194304
check nothing_to_run 3 'nothing was recorded' "$tactus" run --record "$dir/keep.tac" -- true
check nothing_to_diagnose 3 'nothing was recorded' "$tactus" doctor -o "$dir/keep.tac" -- true
check the_recording_is_still_there 0 '^$' cmp "$dir/own.tac" "$dir/keep.tac"
check nothing_is_left_beside_it 0 '^$' sh -c "ls '$dir' | grep before || true"
check a_new_recording_takes_its_place 0 'recorded to' \
    "$tactus" capture -o "$dir/keep.tac" -- "$program" "$dir/unused"
check it_is_another 1 'differ' cmp "$dir/own.tac" "$dir/keep.tac"
check the_earlier_is_gone 0 '^$' sh -c "ls '$dir' | grep before || true"
check no_folder_is_left 3 'nothing was recorded' "$tactus" capture -o "$dir/n.ctf" -- true
check no_folder_is_there 2 'No such file' ls "$dir/n.ctf"
check a_flight_recorder_writes_at_the_end 0 'written 1 times' \
    "$tactus" capture -o "$dir/end.tac" --flight 5 --no-kernel -- "$program" "$dir/unused"
check what_it_wrote_is_there 0 'callback  *50 ' "$tactus" info "$dir/end.tac"
check an_export_ends_at_its_size 0 'left out' \
    "$tactus" capture -o "$dir/much.pftrace" --max-size 1 --no-kernel -- "$program" "$dir/unused" 200 -1 1000
check it_is_not_much_larger 0 '^ok' sh -c "[ \$(stat -c %s '$dir/much.pftrace') -lt 10000000 ] && echo ok"
check zones_are_told_one_way 2 'one or the other' \
    "$tactus" zones "$dir/own.tac" --compare "$dir/own.tac" --categories
echo "1..$n"
