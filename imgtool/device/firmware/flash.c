#include "flash.h"

#include "failure.h"
#include "frame.h"
#include "registers.h"
#include "rom.h"

/* JEDEC's commands, which all parts have: https://www.jedec.org/standards-documents/docs/jesd216b */
#define WRITE_STATUS 0x01
#define READ_STATUS 0x05
#define WRITE_ENABLE 0x06
#define ERASE_SECTOR 0x20
#define READ_STATUS_2 0x35
#define READ_ID 0x9F
#define ERASE_WHOLE 0xC7
#define ERASE_BLOCK 0xD8

#define STATUS_BUSY (1u << 0)
#define STATUS_WRITABLE (1u << 1)
#define STATUS_PROTECTED 0x1Cu /* BP0 to BP2 */

/* When a busy flash is given up, whatever is done to a part of it, and to the whole: 6 s and 210 s of the
 * faster clock.  With a crystal of 26 MHz all takes half as long again. */
#define TICK (1u << 23) /* cycles */
#define PATIENCE 57
#define PATIENCE_CHIP 2000

/* 24 bits of address and as many of data take microseconds. */
#define MOST_TRANSFER_POLLS 10000

/* A block is erased as a whole where so many of its sectors have to be. */
#define SECTORS_WORTH_A_BLOCK 4

uint32_t flash_bytes;

static _Noreturn void give_up(void)
{
    fail(FLASH_FAILED);
}

/* A command that the controller puts together from its parts.  The ready-made ones are not used: what they
 * send is not documented for all of them.  What the ROM's routines left in the registers is put back. */
static uint32_t command(uint32_t opcode, uint32_t phase, uint32_t bits)
{
    uint32_t user = spi0.user, user1 = spi0.user1, user2 = spi0.user2;
    spi0.user = SPI_USR_COMMAND | phase;
    spi0.user1 = SPI_USR_ADDR_BITS(24) | SPI_USR_MOSI_BITS(bits) | SPI_USR_MISO_BITS(bits);
    spi0.user2 = SPI_USR_COMMAND_BITS(8) | opcode;
    spi0.cmd = SPI_USR;
    for (uint32_t polls = MOST_TRANSFER_POLLS; spi0.cmd & SPI_USR && polls != 0; polls--)
        ;
    spi0.user = user;
    spi0.user1 = user1;
    spi0.user2 = user2;
    return spi0.w[0];
}

static uint8_t read_register(uint32_t opcode)
{
    return command(opcode, SPI_USR_MISO, 8);
}

static uint32_t status(void)
{
    return read_register(READ_STATUS);
}

static uint32_t cycles(void)
{
    uint32_t count;
    __asm__ volatile("rsr %0, ccount" : "=r"(count));
    return count;
}

/* How long what the flash does may take, from when, and whether it is an erase. */
static struct {
    uint32_t start, ticks, erases;
} patience;

static void be_patient(uint32_t ticks)
{
    patience.start = cycles();
    patience.ticks = ticks;
}

/* Whether the flash is still at work; fails where that takes too long, or where it has not taken an erase, which
 * leaves it writable. */
bool flash_is_busy(void)
{
    uint32_t now = status();
    if (now & STATUS_BUSY) {
        for (; cycles() - patience.start >= TICK; patience.start += TICK)
            if (patience.ticks-- == 0) {
                be_patient(PATIENCE);
                give_up();
            }
        return true;
    }
    uint32_t erased = patience.erases;
    patience.erases = false;
    if (erased && now & STATUS_WRITABLE)
        give_up();
    return false;
}

static void wait_ready(uint32_t ticks)
{
    be_patient(ticks);
    while (flash_is_busy())
        ;
}

static void enable_write(void)
{
    wait_ready(PATIENCE);
    command(WRITE_ENABLE, 0, 8);
    if (!(status() & STATUS_WRITABLE))
        give_up();
}

/* In the lower three bytes. */
uint32_t flash_id(void)
{
    return command(READ_ID, SPI_USR_MISO, 24);
}

void flash_set_size(uint32_t bytes)
{
    if (bytes % BLOCK || bytes - 1 >= LARGEST_FLASH)
        refuse();
    flash_bytes = bytes;
    SPIParamCfg(0, bytes, BLOCK, SECTOR, PAGE, 0xFFFF);
}

