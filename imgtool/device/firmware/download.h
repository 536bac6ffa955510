/* FLASH_BEGIN to FLASH_END and their deflated likes: packets are acknowledged before they are in flash. */
#ifndef DOWNLOAD_H
#define DOWNLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "frame.h"

#include "protocol.h"

/* What FLASH_BEGIN, FLASH_DEFL_BEGIN or MEM_BEGIN has begun. */
struct transfer {
    /* INFLATED: the stream has ended; only its check may still come. */
    enum { IDLE, PLAIN, DEFLATED, INFLATED, MEMORY } mode;
    uint32_t next, end, erased_to;
    /* What is left of the packet that is being inflated. */
    struct stretch packet;
};

extern struct transfer transfer;

void transfer_begin(uint32_t mode, uint32_t address, uint32_t size);
void packet_receive(void);
void download_begin(const uint32_t *arguments);
void download_plain(const uint32_t *arguments);
void download_deflated(const uint32_t *arguments);
void download_end(const uint32_t *arguments);

#endif
