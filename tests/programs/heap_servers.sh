#!/bin/bash
# SPDX-License-Identifier: MIT
# redis-server under its benchmark, node with worker threads, stress-ng that verifies what it wrote.
source "$(dirname "$(readlink -f "$0")")/heap.bash"
LIMIT=180
socket=$PWD/redis.sock

redis='redis-server --port 0 --unixsocket '$socket' --save "" --daemonize no >/dev/null 2>&1 &
server=$!
for i in $(seq 100); do redis-cli -s '$socket' ping 2>/dev/null | grep -q PONG && break; sleep 0.1; done
redis-benchmark -s '$socket' -q -n 20000 -c 20 -d 200 -r 5000 -t set,get,incr,lpush,rpush,lpop,sadd,hset,zadd,lrange_100,mset >bench.txt 2>&1 || echo benchmark failed
grep -ci error bench.txt
redis-cli -s '$socket' eval "for i=1,20000 do redis.call(\"set\", \"k\"..i, string.rep(\"v\", i % 300)) end return redis.call(\"dbsize\") > 20000" 0
redis-cli -s '$socket' debug reload 2>&1 | grep -o OK
redis-cli -s '$socket' get k4711 | sha256sum
redis-cli -s '$socket' eval "local n=0 for i=1,20000 do n = n + redis.call(\"strlen\", \"k\"..i) end return n" 0
redis-cli -s '$socket' memory purge
redis-cli -s '$socket' shutdown nosave >/dev/null 2>&1
wait $server'
same "redis-server under its benchmark" redis-server "$redis"
same "redis-server, io threads, active expiry" redis-server "${redis/--save \"\"/--save \"\" --io-threads 2 --hz 100}"

cat >work.js <<'END'
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const crypto = require('crypto'), zlib = require('zlib');
function work(seed) {
    let map = new Map(), text = '';
    for (let i = 0; i < 60000; i++) map.set('k' + ((i * seed) % 7919), { i, list: new Array(i % 50).fill(i) });
    for (const [k, v] of map) text += k + v.list.length;
    const packed = zlib.deflateSync(Buffer.from(text.repeat(5)));
    return crypto.createHash('sha256').update(zlib.inflateSync(packed)).digest('hex');
}
if (isMainThread) {
    const results = [];
    for (let n = 1; n <= 4; n++)
        new Worker(__filename, { workerData: n }).on('message', m => {
            results.push(m);
            if (results.length === 4) console.log(results.sort().join('\n'), work(5));
        });
} else parentPort.postMessage(workerData + ' ' + work(workerData));
END
same "node with worker threads" node 'node work.js'
good "stress-ng --malloc --verify" stress-ng 'stress-ng --malloc 2 --malloc-bytes 64M --malloc-ops 200000 -t 20 --verify'
good "stress-ng --malloc, many small blocks" stress-ng 'stress-ng --malloc 2 --malloc-max 100000 --malloc-bytes 2K --malloc-ops 2000000 -t 20 --verify'
good "stress-ng --bigheap --verify" stress-ng 'ulimit -v 4000000; stress-ng --bigheap 1 --bigheap-growth 1M --bigheap-ops 2000 -t 20 --verify'
good "stress-ng --fork, --pthread" stress-ng 'stress-ng --fork 2 --fork-ops 2000 --pthread 2 --pthread-ops 20000 -t 30 --verify'
done_testing
