#!/bin/bash
# SPDX-License-Identifier: MIT
# programs.sh LIBRARY - real programs give the same output on the system's heap and on ours.
library=$(realpath "$1") || exit 1
count=0
failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
ln -s "$library" lib.so # whose path may have a space, which the loader takes for its end
library=$work/lib.so

check() { # name, command
    count=$((count + 1))
    if ! command -v "${2%% *}" >/dev/null; then
        echo "ok $count - $1 # SKIP ${2%% *} is not installed"
        return
    fi
    timeout 60 bash -c "$2" >plain 2>&1
    local plain=$?
    LD_PRELOAD=$library timeout 60 bash -c "$2" >ours 2>&1
    local ours=$?
    if [ $plain = $ours ] && cmp -s plain ours; then
        echo "ok $count - $1"
    else
        failed=1
        echo "# exit $plain and $ours"
        diff plain ours | head -5 | sed 's/^/# /'
        echo "not ok $count - $1"
    fi
}

printf '#include <stdio.h>\n#include <math.h>\nint f(int x){return x*x;}\nint main(void){return f(0);}\n' >a.c
check bash_forks 'bash -c "for i in {1..40}; do (echo \$i | cat); done | sort -n | tail -3"'
check python_objects 'python3 -c "
import json, threading
d = {str(i): [i, i / 3] for i in range(20000)}
r = []
t = [threading.Thread(target=lambda: r.append(len(json.dumps(d)))) for _ in range(3)]
[x.start() for x in t]; [x.join() for x in t]
print(r)"'
check python_malloc_only 'env PYTHONMALLOC=malloc python3 -c "print(sum(len(str(i)) for i in range(50000)))"'
check perl_hashes 'perl -e "my %h; \$h{\$_} = \"x\" x (\$_ % 50) for 1 .. 50000; print scalar(keys %h), qq{\n}"'
check gcc_object_is_identical 'gcc -O2 -c a.c -o a.o && sha256sum <a.o'
check git_repack 'git init -q r 2>/dev/null; cd r && for i in 1 2 3; do echo $i >f; git add f; git -c user.name=t -c user.email=t@t commit -q -m $i --date=2000-01-01T00:00:00 ; done; git repack -adq && git fsck 2>&1 | grep -v notice; cd .. && rm -rf r; echo done'
check sqlite_table 'sqlite3 :memory: "create table t(a,b); with recursive c(x) as (select 1 union all select x+1 from c where x<20000) insert into t select x, hex(x) from c; create index i on t(b); select count(*), max(b) from t;"'
check sort_threads 'seq 1 200000 | sort -R --random-source=/bin/sh | sort -n --parallel=2 | tail -1'
check wrong_configuration_is_survived 'env TACTUS_HEAP=size=abc,lock=maybe echo still here 2>/dev/null'
check short_address_space 'ulimit -v 600000; seq 1 1000 | sort -n | tail -1'
check no_locked_memory 'ulimit -l 0; env TACTUS_HEAP=size=32M,lock=try seq 1 3'
echo "1..$count"
exit $failed
