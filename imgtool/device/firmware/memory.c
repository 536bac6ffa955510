#include "memory.h"

#include <stdbool.h>

#include "crc32.h"
#include "download.h"
#include "failure.h"
#include "frame.h"
#include "uart.h"
#include "window.h"
#include "write.h"

/* From the linker script. */
extern uint8_t late_start[], late_end[], tables_start[], tables_end[], bss_end[], iram_end[], dram_end[];

static bool is_between(uint32_t address, uint32_t end, const uint8_t *from, const uint8_t *to)
{
    return address >= (uint32_t)from && end <= (uint32_t)to;
}

uint32_t late;

/* The late code has been loaded whole, if this is its CRC. */
void memory_late(uint32_t crc)
{
    transfer.mode = IDLE;
    late = crc32(0, late_start, late_end - late_start) == crc;
    if (!late)
        fail(BAD_CHECKSUM);
}

/* RAM that the stub does not need itself, or that its late code is for. */
void memory_begin(const uint32_t *arguments)
{
    uint32_t address = arguments[3], size = arguments[0], end = address + size;
    transfer.mode = IDLE;
    if (address % 4 || end < address ||
        !(is_between(address, end, late_start, tables_start) || is_between(address, end, tables_end, iram_end) || is_between(address, end, bss_end, dram_end)))
        refuse();
    late &= address >= (uint32_t)tables_start;
    transfer_begin(MEMORY, address, size);
}

void memory_data(const uint32_t *arguments)
{
    uint32_t size = arguments[0], *to = (uint32_t *)transfer.next;
    packet_receive();
    if (transfer.mode != MEMORY || size > transfer.end - transfer.next)
        fail(TOO_MUCH_DATA);
    transfer.next += size;
    /* In words, which is all that IRAM takes. */
    for (const uint32_t *from = (const uint32_t *)packet_buffer; (uint32_t)to < transfer.next;)
        *to++ = *from++;
}

LATE void memory_end(const uint32_t *arguments)
{
    reply(OK);
    if (arguments[0] != 0)
        return;
    uart_stop();
    ((void (*)(void))arguments[1])();
    frame_start();
}
