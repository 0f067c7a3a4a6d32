/* A request as kind_http2.c carries it, and lists of them. */
#pragma once
#include <nghttp2/nghttp2.h>

#include "agent/transport/transport.h"
#include "agent/transport/transport_kind.h"

struct h2_conn;

struct stream2 {
    struct transfer *x;
    struct h2_conn *conn;          /* NULL: waits for one */
    struct stream2 *before, *next; /* among those of its connection, or those that wait */
    struct payload_rest body;      /* what nghttp2 has not taken */
    int32_t id;
    size_t head;  /* bytes of heads and trailers so far */
    bool encoded; /* the body, as nobody asked for */
    bool reset;   /* by the server, with `code` */
    uint32_t code;
    uint32_t past; /* bytes of data that nghttp2 has not seen */
};

struct list2 {
    struct stream2 *first, *last;
    uint32_t n;
};

static inline void list2_append(struct list2 *l, struct stream2 *s)
{
    s->before = l->last;
    s->next = NULL;
    if (l->last)
        l->last->next = s;
    else
        l->first = s;
    l->last = s;
    l->n++;
}

static inline void list2_prepend(struct list2 *l, struct stream2 *s)
{
    s->before = NULL;
    s->next = l->first;
    if (l->first)
        l->first->before = s;
    else
        l->last = s;
    l->first = s;
    l->n++;
}

static inline void list2_remove(struct list2 *l, struct stream2 *s)
{
    if (s->before)
        s->before->next = s->next;
    else
        l->first = s->next;
    if (s->next)
        s->next->before = s->before;
    else
        l->last = s->before;
    l->n--;
}
