/* The SPI flash: its identity, reads, digests, erases that spare what is blank, programs that skip 0xFF. */
#ifndef FLASH_H
#define FLASH_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol.h"

#define PAGE 256u
#define SECTOR 4096u
#define BLOCK 0x10000u
#define LARGEST_FLASH 0x1000000u

/* What is read at a time: short enough that a transmitter's FIFO lasts. */
#define PIECE 512u

extern uint32_t flash_bytes;

void flash_start(const uint32_t *arguments);
void flash_set_size(uint32_t bytes);
uint32_t flash_id(void);
bool flash_has(uint32_t address, uint32_t size);
void flash_read(uint32_t address, void *target, uint32_t size);
bool flash_is_blank(uint32_t sector);
void flash_unprotect(void);
bool flash_is_busy(void);
uint32_t flash_erase_begin(uint32_t address, uint32_t size);
uint32_t flash_erase_next(uint32_t address, uint32_t size);
void flash_erase(uint32_t address, uint32_t size);
void flash_erase_chip(void);
void flash_program(uint32_t address, const void *source, uint32_t size);

#endif
