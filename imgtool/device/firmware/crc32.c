#include "crc32.h"

#include "memory.h"

/* Not among the constants: they would take longer to load than to compute.  The first is of a byte, each that
 * follows of a byte with one more zero behind it, so that four bytes are four looks at once. */
IN_IRAM static uint32_t tables[4][256];

void crc32_start(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t rest = byte;
        for (uint32_t bit = 0; bit < 8; bit++)
            rest = rest & 1 ? rest >> 1 ^ 0xEDB88320 : rest >> 1;
        tables[0][byte] = rest;
    }
    for (uint32_t *table = tables[0]; table != tables[3]; table += 256)
        for (uint32_t byte = 0; byte < 256; byte++)
            table[256 + byte] = table[byte] >> 8 ^ tables[0][table[byte] & 0xFF];
}

/* The CRC of some bytes behind others whose CRC is known; 0 where there are none. */
uint32_t crc32(uint32_t before, const void *data, uint32_t size)
{
    const uint8_t *from = data, *end = from + size;
    uint32_t rest = ~before;
    for (;;) {
        if ((uint32_t)from % 4 == 0)
            for (; end - from >= 4; from += 4) {
                rest ^= *(const uint32_t *)from;
                rest = tables[3][rest & 0xFF] ^ tables[2][rest >> 8 & 0xFF] ^ tables[1][rest >> 16 & 0xFF] ^
                       tables[0][rest >> 24];
            }
        if (from == end)
            return ~rest;
        rest = rest >> 8 ^ tables[0][(rest ^ *from++) & 0xFF];
    }
}
