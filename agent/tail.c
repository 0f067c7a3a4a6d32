#include "agent/tail.h"

void tails_append(struct tails *l, struct tail *t, int64_t due)
{
    t->in = l;
    t->due = due;
    t->before = l->last;
    t->next = NULL;
    if (l->last)
        l->last->next = t;
    else
        l->first = t;
    l->last = t;
    l->n++;
}

void tails_remove(struct tail *t)
{
    struct tails *l = t->in;
    if (!l) return;
    if (t->before)
        t->before->next = t->next;
    else
        l->first = t->next;
    if (t->next)
        t->next->before = t->before;
    else
        l->last = t->before;
    t->in = NULL;
    l->n--;
}
