#!/bin/bash
# SPDX-License-Identifier: MIT
# CPython's own test-suite, every object allocated by malloc. Which tests run: all but those that
# need the network, a display or more than minutes; CPYTHON_TESTS names others.
# usage: heap_cpython.sh TACTUS [PART PARTS]   every PARTS-th test, from the PART-th on (1: the first)
source "$(dirname "$(readlink -f "$0")")/heap.bash"
LIMIT=3000
python=
for candidate in python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
    "$candidate" -c 'import test.libregrtest, test.test_list' 2>/dev/null && python=$candidate && break
done
if [ -z "$python" ]; then
    skipped "CPython's test-suite" "no Python with its package test is installed"
    done_testing
fi
tests=${CPYTHON_TESTS:-test_array test_ast test_asyncgen test_atexit test_base64 test_bigmem
 test_binascii test_bisect test_buffer test_builtin test_bytes test_bz2 test_c_locale_coercion
 test_call test_cmath test_code test_codecs test_collections test_compare test_compile test_complex
 test_concurrent_futures test_contextlib test_copy test_coroutines test_csv test_ctypes test_dataclasses
 test_datetime test_decimal test_deque test_dict test_difflib test_dis test_email test_enum
 test_exceptions test_extcall test_faulthandler test_fileio test_float test_fork1 test_format
 test_fractions test_frame test_fstring test_functools test_gc test_generators test_genexps
 test_grammar test_gzip test_hash test_hashlib test_heapq test_html test_importlib test_int test_io
 test_iter test_itertools test_json test_list test_long test_lzma test_marshal test_math test_memoryio
 test_memoryview test_minidom test_mmap test_multiprocessing_fork test_named_expressions test_operator
 test_ordered_dict test_pickle test_pickletools test_posix test_pprint test_pyexpat test_queue
 test_random test_range test_re test_richcmp test_sched test_set test_shelve test_signal test_slice
 test_sort test_sqlite3 test_statistics test_str test_strftime test_string test_struct test_subprocess
 test_super test_symtable test_sys test_tarfile test_tempfile test_textwrap test_thread
 test_threading test_threading_local test_threadsignals test_time test_tokenize test_traceback
 test_tuple test_types test_typing test_unicode test_unicodedata test_unpack test_userdict test_weakref
 test_weakset test_xml_etree test_xml_etree_c test_zipfile test_zlib}
# Distributions leave some of them out.
folder=$("$python" -c 'import os, test; print(os.path.dirname(test.__file__))')
there=
part=${2:-1} parts=${3:-1} number=0
for name in $tests; do
    number=$((number + 1))
    [ $(((number - part) % parts)) = 0 ] || continue
    [ -e "$folder/$name.py" ] || [ -e "$folder/$name/__init__.py" ] && there="$there $name"
done
same "CPython's test-suite, the same tests pass and fail" "$python" "
    env PYTHONMALLOC=malloc $python -m test -j2 --timeout 600 $there >log.\$ours 2>&1
    grep -oE 'test_[a-z_0-9]+ (passed|failed|crashed|skipped)' log.\$ours | sort -u
    grep -E '^Result: |^Total tests: ' log.\$ours | sed 's/ run=[0-9,]*//'"
grep -E '^(Result|Total tests): ' log.1 | sed 's/^/# /'
if ! grep -q '^Result: ' log.0 || [ "$(grep -c passed ours.out)" -lt 1 ]; then
    tail -n 5 log.0 >why.out
    result 0 "the test-suite ran" why.out
fi
done_testing
