/* SPDX-License-Identifier: MIT
 * test_bpf_rings.c - what was written over in a BPF ring is told, in number, before the event that
 * follows it. The kernel's part is played here. */
#include "capture/bpf/rings.h"
#include "test.h"

static struct tac_bpf_ring ring;
static struct tac_format_kernel heard[TAC_BPF_EVENTS + 8];
static uint32_t count;
static uint64_t head_while_heard; /* the writer goes on while the reader reads: 0, or to here */

static void write_event(uint64_t number)
{
    uint64_t lap = (number / TAC_BPF_EVENTS + 1) & 0xffff;
    ring.event[number % TAC_BPF_EVENTS] = (struct tac_bpf_event){
        .ns = 1000 + number, .what = TAC_KERNEL_SWITCH | lap << 16 | 7ull << 32, .a = number};
}

static void write_up_to(uint64_t head)
{
    for (; ring.head < head; ring.head++)
        write_event(ring.head);
}

static void hear(void *owner, const struct tac_format_kernel *event)
{
    CHECK(owner == &ring);
    REQUIRE(count < sizeof heard / sizeof *heard);
    heard[count++] = *event;
    if (head_while_heard)
        write_up_to(head_while_heard);
    head_while_heard = 0;
}

static void begin(void)
{
    memset(&ring, 0, sizeof ring);
    count = 0;
    head_while_heard = 0;
}

static void what_is_there_is_read_once_and_in_order(void)
{
    uint64_t tail = 0;
    begin();
    write_up_to(10);
    tac_bpf_ring_read(&ring, 3, &tail, hear, &ring);
    tac_bpf_ring_read(&ring, 3, &tail, hear, &ring);
    REQUIRE(count == 10 && tail == 10);
    for (uint32_t i = 0; i < count; i++)
        CHECK(heard[i].type == TAC_KERNEL_SWITCH && heard[i].a == i && heard[i].ns == 1000 + i &&
              heard[i].cpu == 3 && heard[i].tid == 7);
}

static void what_is_being_written_waits(void)
{
    uint64_t tail = 0;
    begin();
    write_up_to(2);
    ring.head = 4; /* two slots are taken, the second of them is filled */
    write_event(3);
    tac_bpf_ring_read(&ring, 0, &tail, hear, &ring);
    CHECK(count == 2 && tail == 2);
    write_event(2);
    tac_bpf_ring_read(&ring, 0, &tail, hear, &ring);
    CHECK(count == 4 && tail == 4 && heard[2].a == 2 && heard[3].a == 3);
}

static void a_loss_is_told_before_what_follows_it(void)
{
    uint64_t tail = 5, head = TAC_BPF_EVENTS + 105;
    begin();
    write_up_to(head);
    tac_bpf_ring_read(&ring, 1, &tail, hear, &ring);
    REQUIRE(count == TAC_BPF_EVENTS + 1 && tail == head);
    CHECK(heard[0].type == TAC_KERNEL_LOST && heard[0].a == 100 && heard[0].cpu == 1);
    CHECK(heard[1].a == 105 && heard[0].ns == heard[1].ns);
}

/* The writer laps the reader while it reads: what is lost lies behind the first event. */
static void a_loss_in_the_middle_of_a_pass_stands_where_it_happened(void)
{
    uint64_t tail = 0;
    begin();
    write_up_to(TAC_BPF_EVENTS);
    head_while_heard = TAC_BPF_EVENTS + 40;
    tac_bpf_ring_read(&ring, 1, &tail, hear, &ring);
    REQUIRE(count == TAC_BPF_EVENTS - 40 + 2);
    CHECK(heard[0].type == TAC_KERNEL_SWITCH && heard[0].a == 0);
    CHECK(heard[1].type == TAC_KERNEL_LOST && heard[1].a == 39 && heard[1].ns == heard[2].ns);
    CHECK(heard[2].a == 40 && heard[count - 1].a == TAC_BPF_EVENTS - 1);
    CHECK(tail == TAC_BPF_EVENTS);
}

static void a_loss_that_nothing_follows_is_told_too(void)
{
    uint64_t tail = 0;
    begin();
    write_up_to(TAC_BPF_EVENTS);
    head_while_heard = 3ull * TAC_BPF_EVENTS;
    tac_bpf_ring_read(&ring, 1, &tail, hear, &ring);
    REQUIRE(count == 2);
    CHECK(heard[1].type == TAC_KERNEL_LOST && heard[1].a == TAC_BPF_EVENTS - 1);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(what_is_there_is_read_once_and_in_order);
    TEST(what_is_being_written_waits);
    TEST(a_loss_is_told_before_what_follows_it);
    TEST(a_loss_in_the_middle_of_a_pass_stands_where_it_happened);
    TEST(a_loss_that_nothing_follows_is_told_too);
    return test_end();
}
