#include "uart.h"

#include "registers.h"
#include "rom.h"
#include "write.h"

#define ETS_UART_INUM 5

/* The handler comes when the FIFO is half full, which leaves it 0.7 ms at 921600 baud. */
#define FULL_THRESHOLD 64
#define TIMEOUT_THRESHOLD 2 /* in units of eight bits */

/* The clock of the UART is twice the crystal's: 26 or 40 MHz. */
#define CLOCK_26 52000000u
#define CLOCK_40 80000000u
#define CLOCK_BETWEEN 66000000u
#define LONGEST_BYTE_US 1100 /* at 9600 baud */

struct receiver receiver;

/* One byte.  Where bytes are lost, the rest of their frame is dropped: it is too short then, which its reader
 * sees. */
[[gnu::noinline]] static void receive_byte(void)
{
    uint8_t byte = uart0.fifo;
    if (receiver.lost && byte != SLIP_END)
        return;
    uint8_t *write = receiver.write, *next = write + 1;
    if (next == receiver.ring + RING_SIZE)
        next = receiver.ring;
    receiver.lost = next == receiver.read;
    if (receiver.lost) {
        receiver.overruns++;
        return;
    }
    *write = byte;
    receiver.write = next;
}

static void receive(void *unused)
{
    (void)unused;
    uint32_t raised = uart0.int_st, count;
    while ((count = UART_RXFIFO_CNT(uart0.status)) != 0) {
        uint8_t *write = receiver.write;
        const uint8_t *full = receiver.read > write ? receiver.read : receiver.ring + RING_SIZE;
        if (receiver.lost || count >= (uint32_t)(full - write)) {
            receive_byte();
            continue;
        }
        /* All that is there fits: nothing is asked of single bytes. */
        for (; count % 4; count--)
            *write++ = uart0.fifo;
        for (const uint8_t *end = write + count; write != end; write += 4) {
            write[0] = uart0.fifo;
            write[1] = uart0.fifo;
            write[2] = uart0.fifo;
            write[3] = uart0.fifo;
        }
        receiver.write = write;
    }
    if (raised & UART_RXFIFO_OVF_INT) {
        /* What the FIFO held was whole: bytes behind it are lost. */
        receiver.lost = true;
        receiver.overruns++;
    }
    uart0.int_clr = raised;
}

/* Waits for bytes from a place in the ring on, and returns the end of those that have arrived and lie in a
 * row.  What was before that place is done with.  While nothing comes, what was written before goes on.  The handler
 * runs between two instructions of this: only their order counts. */
uint8_t *uart_arrived(uint8_t *from)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    receiver.read = from;
    uint8_t *write;
    for (;;) {
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        write = receiver.write;
        if (write != from)
            break;
        if (write_jobs != 0)
            write_go_on();
    }
    return write > from ? write : receiver.ring + RING_SIZE;
}

void uart_start(void)
{
    receiver.write = receiver.read = receiver.ring;
    uart0.int_ena = 0;
    ets_isr_attach(ETS_UART_INUM, receive, 0);
    uart0.conf1 = UART_RX_TOUT_EN | TIMEOUT_THRESHOLD << UART_RX_TOUT_THRHD_S | FULL_THRESHOLD;
    uart0.int_clr = ~0u;
    uart0.int_ena = UART_RXFIFO_FULL_INT | UART_RXFIFO_TOUT_INT | UART_RXFIFO_OVF_INT;
    ets_isr_unmask(1 << ETS_UART_INUM);
}

static void drain(void)
{
    while (UART_TXFIFO_CNT(uart0.status) != 0)
        ;
    /* The last byte is still on its way. */
    ets_delay_us(LONGEST_BYTE_US);
}

/* Leave the line to another program. */
void uart_stop(void)
{
    drain();
    uart0.int_ena = 0;
}

void uart_send(uint32_t byte)
{
    while (UART_TXFIFO_CNT(uart0.status) >= UART_FIFO_BYTES - 2)
        ;
    uart0.fifo = byte;
}

/* The divider and the speed that it makes tell the clock, of which there are two: where the ROM has measured
 * the speed, the divider is off a little. */
void uart_change_speed(uint32_t baud, uint32_t baud_before)
{
    uint32_t clock = uart0.clkdiv * baud_before > CLOCK_BETWEEN ? CLOCK_40 : CLOCK_26;
    drain();
    uart_div_modify(0, udivsi3(clock + (baud >> 1), baud));
}
