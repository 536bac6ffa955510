/* The serial line: an interrupt handler that takes bytes off it into a ring, and transmission. */
#ifndef UART_H
#define UART_H

#include <stdbool.h>
#include <stdint.h>

/* What a host may have on its way; the ring has room for one byte less than its size. */
#define RING_BYTES 20480
#define RING_SIZE (RING_BYTES + 4)

#define SLIP_END 0xC0
#define SLIP_ESC 0xDB
#define SLIP_ESC_END 0xDC
#define SLIP_ESC_ESC 0xDD

struct receiver {
    uint8_t *write; /* the interrupt handler's */
    uint8_t *read;  /* the reader's: from here on it still looks at bytes, and changes them */
    uint32_t overruns; /* bytes or frames that were lost */
    uint32_t lost; /* whether the rest of the frame is to be dropped */
    uint8_t ring[RING_SIZE];
};

extern struct receiver receiver;

void uart_start(void);
void uart_stop(void);
uint8_t *uart_arrived(uint8_t *from);
void uart_send(uint32_t byte);
void uart_change_speed(uint32_t baud, uint32_t baud_before);

#endif
