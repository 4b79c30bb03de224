# Thin front over Meson. `make demo` and `make test` are all that a newcomer needs: each first
# installs what is missing (tools/bootstrap says what and asks apt), then builds, then runs.
BUILD ?= build
.PHONY: all bootstrap bootstrap-test demo test test-guest test-soak test-heap-long test-cross test-sanitize test-doctor test-programs lint bench bench-hour clean help

help:
	@echo "make demo           install what is missing, build, run the main job"
	@echo "make test           install what is missing, build, run all tests"
	@echo "make test-sanitize  the tests under ASan+UBSan and under TSan, and with clang"
	@echo "make fuzz           fuzz the readers for a minute each, with libFuzzer and with AFL++"
	@echo "make test-doctor    faults of known kind against the doctor's verdicts, scored"
	@echo "make test-guest     tactus play on the sound drivers of a PREEMPT_RT kernel, under emulation"
	@echo "make test-programs  programs of the distribution, watched and on our heap"
	@echo "make test-soak      half an hour under load, watched by the doctor (TACTUS_SOAK_S=10800: three hours)"
	@echo "make test-heap-long ten million operations on the heap, its invariants checked after each"
	@echo "make test-cross     the tests for arm64 and armhf under qemu-user, in a chroot of its own"
	@echo "make lint           formatting, static analysis, structure"
	@echo "make bench          every benchmark, us and the peers interleaved"
	@echo "make bench-hour     an hour of recording at 100 000 events a second: losses, memory, bytes"
	@echo "make clean          remove the build folders"

$(BUILD)/build.ninja: | bootstrap
	@meson setup $(BUILD) --buildtype=release -Db_lto=false >$(BUILD).log 2>&1 || (cat $(BUILD).log; exit 1)
	@mv $(BUILD).log $(BUILD)/meson-setup.log

bootstrap:
	@tools/bootstrap build

bootstrap-test:
	@tools/bootstrap build test

all: bootstrap $(BUILD)/build.ninja
	@ninja -C $(BUILD) --quiet

demo: all
	@$(BUILD)/src/cli/tactus demo

test: bootstrap-test $(BUILD)/build.ninja
	@ninja -C $(BUILD) --quiet
	@tools/run-tests $(BUILD)

test-sanitize: bootstrap-test
	@tools/test-sanitize

fuzz: bootstrap-test
	@tools/run-fuzz

test-doctor: all
	@tests/doctor/corpus.py $(BUILD)/tests/doctor/injector $(BUILD)/src/cli/tactus --all

test-guest: all
	@tools/bootstrap guest
	@tools/run-tests $(BUILD) --setup long --suite guest

test-programs: all
	@tools/bootstrap test optional programs
	@tools/run-tests $(BUILD) --setup long --suite programs

test-soak: all
	@tools/run-tests $(BUILD) --setup long --suite soak

test-heap-long: bootstrap-test
	@test -f build-checked/build.ninja || meson setup build-checked --buildtype=release -Db_lto=false -Dchecked=true >/dev/null
	@ninja -C build-checked --quiet
	@tools/run-tests build-checked --setup long --suite heap-long

test-cross:
	@tools/test-cross

lint: all
	@tools/run-tests $(BUILD) --suite lint

bench: all
	@tools/run-bench $(BUILD)

bench-hour: all
	@bench/trace/hour $(BUILD)

clean:
	rm -rf build build-*
