/* SPDX-License-Identifier: MIT
 * test_symbols.c - addresses of this very program, found again through a recording: in its own
 * file, in a file of another place with the same build-id, and not in one with another. */
#include "capture/symbols.h"

#include "make_recording.h"
#include "test.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64], recording[96], self[PATH_MAX];
static struct {
    uint64_t start, end, offset;
} map;

/* A C++ method, as its compiler would name it. */
__attribute__((noinline)) uint64_t reverb_process(float *out,
                                                  int frames) __asm__("_ZN6Reverb7processEPfi");
__attribute__((noinline)) uint64_t reverb_process(float *out, int frames)
{
    __asm__ volatile("" : : "r"(out), "r"(frames));
    return (uint64_t)(uintptr_t)__builtin_return_address(0);
}

static int call_line;
__attribute__((noinline)) static uint64_t caller_of_reverb(void)
{
    float out[4] = {0};
    call_line = __LINE__ + 1;
    uint64_t back = reverb_process(out, 4);
    __asm__ volatile("" : : "r"(out) : "memory");
    return back;
}

/* The mapping of this program that holds an address. */
static bool find_mapping(uint64_t address)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[4400];
    bool found = false;
    while (maps && !found && fgets(line, sizeof line, maps))
        found = sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64, &map.start, &map.end,
                       &map.offset) == 3 &&
                address >= map.start && address < map.end;
    if (maps)
        fclose(maps);
    return found;
}

/* From the notes of this program, as readelf prints them. */
static bool own_build_id(char *buffer, size_t size)
{
    char command[PATH_MAX + 64];
    snprintf(command, sizeof command, "readelf -n '%s' | sed -n 's/.*Build ID: //p'", self);
    FILE *pipe = popen(command, "re");
    bool good = pipe && fgets(buffer, (int)size, pipe);
    buffer[good ? strcspn(buffer, "\n") : 0] = 0;
    return pipe && pclose(pipe) == 0 && good && *buffer;
}

static struct tac_capture *record(const char *build_id, const char *path)
{
    struct tac_capture *c = NULL;
    struct tac_make *m = tac_make_open(recording);
    tac_make_mapping(m, map.start, map.end, map.offset, build_id, path);
    tac_make_close(m);
    return tac_capture_open(recording, NULL, &c) == 0 ? c : NULL;
}

static void check_caller(struct tac_symbols *s, uint64_t back)
{
    const struct tac_symbol *at = tac_symbols_find(s, back, TAC_SYMBOL_RETURN);
    char text[256], want[96];
    CHECK_STR(at->function, "caller_of_reverb");
    CHECK_MSG(strstr(at->file, "test_symbols.c") != NULL, "%s", at->file);
    CHECK_MSG((int)at->line == call_line, "%u is not %d", at->line, call_line);
    CHECK(tac_symbols_find(s, back, TAC_SYMBOL_RETURN) == at);
    snprintf(want, sizeof want, "caller_of_reverb, test_symbols.c:%d", call_line);
    CHECK(strstr(tac_symbol_text(at, text, sizeof text), want));
}

static void function_file_and_line_are_found_in_its_own_file(void)
{
    uint64_t back = caller_of_reverb();
    struct tac_symbols *s;
    REQUIRE(find_mapping(back));
    struct tac_capture *c = record("-", self);
    REQUIRE(c && tac_symbols_open(c, "", &s) == 0);
    check_caller(s, back);
    const struct tac_symbol *at =
        tac_symbols_find(s, (uint64_t)(uintptr_t)reverb_process, TAC_SYMBOL_EXACT);
    CHECK_STR(at->function, "Reverb::process(float*, int)");
    CHECK(at->offset == 0);
    tac_symbols_close(s);
    tac_capture_close(c);
}

