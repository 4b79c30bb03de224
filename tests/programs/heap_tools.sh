#!/bin/bash
# SPDX-License-Identifier: MIT
# Databases, version control and scripts at full length; the short forms are in make test.
source "$(dirname "$(readlink -f "$0")")/heap.bash"
LIMIT=300
same "sqlite3: a million rows, index, vacuum, json" sqlite3 'rm -f t.db; sqlite3 t.db "
    create table t(a integer primary key, b text, c real);
    with recursive n(x) as (select 1 union all select x+1 from n where x<300000)
        insert into t select x, hex(x * 7919 % 1000003), x / 7.0 from n;
    create index i on t(b); select count(*), max(b), sum(c) from t;
    select b, count(*) from t group by b % 10 order by 1 limit 5;
    delete from t where a % 3 = 0; vacuum; pragma integrity_check;
    select json_group_array(a) from (select a from t limit 1000);" && sha256sum <t.db'
same "git: commits, gc, repack, fsck, clone" git 'rm -rf r c; git init -q r; cd r; git config user.name t; git config user.email t@t
    export GIT_AUTHOR_DATE=2000-01-01T00:00:00 GIT_COMMITTER_DATE=2000-01-01T00:00:00
    for i in $(seq 150); do seq $i $((i * 40)) >f$((i % 20)); git add .; git commit -qm $i; done
    git repack -adfq --threads=2 --depth=50 --window=20; git gc -q --aggressive; git fsck --full 2>&1 | grep -v notice
    git log --stat | sha256sum; cd ..; git clone -q r c; git -C c rev-parse HEAD; git -C c blame f3 | sha256sum'
same "perl: hashes, regular expressions, sort, fork" perl 'perl -e "
    my %h; for my \$i (1 .. 300000) { \$h{\$i % 70001} .= chr(65 + \$i % 26) }
    my \$n = 0; for (values %h) { \$n += length(\$1) if /(A.*?C)/ } print \"\$n\n\";
    print scalar(grep { /7/ } sort { \$h{\$a} cmp \$h{\$b} or \$a <=> \$b } keys %h), \"\n\";
    for (1 .. 50) { my \$p = fork; if (!\$p) { my @a = map { [\$_] } 1 .. 1000; exit(@a == 1000 ? 0 : 1) } waitpid \$p, 0; print \$? }"'
same "bash: fork storm" bash 'n=0; for i in $(seq 300); do n=$((n + $(echo $i | (read x; echo $((x * 2))))); done; echo $n
    for i in $(seq 40); do (for j in $(seq 10); do (true) & done; wait) & done; wait; echo $(seq 1000 | sort -R | sort -n | md5sum)'
same "xz and zstd with threads" xz 'seq 1 2000000 >s; xz -T2 -k -c s | xz -d | sha256sum; command -v zstd >/dev/null && zstd -q -T2 -c s | zstd -dq | sha256sum; rm s'
same "gdb reads a program" gdb 'echo "int f(int x){return x;} int main(void){return f(0);}" >g.c; gcc -g g.c -o g && gdb -batch -ex "break f" -ex run -ex bt -ex "info types" ./g 2>/dev/null | grep -v -e Using -e thread -e debuginfod | sha256sum'
done_testing
