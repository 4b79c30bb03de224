/* SPDX-License-Identifier: MIT
 * test_unwind.c - call stacks of code without frame pointers: this program, which is built so,
 * records its own page faults and sleeps with copies of its stack, and its call chain is found in
 * the recording, by addresses, by names, and in an export. */
#include "capture/capture.h"
#include "capture/export.h"
#include "capture/symbols.h"
#include "capture/unwind.h"

#include "tactus/trace.h"
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { CHAIN = 4 };

static const char *const chain[CHAIN] = {"touch_new_page", "mix_voices", "render_slice",
                                         "audio_callback"};
static char dir[64], path[96], exported[96];
static char *page; /* that was touched */

#ifdef __clang__
#define OWN_FRAME __attribute__((noinline))
#else
#define OWN_FRAME __attribute__((noinline, noclone))
#endif

OWN_FRAME static int touch_new_page(size_t bytes)
{
    const struct timespec nap = {0, 2000000};
    page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *(volatile char *)page = 1;
    nanosleep(&nap, NULL);
    return munmap(page, bytes);
}

/* What is done after each call keeps it from becoming a jump; the frames differ in size. */
OWN_FRAME static int mix_voices(int n)
{
    volatile float voice[32] = {0};
    int result = touch_new_page(4096);
    voice[n & 31] += 1;
    return result + (int)voice[0];
}

OWN_FRAME static int render_slice(int n)
{
    volatile double slice[7] = {0};
    int result = mix_voices(n + 1);
    slice[n % 7] += 1;
    return result + (int)slice[1];
}

OWN_FRAME static int audio_callback(int n)
{
    int result = render_slice(n);
    __asm__ volatile("" : "+r"(result));
    return result;
}

static struct tac_capture *record(uint32_t stack_bytes)
{
    struct tac_capture *c = NULL;
    struct tac_trace_config config = {.path = path,
                                      .evidence = TAC_EVIDENCE_PERF | TAC_EVIDENCE_STACKS,
                                      .stack_bytes = stack_bytes};
    if (tac_trace_start(&config))
        return NULL;
    audio_callback(3);
    if (tac_trace_stop() || tac_capture_open(path, NULL, &c))
        return NULL;
    return c;
}

static bool can_unwind(const struct tac_capture *c)
{
    const char *perf = tac_capture_meta(c, "evidence.perf");
    return TAC_HAVE_SYMBOLS && perf && !strcmp(perf, "yes");
}

/* The stack of the fault on the page that was touched. */
static const struct tac_capture_kernel_stack *stack_of_fault(const struct tac_capture *c)
{
    for (size_t i = 0; i < c->kernel_stacks_count; i++) {
        const struct tac_capture_kernel_stack *s = &c->kernel_stacks[i];
        size_t k = TAC_CAPTURE_LOWER(c, kernel, ns, s->ns);
        for (; k < c->kernel_count && c->kernel[k].ns == s->ns; k++)
            if (c->kernel[k].type == TAC_KERNEL_FAULT_MINOR &&
                c->kernel[k].a == (uint64_t)(uintptr_t)page)
                return s;
    }
    return NULL;
}

static void the_chain_is_found_without_frame_pointers(void)
{
    struct tac_symbols *symbols;
    struct tac_capture *c = record(4096);
    REQUIRE(c);
    if (!can_unwind(c))
        SKIP("no perf_event_open here, or built without elfutils");
    const char *how = tac_capture_meta(c, "evidence.stacks");
    CHECK_MSG(how && strstr(how, "4096 bytes of stack"), "%s", how ? how : "nothing");
    const struct tac_capture_kernel_stack *s = stack_of_fault(c);
    if (!s && c->gaps_count)
        SKIP("too many other faults at once");
    REQUIRE(s && s->kind == TAC_STACK_USER && s->count > CHAIN);
    REQUIRE(tac_symbols_open(c, "", &symbols) == 0);
    for (uint32_t i = 0; i < CHAIN; i++) {
        enum tac_symbol_kind kind = i ? TAC_SYMBOL_RETURN : TAC_SYMBOL_EXACT;
        CHECK_STR(tac_symbols_find(symbols, s->pc[i], kind)->function, chain[i]);
    }
    tac_symbols_close(symbols);
    if (geteuid() == 0) /* the sleep, too: its stack is seen from inside the C library */
        CHECK_MSG(c->kernel_stacks_count >= 2, "%zu", c->kernel_stacks_count);
    tac_capture_close(c);
}

