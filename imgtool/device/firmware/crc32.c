#include "crc32.h"

/* In RAM, not among the constants: 1 KB of them would take longer to load than to compute. */
static uint32_t table[256];

void crc32_start(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t rest = byte;
        for (uint32_t bit = 0; bit < 8; bit++)
            rest = rest & 1 ? rest >> 1 ^ 0xEDB88320 : rest >> 1;
        table[byte] = rest;
    }
}

/* The CRC of some bytes behind others whose CRC is known; 0 where there are none. */
uint32_t crc32(uint32_t before, const void *data, uint32_t size)
{
    const uint8_t *from = data;
    uint32_t rest = ~before;
    for (const uint8_t *end = from + size; from != end; from++)
        rest = rest >> 8 ^ table[(rest ^ *from) & 0xFF];
    return ~rest;
}
