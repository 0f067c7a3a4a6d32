#pragma once

/* The value of a hexadecimal digit of either case, 0 to 15; -1: it is none. */
static inline int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
