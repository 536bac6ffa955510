#include "uart.h"

#include "registers.h"
#include "rom.h"

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

static uint8_t *behind(uint8_t *place)
{
    return place + 1 == receiver.ring + RING_SIZE ? receiver.ring : place + 1;
}

/* Where bytes are lost, the rest of their frame is dropped: it is too short then, which its reader sees. */
static void receive(void *unused)
{
    (void)unused;
    uint32_t raised = uart0.int_st;
    while (UART_RXFIFO_CNT(uart0.status) != 0) {
        uint8_t byte = uart0.fifo;
        if (receiver.lost && byte != SLIP_END)
            continue;
        uint8_t *write = receiver.write, *next = behind(write);
        receiver.lost = next == receiver.read;
        if (receiver.lost) {
            receiver.overruns++;
            continue;
        }
        *write = byte;
        receiver.write = next;
    }
    if (raised & UART_RXFIFO_OVF_INT) {
        /* What the FIFO held was whole: bytes behind it are lost. */
        receiver.lost = true;
        receiver.overruns++;
    }
    uart0.int_clr = raised;
}

/* Waits for a byte.  The handler runs between two instructions of this: only their order counts. */
uint32_t uart_receive(void)
{
    uint8_t *read = receiver.read;
    do
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
    while (receiver.write == read);
    uint32_t byte = *read;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    receiver.read = behind(read);
    return byte;
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
