/* Inflate (RFC 1951): asks for its input in stretches, and makes its output in a window that goes round. */
#ifndef INFLATE_H
#define INFLATE_H

#include <stdbool.h>
#include <stdint.h>

#include "frame.h"

#define END_OF_INPUT (-1)
#define LONGEST_MATCH 258
#define SLACK (LONGEST_MATCH + 2) /* bytes behind a window, which output goes into before it goes round */

struct stream {
    /* What there is of the input, and the question for more, which is answered with false at its end. */
    struct stretch input;
    bool (*more)(struct stretch *input);

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

void inflate_begin(bool (*more)(struct stretch *input), uint32_t made);
uint32_t inflate_bits(uint32_t count);
void inflate_stored(uint32_t size);
void inflate(void);

#endif
