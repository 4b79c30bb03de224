/* SPDX-License-Identifier: MIT
 * hook_alsa.c - programs that write to or read from an ALSA PCM in a loop have no callback: their
 * cycle is the time from the return of one transfer (or of the wait before it) to the next transfer
 * or wait.
 *
 * The deadline is when the device runs dry (or full): now plus what the buffer holds, by
 * snd_pcm_avail_update, for which no extra system call is made on mapped devices. While the device
 * does not run (being filled, or drained) there is no cycle. After a wait, and after a transfer
 * that does not wait itself (mapped), a cycle begins only when there is something to do: as much
 * room as the program moved the last time, a period at most. So a library that polls twice and
 * commits has one cycle a period.
 *
 * Where PortAudio or RtAudio drive the device, their callback is the cycle and the device tells its
 * deadline: tac_watch_covered(). What is wrapped is declared here after alsa/pcm.h (libasound 1.x).
 */
#include "watch/watch.h"

#include "base/clock.h"

#include <pthread.h>

typedef struct _snd_pcm snd_pcm_t;
typedef struct _snd_pcm_hw_params snd_pcm_hw_params_t;
typedef unsigned long frames_t;
typedef long signed_frames_t;

int snd_pcm_hw_params(snd_pcm_t *pcm, snd_pcm_hw_params_t *params);
int snd_pcm_set_params(snd_pcm_t *pcm, int format, int access, unsigned channels, unsigned rate_hz,
                       int soft_resample, unsigned latency_us);
int snd_pcm_hw_params_get_rate(const snd_pcm_hw_params_t *params, unsigned *ret_hz, int *ret_dir);
int snd_pcm_get_params(snd_pcm_t *pcm, frames_t *ret_buffer, frames_t *ret_period);
int snd_pcm_stream(snd_pcm_t *pcm);
int snd_pcm_state(snd_pcm_t *pcm);
const char *snd_pcm_name(snd_pcm_t *pcm);
int snd_pcm_close(snd_pcm_t *pcm);
signed_frames_t snd_pcm_avail_update(snd_pcm_t *pcm);
signed_frames_t snd_pcm_writei(snd_pcm_t *pcm, const void *buffer, frames_t frames);
signed_frames_t snd_pcm_writen(snd_pcm_t *pcm, void **buffers, frames_t frames);
signed_frames_t snd_pcm_readi(snd_pcm_t *pcm, void *buffer, frames_t frames);
signed_frames_t snd_pcm_readn(snd_pcm_t *pcm, void **buffers, frames_t frames);
signed_frames_t snd_pcm_mmap_writei(snd_pcm_t *pcm, const void *buffer, frames_t frames);
signed_frames_t snd_pcm_mmap_writen(snd_pcm_t *pcm, void **buffers, frames_t frames);
signed_frames_t snd_pcm_mmap_readi(snd_pcm_t *pcm, void *buffer, frames_t frames);
signed_frames_t snd_pcm_mmap_readn(snd_pcm_t *pcm, void **buffers, frames_t frames);
signed_frames_t snd_pcm_mmap_commit(snd_pcm_t *pcm, frames_t offset, frames_t frames);
int snd_pcm_wait(snd_pcm_t *pcm, int timeout_ms);
int snd_pcm_drain(snd_pcm_t *pcm);
int snd_pcm_drop(snd_pcm_t *pcm);
int snd_pcm_pause(snd_pcm_t *pcm, int enable);
int snd_pcm_hw_free(snd_pcm_t *pcm);

#define ALSA(name) TAC_WATCH_REAL_AS(__typeof__(&name), #name, NULL, "libasound.so.2")
/* Two versions: the first one returned the rate. */
#define ALSA_GET_RATE                                                                              \
    TAC_WATCH_REAL_AS(__typeof__(&snd_pcm_hw_params_get_rate), "snd_pcm_hw_params_get_rate",       \
                      "ALSA_0.9.0rc4", "libasound.so.2")

