/* Events a second that one core reads through stream_feed: a full buffer of vLLM-like chunks, and the same with each
 * event cut by a read's end, with an event: line, and with running usage. `bench_scan [seconds]`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/stream/stream.h"
#include "common/clock.h"
#include "common/rng.h"

#define BUFFER (64u << 10)

static size_t make(char *out, size_t room, bool named, bool usage, uint32_t *ret_events)
{
    static const char *const words[] = {" the", " model",   "usion",        ":\\\",", " Inte",
                                        "})",   " \\u76f8", "\xe4\xbd\xa0", " a",     "\\n"};
    struct rng r;
    size_t n = 0;
    rng_seed(&r, 1);
    for (*ret_events = 0;; ++*ret_events) {
        char event[512], count[96] = "";
        if (usage)
            (void)snprintf(count, sizeof count,
                           ",\"usage\":{\"prompt_tokens\":29,\"total_tokens\":%u,\"completion_tokens\":%u}",
                           30 + *ret_events, 1 + *ret_events);
        int len = snprintf(
            event, sizeof event,
            "%sdata: {\"id\":\"chatcmpl-a5ce23f615ec94ef\",\"object\":\"chat.completion.chunk\",\"created\":1795352308,"
            "\"model\":\"tiny\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s\"},\"logprobs\":null,"
            "\"finish_reason\":null,\"token_ids\":null}]%s}\n\n",
            named ? "event: chunk\n" : "", words[rng_below(&r, 10)], count);
        if (n + (size_t)len > room) return n;
        memcpy(out + n, event, (size_t)len);
        n += (size_t)len;
    }
}

static void run(const char *what, const char *text, size_t n, size_t read, uint32_t events, double seconds,
                struct gap_pool *pool)
{
    static struct stream s;
    uint64_t seen = 0, bytes = 0;
    int64_t begin = clock_mono_ns(), now = begin;
    while ((double)(now - begin) < seconds * 1e9) {
        for (int k = 0; k < 20; k++) {
            stream_begin(&s, dialect_for(API_OPENAI_CHAT), pool, 0, INT64_MAX);
            for (size_t at = 0; at < n; at += read)
                seen += stream_feed(&s, text + at, n - at < read ? n - at : read, now + (int64_t)at);
            if (s.events != events || s.malformed) abort();
            bytes += s.bytes;
            stream_release(&s);
        }
        now = clock_mono_ns();
    }
    double took = (double)(now - begin) / 1e9;
    printf("%-28s %6.2f M events/s  %6.0f ns/event  %6.0f MB/s\n", what, (double)seen / took / 1e6,
           took * 1e9 / (double)seen, (double)bytes / took / 1e6);
}

int main(int argc, char **argv)
{
    static char text[BUFFER];
    uint32_t events;
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 1;
    struct gap_pool *pool = gap_pool_new(1000, 1, NULL);
    if (!pool) return 1;
    size_t n = make(text, sizeof text, false, false, &events);
    run("64 KiB a read", text, n, n, events, seconds, pool);
    run("1,000 bytes a read", text, n, 1000, events, seconds, pool);
    run("100 bytes a read", text, n, 100, events, seconds, pool);
    n = make(text, sizeof text, true, false, &events);
    run("event: lines, 64 KiB a read", text, n, n, events, seconds, pool);
    n = make(text, sizeof text, false, true, &events);
    run("running usage, 64 KiB a read", text, n, n, events, seconds, pool);
    gap_pool_destroy(&pool);
    return 0;
}
