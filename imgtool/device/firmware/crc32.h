/* CRC-32 as zlib and Ethernet have it. */
#ifndef CRC32_H
#define CRC32_H

#include <stdint.h>

void crc32_start(void);
uint32_t crc32(uint32_t before, const void *data, uint32_t size);

#endif
