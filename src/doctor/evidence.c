/* SPDX-License-Identifier: MIT
 * evidence.c - see evidence.h. */
#include "doctor/evidence.h"

#include <stdlib.h>
#include <string.h>

const struct tac_evidence_kind tac_evidence_kinds[] = {
    {TAC_HAS_CLOCK, "clock", "CPU time, switches and page faults of each cycle",
     "whether the thread ran or not: no CPU clock was read at the cycles' edges"},
    {TAC_HAS_MEMORY, "memory", "every heap operation with its duration",
     "time inside malloc and free: no heap operation was recorded"},
    {TAC_HAS_LOCKS, "locks", "waits for locks, with the holder where known",
     "waits for locks by name (none happened, or locks were not watched)"},
    {TAC_HAS_CALLS, "calls", "calls that real-time code should not make",
     "blocking calls by name (none were made, or calls were not watched)"},
    {TAC_HAS_SWITCHES, "switches", "when the program's own threads left and got the CPU",
     "the moments at which the thread left its CPU by the kernel's own-process events"},
    {TAC_HAS_SCHED, "sched", "who ran on every CPU, and who woke whom",
     "who ran instead of the thread, and late wake-ups: system-wide kernel events need privilege"},
    {TAC_HAS_FAULTS, "faults", "page faults one by one, with addresses",
     "page faults one by one (counts alone come with the CPU clock)"},
    {TAC_HAS_IRQ, "irq", "interrupts and soft interrupts", "interrupts and soft interrupts"},
    {TAC_HAS_MM, "mm", "the lock of the address space, reclaim, huge pages",
     "the lock of the address space, reclaim, huge pages"},
    {TAC_HAS_COPIES, "copies", "writes to pages that were there and read-only",
     "which page faults were first writes after a fork (none was seen, or not on x86 with root)"},
    {0, NULL, NULL, NULL},
};

static void say(struct tac_text *text, const char *sentence)
{
    tac_text_add(text, text->length ? " " : "");
    tac_text_add(text, sentence);
}

/* What was lost of threads on which cycles ran: it may be missing in a verdict. All of it when
 * there is no memory to tell them apart. */
static uint64_t dropped_beside_cycles(const struct tac_capture *capture, uint64_t all)
{
    bool *has_cycles = calloc(capture->threads_count + 1, sizeof *has_cycles);
    uint64_t dropped = 0;
    if (!has_cycles)
        return all;
    for (size_t i = 0; i < capture->cycles_count; i++)
        if (capture->cycles[i].thread < capture->threads_count)
            has_cycles[capture->cycles[i].thread] = true;
    for (size_t i = 0; i < capture->threads_count; i++)
        dropped += has_cycles[i] ? capture->threads[i].dropped : 0;
    free(has_cycles);
    return dropped;
}

static void tell_drops(const struct tac_capture *capture, struct tac_text *text)
{
    uint64_t all = 0;
    const struct tac_capture_thread *most = NULL;
    for (size_t i = 0; i < capture->threads_count; i++) {
        const struct tac_capture_thread *t = &capture->threads[i];
        if (!t->dropped)
            continue;
        all += t->dropped;
        most = !most || t->dropped > most->dropped ? t : most;
    }
    if (!most)
        return;
    uint64_t judged = dropped_beside_cycles(capture, all);
    tac_text_addf(text, "%s%llu events were lost to full buffers, ", text->length ? " " : "",
                  (unsigned long long)all);
    if (judged)
        tac_text_addf(text, "%llu of them of threads with cycles", (unsigned long long)judged);
    else
        tac_text_add(text, "none of them of a thread with cycles");
    tac_text_addf(text, "; thread %s lost most.", most->name);
}

void tac_evidence_problems(const struct tac_capture *capture, struct tac_text *text)
{
    static const struct {
        uint32_t bit;
        const char *sentence;
    } list[] = {
        {TAC_CAPTURE_TRUNCATED, "The recording is cut off; what was there is judged."},
        {TAC_CAPTURE_DAMAGED, "Parts of the recording are damaged and were skipped."},
        {TAC_CAPTURE_NOT_CLOSED,
         "The recording was not closed: the program died or still runs, or could not write on "
         "(a full disk, a limit of its files)."},
        {TAC_CAPTURE_CLOCK_POOR, "The clocks could not be compared well; times may be off."},
        {TAC_CAPTURE_SUSPENDED, "The machine was suspended in between."},
        {TAC_CAPTURE_FREQUENCY, "The processor's counter changed its rate; times may be off."},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        if (capture->problems & list[i].bit)
            say(text, list[i].sentence);
    tell_drops(capture, text);
    uint64_t suppressed = 0;
    for (size_t i = 0; i < capture->threads_count; i++)
        suppressed += capture->threads[i].suppressed;
    if (suppressed)
        tac_text_addf(text, "%s%llu events went beyond the budget of their cycles.",
                      text->length ? " " : "", (unsigned long long)suppressed);
    if (capture->unregistered)
        tac_text_addf(text, "%s%llu events came from threads that had not registered.",
                      text->length ? " " : "", (unsigned long long)capture->unregistered);
}

bool tac_evidence_is_virtual(const struct tac_capture *capture)
{
    const char *text = tac_capture_meta(capture, "virtual");
    return text && !strcmp(text, "yes");
}