static void an_export_names_the_chain(void)
{
    struct tac_capture *c = record(4096);
    struct tac_error err;
    REQUIRE(c);
    bool can = can_unwind(c) && (stack_of_fault(c) || !c->gaps_count);
    tac_capture_close(c);
    if (!can)
        SKIP("no perf_event_open here, or built without elfutils");
    REQUIRE(tac_export_file(tac_export_named("perfetto"), path, exported, NULL, NULL, &err) == 0);
    FILE *file = fopen(exported, "rbe");
    static char bytes[1 << 20];
    size_t n = file ? fread(bytes, 1, sizeof bytes, file) : 0;
    if (file)
        fclose(file);
    for (int i = 0; i < CHAIN; i++)
        CHECK_MSG(memmem(bytes, n, chain[i], strlen(chain[i])) != NULL, "%s", chain[i]);
    unlink(exported);
}

static void the_environment_asks_for_stacks(void)
{
    struct tac_capture *c = NULL;
    const struct tac_trace_config config = {.path = path};
    REQUIRE(setenv("TACTUS_STACKS", "1000000", 1) == 0); /* more than can be had */
    int error = tac_trace_start(&config);
    unsetenv("TACTUS_STACKS");
    REQUIRE(error == 0);
    audio_callback(3);
    REQUIRE(tac_trace_stop() == 0 && tac_capture_open(path, NULL, &c) == 0);
    const char *how = tac_capture_meta(c, "evidence.stacks");
    if (can_unwind(c)) {
        CHECK_MSG(how && strstr(how, "16384 bytes of stack"), "%s", how ? how : "nothing");
        CHECK(c->gaps_count || stack_of_fault(c));
    }
    tac_capture_close(c);
}

static void what_lies_deeper_than_the_copy_is_left_out(void)
{
    struct tac_capture *c = record(200);
    REQUIRE(c);
    if (!can_unwind(c))
        SKIP("no perf_event_open here, or built without elfutils");
    const struct tac_capture_kernel_stack *s = stack_of_fault(c);
    CHECK(c->gaps_count || (s && s->count >= 1 && s->count <= CHAIN + 1));
    tac_capture_close(c);
}

static void too_large_a_copy_is_refused(void)
{
    struct tac_trace_config config = {.path = path, .stack_bytes = TAC_STACK_BYTES_MAX + 8};
    CHECK(tac_trace_start(&config) == -EINVAL);
}

/* Whatever the registers and the bytes are. */
static void a_copy_of_nonsense_ends(void)
{
    struct tac_unwind *unwind;
    struct tac_capture *c = record(0);
    REQUIRE(c && tac_unwind_open(c, "", &unwind) == 0);
    static unsigned char data[8 * TAC_STACK_REGISTERS_MAX + 1024];
    uint64_t pc[TAC_STACK_MAX], here = (uintptr_t)a_copy_of_nonsense_ends;
    for (uint32_t round = 0; round < 64; round++) {
        struct tac_format_stack_copy copy = {.address = (uint64_t)round << (round & 63),
                                             .registers = (uint8_t)(round % 34),
                                             .bytes = 1024};
        for (size_t i = 0; i < sizeof data; i++)
            data[i] = (unsigned char)(i * 7 * round + (i >> 3));
        for (size_t i = 0; i + 8 <= sizeof data && round & 1; i += 8)
            memcpy(data + i, &here, 8); /* each word leads back into the program */
        uint32_t n = tac_unwind_copy(unwind, &copy, data, pc);
        CHECK(n <= TAC_STACK_MAX && (n >= 1 || !copy.registers));
    }
    tac_unwind_close(unwind);
    tac_capture_close(c);
}

int main(void)
{
    strcpy(dir, "/tmp/tactus-unwind-XXXXXX");
    if (!mkdtemp(dir) || tac_thread_register("test", 0))
        return 1;
    snprintf(path, sizeof path, "%s/a.tac", dir);
    snprintf(exported, sizeof exported, "%s/a.pftrace", dir);
    TEST(the_chain_is_found_without_frame_pointers);
    TEST(an_export_names_the_chain);
    TEST(the_environment_asks_for_stacks);
    TEST(what_lies_deeper_than_the_copy_is_left_out);
    TEST(too_large_a_copy_is_refused);
    TEST(a_copy_of_nonsense_ends);
    unlink(path);
    rmdir(dir);
    return test_end();
}
