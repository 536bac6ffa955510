#include "download.h"

#include "failure.h"
#include "flash.h"
#include "frame.h"
#include "inflate.h"
#include "memory.h"
#include "window.h"
#include "write.h"

#define ZLIB_METHOD(header) ((header) & 0xF)
#define ZLIB_DEFLATE 8
#define ZLIB_DICTIONARY (1u << 5)

struct transfer transfer;

void transfer_begin(uint32_t mode, uint32_t address, uint32_t size)
{
    transfer.mode = mode;
    transfer.next = address;
    transfer.end = address + size;
}

/* A data packet into its buffer, with esptool's checksum of it made while it arrives. */
static enum error receive(void)
{
    uint32_t size = request.arguments[0];
    uint32_t sum = CHECKSUM_SEED ^ request.check;
    if (size > LARGEST_DATA || size + DATA_HEADER != request.length)
        return BAD_DATA_LENGTH;
    write_forget(); /* packets share the window */
    uint8_t *to = packet_buffer;
    transfer.packet = (struct stretch){to, to + size};
    int32_t byte;
    while (size-- != 0 && (byte = frame_byte()) >= 0) {
        *to++ = byte;
        sum ^= byte;
    }
    if (!frame_is_whole())
        return BAD_DATA_LENGTH;
    return sum & 0xFF ? BAD_CHECKSUM : OK;
}

LATE void download_begin(const uint32_t *arguments)
{
    uint32_t address = arguments[3], size = arguments[0];
    transfer.mode = IDLE;
    request.failed_at = address;
    if (address % 4 || !flash_has(address, size))
        refuse();
    flash_unprotect();
    transfer.erased_to = address & -SECTOR;
    transfer_begin(request.command == FLASH_DEFL_BEGIN ? DEFLATED : PLAIN, address, size);
}

/* Into the flash, whose sectors are erased just before. */
[[gnu::section(".late.text")]] static void store(uint8_t *data, uint32_t size)
{
    uint32_t address = transfer.next, end = transfer.end;
    if (size > end - address)
        size = end - address;
    transfer.next = address + size;
    while (transfer.erased_to < transfer.next)
        transfer.erased_to += flash_erase_next(transfer.erased_to, end - transfer.erased_to);
    for (; size % 4; size++)
        data[size] = 0xFF;
    flash_program(address, data, size);
}

void packet_receive(void)
{
    enum error error = receive();
    if (error)
        fail(error);
}

/* Receive a packet, and acknowledge it before it is in the flash. */
[[gnu::section(".late.text")]] static void accept(void)
{
    packet_receive();
    request.value = request.failed_at = transfer.next;
    reply(OK);
}

LATE void download_plain(const uint32_t *arguments)
{
    if (transfer.mode != PLAIN)
        fail(NOT_IN_FLASH_MODE);
    if (transfer.next == transfer.end)
        fail(TOO_MUCH_DATA);
    accept();
    store(packet_buffer, arguments[0]);
}

/* The stream goes on in the next packet.  One that comes broken may come again; any other command ends it. */
[[gnu::section(".late.text")]] static bool next_packet(struct stretch *input)
{
    while (transfer.packet.at == transfer.packet.end) {
        request_wait();
        if (request.command != FLASH_DEFL_DATA) {
            request.pending = true;
            transfer.mode = INFLATED;
            leave();
        }
        enum error error = receive();
        if (error)
            transfer.packet.at = transfer.packet.end;
        request.value = request.failed_at = transfer.next;
        reply(frame_error(error));
    }
    *input = transfer.packet;
    transfer.packet.at = transfer.packet.end;
    return true;
}

[[gnu::section(".late.text")]] static void store_inflated(void)
{
    uint32_t from = stream.limit - SECTOR, size = stream.made - from;
    if (size > SECTOR)
        size = SECTOR;
    if (size > transfer.end - transfer.next)
        fail(TOO_MUCH_DATA);
    store(window + from % ZLIB_WINDOW, size);
    stream.limit += SECTOR;
}

/* The first packet of a stream; the others are fetched as it is inflated. */
LATE void download_deflated(const uint32_t *)
{
    if (transfer.mode != DEFLATED && transfer.mode != INFLATED)
        fail(NOT_IN_FLASH_MODE);
    accept();
    if (transfer.mode == INFLATED)
        return;
    inflate_begin(next_packet, 0);
    stream.out = window;
    stream.window_end = window + ZLIB_WINDOW;
    stream.limit = SECTOR;
    stream.full = store_inflated;
    if (ZLIB_METHOD(inflate_bits(8)) != ZLIB_DEFLATE || inflate_bits(8) & ZLIB_DICTIONARY)
        fail(INFLATE_FAILED);
    inflate();
    store_inflated();
    transfer.mode = INFLATED;
}

LATE void download_end(const uint32_t *)
{
    uint32_t mode = transfer.mode;
    transfer.mode = IDLE;
    request.failed_at = transfer.next;
    if (mode == IDLE)
        fail(NOT_IN_FLASH_MODE);
    if (transfer.next != transfer.end)
        fail(BAD_DATA_LENGTH);
}
