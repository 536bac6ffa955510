/* Inflate (RFC 1951): pulls its input byte by byte, and pushes its output into a window that goes round. */
#ifndef INFLATE_H
#define INFLATE_H

#include <stdint.h>

#define END_OF_INPUT (-1)

struct stream {
    /* The next byte of the input, or END_OF_INPUT. */
    int32_t (*next)(void);

    /* Output goes to `out`, and on at the window's start from the window's end on. */
    uint8_t *out, *window_end;
    /* Bytes in the window so far, which references may reach. */
    uint32_t made;
    /* `full` is called when more was made, by 258 bytes at most: it raises the limit, or fails. */
    uint32_t limit;
    void (*full)(void);

    /* Of the input, not used yet. */
    uint32_t bits;
    int32_t bit_count;
};

extern struct stream stream;

uint32_t inflate_bits(uint32_t count);
void inflate_stored(uint32_t size);
void inflate(void);

#endif