static void what_no_mapping_holds_is_not_guessed(void)
{
    struct tac_symbols *s;
    char text[64];
    struct tac_capture *c = record("-", self);
    REQUIRE(c && tac_symbols_open(c, NULL, &s) == 0);
    for (uint64_t i = 0; i < 3000; i++) /* the table grows */
        CHECK_STR(tac_symbols_find(s, 16 * i, TAC_SYMBOL_EXACT)->module, "?");
    CHECK_STR(tac_symbol_text(tac_symbols_find(s, 32, TAC_SYMBOL_EXACT), text, sizeof text),
              "?+0x20");
    tac_symbols_close(s);
    tac_capture_close(c);
}

static void a_program_that_is_gone_is_found_by_its_build_id(void)
{
    char id[140], folder[160], link_path[320];
    uint64_t back = caller_of_reverb();
    struct tac_symbols *s;
    if (!own_build_id(id, sizeof id))
        SKIP("readelf is not installed, or programs are linked without a build-id");
    snprintf(folder, sizeof folder, "%s/.build-id", dir);
    REQUIRE(mkdir(folder, 0755) == 0);
    snprintf(folder, sizeof folder, "%s/.build-id/%.2s", dir, id);
    REQUIRE(mkdir(folder, 0755) == 0);
    snprintf(link_path, sizeof link_path, "%s/%s.debug", folder, id + 2);
    REQUIRE(symlink(self, link_path) == 0);
    struct tac_capture *c = record(id, "/gone/synth");
    REQUIRE(c && tac_symbols_open(c, dir, &s) == 0);
    check_caller(s, back);
    CHECK_STR(tac_symbols_find(s, back, TAC_SYMBOL_RETURN)->module, "synth");
    tac_symbols_close(s);
    tac_capture_close(c);
    unlink(link_path);
    rmdir(folder);
    snprintf(folder, sizeof folder, "%s/.build-id", dir);
    rmdir(folder);
}

static void a_file_with_another_build_id_is_not_believed(void)
{
    uint64_t back = caller_of_reverb();
    struct tac_symbols *s;
    struct tac_capture *c = record("00112233445566778899aabbccddeeff00112233", self);
    REQUIRE(c && tac_symbols_open(c, dir, &s) == 0);
    const struct tac_symbol *at = tac_symbols_find(s, back, TAC_SYMBOL_RETURN);
    CHECK_STR(at->function, "");
    CHECK(at->offset == back - 1 - map.start + map.offset);
    tac_symbols_close(s);
    tac_capture_close(c);
}

/* A recording comes from anywhere; to open a pipe that nobody writes to would wait for ever. */
static void a_pipe_is_no_program(void)
{
    char pipe[160];
    struct tac_symbols *s;
    snprintf(pipe, sizeof pipe, "%s/pipe", dir);
    uint64_t back = caller_of_reverb();
    REQUIRE(find_mapping(back) && mkfifo(pipe, 0600) == 0);
    struct tac_capture *c = record("-", pipe);
    REQUIRE(c && tac_symbols_open(c, "", &s) == 0);
    CHECK_STR(tac_symbols_find(s, back, TAC_SYMBOL_RETURN)->function, "");
    tac_symbols_close(s);
    tac_capture_close(c);
    unlink(pipe);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    snprintf(dir, sizeof dir, "/tmp/tactus-test-symbols-%d", (int)getpid());
    snprintf(recording, sizeof recording, "%s/r.tac", dir);
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0 || mkdir(dir, 0755))
        return 99;
    self[n] = 0;
    TEST(what_no_mapping_holds_is_not_guessed);
    TEST(a_pipe_is_no_program);
#if TAC_HAVE_SYMBOLS
    TEST(function_file_and_line_are_found_in_its_own_file);
    TEST(a_program_that_is_gone_is_found_by_its_build_id);
    TEST(a_file_with_another_build_id_is_not_believed);
#else
    (void)function_file_and_line_are_found_in_its_own_file;
    (void)a_program_that_is_gone_is_found_by_its_build_id;
    (void)a_file_with_another_build_id_is_not_believed;
#endif
    unlink(recording);
    rmdir(dir);
    return test_end();
}