void flash_start(const uint32_t *)
{
    /* Whoever has attached it has kept its status; the ROM clears a part of that. */
    if ((REGISTER(PERIPHS_IO_MUX_SD_CLK_U) & PERIPHS_IO_MUX_FUNC) != FUNC_SPICLK) {
        SelectSpiFunction();
        spi_flash_attach();
        wait_ready(PATIENCE);
    }
    if (!flash_bytes)
        flash_set_size(LARGEST_FLASH);
}

bool flash_has(uint32_t address, uint32_t size)
{
    return size <= flash_bytes && address <= flash_bytes - size;
}

/* Address, target and size are multiples of four. */
void flash_read(uint32_t address, void *target, uint32_t size)
{
    request.failed_at = address;
    if (SPIRead(address, target, size))
        give_up();
}

static bool is_erased(const uint32_t *words, uint32_t size)
{
    for (; size != 0; size -= 4)
        if (*words++ != ~0u)
            return false;
    return true;
}

/* Most sectors that hold anything show it at once: little is read at first, then as much as has been read. */
bool flash_is_blank(uint32_t sector)
{
    static uint32_t words[SECTOR / 2 / 4];
    uint32_t count = SECTOR / 64;
    for (uint32_t done = 0; done != SECTOR; count = done) {
        flash_read(sector + done, words, count);
        if (!is_erased(words, count))
            return false;
        done += count;
    }
    return true;
}

/* Clear the protection that a flash may have; its second status register keeps its content. */
void flash_unprotect(void)
{
    uint32_t first = status();
    if (!(first & STATUS_PROTECTED))
        return;
    uint32_t second = read_register(READ_STATUS_2);
    enable_write();
    spi0.w[0] = (first & ~(STATUS_PROTECTED | STATUS_WRITABLE | STATUS_BUSY)) | second << 8;
    /* A flash that has no second register does not answer. */
    command(WRITE_STATUS, SPI_USR_MOSI, second == 0xFF ? 8 : 16);
    wait_ready(PATIENCE);
    if (status() & STATUS_PROTECTED)
        fail(UNLOCK_FAILED);
}

static void erase(uint32_t opcode, uint32_t address)
{
    request.failed_at = address;
    enable_write();
    spi0.addr = address << 8;
    command(opcode, opcode == ERASE_WHOLE ? 0 : SPI_USR_ADDR, 8);
    be_patient(PATIENCE);
    patience.erases = true;
}

void flash_erase_chip(void)
{
    erase(ERASE_WHOLE, 0);
    wait_ready(PATIENCE_CHIP);
}

/* Begin to erase a whole block where that fits, else a sector: if it is not blank.  Returns how much is done as
 * soon as the flash is ready. */
uint32_t flash_erase_begin(uint32_t address, uint32_t size)
{
    if (address % BLOCK == 0 && size >= BLOCK) {
        uint32_t dirty = 0;
        for (uint32_t sector = 0; sector != BLOCK && dirty != SECTORS_WORTH_A_BLOCK; sector += SECTOR)
            dirty += !flash_is_blank(address + sector);
        if (dirty == SECTORS_WORTH_A_BLOCK)
            erase(ERASE_BLOCK, address);
        if (dirty == 0 || dirty == SECTORS_WORTH_A_BLOCK)
            return BLOCK;
    }
    if (!flash_is_blank(address))
        erase(ERASE_SECTOR, address);
    return SECTOR;
}

/* The same, and wait for it. */
uint32_t flash_erase_next(uint32_t address, uint32_t size)
{
    uint32_t step = flash_erase_begin(address, size);
    while (flash_is_busy())
        ;
    return step;
}

void flash_erase(uint32_t address, uint32_t size)
{
    for (uint32_t end = address + size; address != end;)
        address += flash_erase_next(address, end - address);
}

/* Page by page, but for those that are all 0xFF.  Address and size are multiples of four. */
void flash_program(uint32_t address, const void *source, uint32_t size)
{
    const uint32_t *words = source;
    while (size != 0) {
        uint32_t count = PAGE - address % PAGE;
        if (count > size)
            count = size;
        request.failed_at = address;
        if (!is_erased(words, count) && SPIWrite(address, words, count))
            give_up();
        address += count;
        words += count / 4;
        size -= count;
    }
}