enum { STREAMS_MAX = 16, STATE_RUNNING = 3 };

struct stream {
    _Atomic(snd_pcm_t *) pcm; /* NULL: free */
    int source;
    double frame_ns;
    frames_t buffer, period;
    frames_t moved;       /* by the last transfer */
    uint64_t deadline_ns; /* as of the last wait or transfer */
    bool begun;           /* a cycle is open, on that thread: */
    struct tac_watch_thread *thread;
    bool covered; /* a callback above has the cycles */
};

static struct stream streams[STREAMS_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct stream *find(const snd_pcm_t *pcm)
{
    for (int i = 0; i < STREAMS_MAX; i++)
        if (atomic_load_explicit(&streams[i].pcm, memory_order_acquire) == pcm)
            return &streams[i];
    return NULL;
}

static void set_up(snd_pcm_t *pcm, unsigned rate_hz)
{
    frames_t buffer = 0, period = 0;
    if (!rate_hz || ALSA(snd_pcm_get_params)(pcm, &buffer, &period) < 0)
        return;
    pthread_mutex_lock(&lock);
    struct stream *s = find(pcm);
    if (!s && (s = find(NULL))) { /* another had the place, and may have left in a cycle */
        s->begun = false;
        s->thread = NULL;
    }
    if (s) {
        s->frame_ns = 1e9 / rate_hz;
        s->buffer = buffer;
        s->period = s->moved = period;
        s->covered = false;
        const char *kind = ALSA(snd_pcm_stream)(pcm) ? "alsa-capture" : "alsa";
        s->source = tac_watch_stream_open(kind, ALSA(snd_pcm_name)(pcm),
                                          (uint64_t)((double)period * s->frame_ns));
        atomic_store_explicit(&s->pcm, pcm, memory_order_release);
    }
    pthread_mutex_unlock(&lock);
}

TAC_WATCH_EXPORT int snd_pcm_hw_params(snd_pcm_t *pcm, snd_pcm_hw_params_t *params)
{
    int r = ALSA(snd_pcm_hw_params)(pcm, params);
    unsigned rate_hz = 0;
    if (r >= 0 && ALSA_GET_RATE(params, &rate_hz, NULL) >= 0)
        set_up(pcm, rate_hz);
    return r;
}

TAC_WATCH_EXPORT int snd_pcm_set_params(snd_pcm_t *pcm, int format, int access, unsigned channels,
                                        unsigned rate_hz, int soft_resample, unsigned latency_us)
{
    int r =
        ALSA(snd_pcm_set_params)(pcm, format, access, channels, rate_hz, soft_resample, latency_us);
    if (r >= 0)
        set_up(pcm, rate_hz);
    return r;
}

/* The same for playing and recording: what is available lies on the far side of the edge. 0: there
 * is no deadline, or less than so many frames can be moved. */
static uint64_t deadline_ns(struct stream *s, snd_pcm_t *pcm, frames_t least)
{
    if (ALSA(snd_pcm_state)(pcm) != STATE_RUNNING)
        return 0;
    signed_frames_t available = ALSA(snd_pcm_avail_update)(pcm);
    if (available < (signed_frames_t)least || (frames_t)available > s->buffer)
        return 0;
    double left_ns = (double)(s->buffer - (frames_t)available) * s->frame_ns;
    return tac_clock_ns() + (uint64_t)left_ns;
}

static void close_cycle(struct stream *s)
{
    tac_watch_cycle_end(s->source, s->begun);
    s->begun = false;
}

static void open_cycle(struct stream *s, snd_pcm_t *pcm, bool waited)
{
    struct tac_watch_thread *t = tac_watch_thread();
    t->stream = pcm;
    frames_t least = s->moved < s->period ? s->moved : s->period;
    s->thread = t;
    s->deadline_ns = s->begun ? 0 : deadline_ns(s, pcm, waited && !s->covered ? least : 0);
    if (s->deadline_ns && !s->covered)
        s->begun = tac_watch_cycle_begin(s->source, s->deadline_ns, (uint32_t)s->period);
}

/* Around a transfer or a wait: the cycle ends, the call, the next one begins. frames: what was
 * moved, 0 for a wait; waited: it returns when there is something to do, or at once. */
#define TRANSFER(type, call, frames, waited)                                                       \
    struct stream *s = find(pcm);                                                                  \
    struct tac_watch_thread *t = tac_watch_thread();                                               \
    if (s)                                                                                         \
        close_cycle(s);                                                                            \
    t->stream = NULL;                                                                              \
    type r = call;                                                                                 \
    if (s && (frames) && r > 0)                                                                    \
        s->moved = (frames_t)r;                                                                    \
    if (s)                                                                                         \
        open_cycle(s, pcm, waited);                                                                \
    return r;

#define MOVE(name, buffer_type)                                                                    \
    TAC_WATCH_EXPORT signed_frames_t name(snd_pcm_t *pcm, buffer_type buffer, frames_t frames)     \
    {                                                                                              \
        TRANSFER(signed_frames_t, ALSA(name)(pcm, buffer, frames), frames, false)                  \
    }

MOVE(snd_pcm_writei, const void *)
MOVE(snd_pcm_writen, void **)
MOVE(snd_pcm_readi, void *)
MOVE(snd_pcm_readn, void **)
MOVE(snd_pcm_mmap_writei, const void *)
MOVE(snd_pcm_mmap_writen, void **)
MOVE(snd_pcm_mmap_readi, void *)
MOVE(snd_pcm_mmap_readn, void **)

TAC_WATCH_EXPORT signed_frames_t snd_pcm_mmap_commit(snd_pcm_t *pcm, frames_t offset,
                                                     frames_t frames){
    TRANSFER(signed_frames_t, ALSA(snd_pcm_mmap_commit)(pcm, offset, frames), frames, true)}

TAC_WATCH_EXPORT int snd_pcm_wait(snd_pcm_t *pcm, int timeout_ms)
{
    TRANSFER(int, ALSA(snd_pcm_wait)(pcm, timeout_ms), 0, true)
}

void tac_watch_wait_begin(struct tac_watch_thread *thread)
{
    struct stream *s = find(thread->stream);
    if (s)
        close_cycle(s);
}

void tac_watch_wait_end(struct tac_watch_thread *thread)
{
    struct stream *s = find(thread->stream);
    if (s)
        open_cycle(s, thread->stream, true);
}

uint64_t tac_watch_covered(struct tac_watch_thread *thread)
{
    struct stream *s = thread->stream ? find(thread->stream) : NULL;
    if (!s)
        return 0;
    close_cycle(s);
    s->covered = true;
    return s->deadline_ns;
}

/* The device plays out, or is stopped: no cycle until the next transfer. Another thread than that
 * of the cycle leaves it to its thread, which waits in a transfer as a rule. */
static void rest(snd_pcm_t *pcm)
{
    struct stream *s = find(pcm);
    struct tac_watch_thread *t = tac_watch_thread();
    if (s && s->thread == t)
        close_cycle(s);
    t->stream = NULL;
}

#define WRAP_REST(name)                                                                            \
    TAC_WATCH_EXPORT int name(snd_pcm_t *pcm)                                                      \
    {                                                                                              \
        rest(pcm);                                                                                 \
        return ALSA(name)(pcm);                                                                    \
    }
WRAP_REST(snd_pcm_drain)
WRAP_REST(snd_pcm_drop)
WRAP_REST(snd_pcm_hw_free)

TAC_WATCH_EXPORT int snd_pcm_pause(snd_pcm_t *pcm, int enable)
{
    rest(pcm);
    return ALSA(snd_pcm_pause)(pcm, enable);
}

TAC_WATCH_EXPORT int snd_pcm_close(snd_pcm_t *pcm)
{
    struct stream *s = find(pcm);
    rest(pcm);
    if (s)
        atomic_store(&s->pcm, NULL);
    return ALSA(snd_pcm_close)(pcm);
}
