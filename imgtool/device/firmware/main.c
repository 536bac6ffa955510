/* A flasher stub for the ESP8266: the ROM loader puts it into RAM and calls start(), which does not return.
 *
 * It runs on the ROM's stack, and answers commands until the chip is reset.
 */
#include "crc32.h"
#include "download.h"
#include "failure.h"
#include "flash.h"
#include "frame.h"
#include "memory.h"
#include "registers.h"
#include "rom.h"
#include "uart.h"
#include "window.h"
#include "write.h"

#define RAM_PATTERN 0x9E3779B9u /* times its index: every bit of an address shows */

/* RAM that is not loaded, and so has to be cleared.  From the linker script. */
extern uint32_t bss_start[], bss_end[], tables_start[], tables_end[];

static uint32_t failed_checks;
static void *command_loop[5];

/* Of flash content. */
static struct md5 md5;
static uint32_t digest[4];

void leave(void)
{
    __builtin_longjmp(command_loop, 1);
}

void fail(enum error error)
{
    write_failed(error);
    write_finish();
    if (request.replied) {
        request.deferred = error;
        request.deferred_at = request.failed_at;
        transfer.mode = IDLE;
    } else {
        request.value = request.failed_at;
        reply(frame_error(error));
    }
    leave();
}

void refuse(void)
{
    fail(BAD_BLOCK_SIZE);
}

static void md5_begin(void)
{
    MD5Init(&md5);
}

static void md5_end(void)
{
    MD5Final(digest, &md5);
}

static void send_digest(void)
{
    frame_send(digest, sizeof digest);
}

/* Any bytes of the flash into the digest, and on the line if they are to be sent. */
static void take(uint32_t address, uint32_t size, bool send)
{
    while (size != 0) {
        static uint32_t words[PIECE / 4];
        uint32_t before = address % 4, count = PIECE - address % PIECE;
        if (count > size)
            count = size;
        flash_read(address - before, words, (before + count + 3) & ~3u);
        const uint8_t *piece = (const uint8_t *)words + before;
        MD5Update(&md5, piece, count);
        if (send)
            frame_send(piece, count);
        address += count;
        size -= count;
    }
}

/* The self-check, as far as it is not the host's: it compares the flash ID, the CRCs and the digests. */
static void check_ram(uint32_t *from, const uint32_t *end)
{
    /* Four words at a time: a host waits for this. */
    uint32_t pattern = 0;
    for (uint32_t *word = from; word != end; word += 4) {
        word[0] = pattern += RAM_PATTERN;
        word[1] = pattern += RAM_PATTERN;
        word[2] = pattern += RAM_PATTERN;
        word[3] = pattern += RAM_PATTERN;
    }
    __atomic_signal_fence(__ATOMIC_SEQ_CST); /* all of it, before any is looked at */
    uint32_t wrong = pattern = 0;
    for (uint32_t *word = from; word != end; word += 4) {
        wrong |= word[0] ^ (pattern += RAM_PATTERN);
        wrong |= word[1] ^ (pattern += RAM_PATTERN);
        wrong |= word[2] ^ (pattern += RAM_PATTERN);
        wrong |= word[3] ^ (pattern += RAM_PATTERN);
        word[0] = word[1] = word[2] = word[3] = 0;
    }
    failed_checks |= wrong ? CHECK_RAM : 0;
}

/* Commands. */

static void run_sync(const uint32_t *)
{
    for (uint32_t count = 1; count < SYNC_REPLIES; count++)
        reply(OK);
    request.replied = false; /* one is still to come */
}

static void run_write_reg(const uint32_t *at)
{
    uint32_t size = request.length;
    if (size > sizeof request.arguments)
        fail(BAD_DATA_LENGTH);
    for (; size >= 16; at += 4, size -= 16) {
        if (at[0] % 4)
            refuse();
        uint32_t before = at[2] == ~0u ? 0 : REGISTER(at[0]) & ~at[2];
        REGISTER(at[0]) = before | (at[1] & at[2]);
        if (at[3])
            ets_delay_us(at[3]);
    }
}

static void run_read_reg(const uint32_t *arguments)
{
    if (arguments[0] % 4)
        refuse();
    request.value = REGISTER(arguments[0]);
}

static void run_set_size(const uint32_t *arguments)
{
    flash_set_size(arguments[1]);
}

/* The size of the flash, or the CRC of the late code that has been loaded. */
static void run_setup(const uint32_t *arguments)
{
    if (arguments[0])
        memory_late(arguments[0]);
    else
        flash_set_size(arguments[1]);
}

static void run_change_baudrate(const uint32_t *arguments)
{
    if (arguments[0] == 0)
        refuse();
    reply(OK);
    uart_change_speed(arguments[0], arguments[1]);
}

/* Of all, or of each sector. */
static void run_digests(const uint32_t *arguments)
{
    uint32_t address = arguments[0], size = arguments[1], count = 1;
    if (request.command == DIGESTS) {
        count = size / SECTOR;
        size = SECTOR;
    }
    if (count - 1 >= MOST_DIGESTS)
        refuse();
    for (uint32_t left = count; left != 0; left--, address += size) {
        md5_begin();
        take(address, size, false);
        md5_end();
        if (left == count)
            reply_begin(count * sizeof digest);
        send_digest();
    }
    reply_end(OK);
}

static void run_erase_flash(const uint32_t *)
{
    write_forget();
    flash_unprotect();
    flash_erase_chip();
}

static void run_erase(const uint32_t *arguments)
{
    write_forget();
    flash_unprotect();
    flash_erase(arguments[0], arguments[1]);
}

/* In blocks, so many of which may wait to be acknowledged. */
static void run_read_flash(const uint32_t *arguments)
{
    uint32_t address = arguments[0], left = arguments[1], block = arguments[2], most = arguments[3];
    if (block - 1 >= LARGEST_DATA || most == 0)
        refuse();
    reply(OK);
    md5_begin();
    for (uint32_t waiting = 0; left != 0;) {
        uint32_t count = left < block ? left : block;
        frame_delimit();
        take(address, count, true);
        frame_delimit();
        address += count;
        left -= count;
        for (waiting++; waiting == most || (left == 0 && waiting != 0); waiting--)
            if (!frame_acknowledged())
                return;
    }
    md5_end();
    frame_delimit();
    send_digest();
    frame_delimit();
}

/* One piece, or several that lie equally far apart; all in one reply. */
static void run_read(const uint32_t *arguments)
{
    uint32_t at = arguments[0], size = arguments[1], step = arguments[2], count = arguments[3], total = 0;
    if ((at | size | step) % 4 || count > LARGEST_DATA)
        refuse();
    write_forget(); /* this uses the window */
    for (; count != 0; count--, at += step, total += size) {
        request.failed_at = at;
        if (size > LARGEST_DATA - total || !flash_has(at, size))
            refuse();
        flash_read(at, window + total, size);
    }
    request.value = arguments[0];
    reply_begin(total);
    frame_send(window, total);
    reply_end(OK);
}

static void run_info(const uint32_t *)
{
    const uint32_t info[] = {
        INFO_MAGIC, RING_BYTES, DATA_HEADER + LARGEST_DATA, flash_id(), failed_checks, receiver.overruns,
    };
    reply_begin(sizeof info);
    frame_send(info, sizeof info);
    reply_end(OK);
}

static void run_blank(const uint32_t *arguments)
{
    uint32_t sector = arguments[0], count = arguments[1] / SECTOR;
    reply_begin((count + 7) / 8);
    uint32_t bits = 0;
    for (uint32_t index = 0; index < count;) {
        if (flash_is_blank(sector))
            bits |= 1 << index % 8;
        sector += SECTOR;
        index++;
        if (index % 8 == 0 || index == count) {
            frame_send(&bits, 1);
            bits = 0;
        }
    }
    reply_end(OK);
}

/* What a command needs: so many words of data at least, and more. */
#define WORDS(needs) ((needs) & 7)
#define STREAMED 0x08 /* takes what is behind the header of its data itself, as it arrives */
#define REGION 0x10   /* address and size, in the flash */
#define ALIGNED 0x20  /* both in whole sectors */
#define LATER 0x40    /* of the late code */
#define DATA (DATA_HEADER / 4 | STREAMED)

#define COMMANDS(command)                                                                                    \
    command(FLASH_BEGIN, 4 | LATER, download_begin)                                                                  \
    command(FLASH_DATA, DATA | LATER, download_plain)                                                                \
    command(FLASH_END, 1 | LATER, download_end)                                                                      \
    command(MEM_BEGIN, 4, memory_begin)                                                                      \
    command(MEM_END, 2 | LATER, memory_end)                                                                          \
    command(MEM_DATA, DATA, memory_data)                                                                     \
    command(SYNC, 0, run_sync)                                                                               \
    command(WRITE_REG, 4, run_write_reg)                                                                     \
    command(READ_REG, 1, run_read_reg)                                                                       \
    command(SPI_SET_PARAMS, 6, run_set_size)                                                                 \
    command(SPI_ATTACH, 0, flash_start)                                                                      \
    command(CHANGE_BAUDRATE, 2, run_change_baudrate)                                                         \
    command(FLASH_DEFL_BEGIN, 4 | LATER, download_begin)                                                             \
    command(FLASH_DEFL_DATA, DATA | LATER, download_deflated)                                                        \
    command(FLASH_DEFL_END, 1 | LATER, download_end)                                                                 \
    command(SPI_FLASH_MD5, 2 | REGION, run_digests)                                                          \
    command(ERASE_FLASH, 0, run_erase_flash)                                                                 \
    command(ERASE_REGION, 2 | REGION | ALIGNED, run_erase)                                                   \
    command(READ_FLASH, 4 | REGION, run_read_flash)                                                          \
    command(INFO, 0, run_info)                                                                               \
    command(DIGESTS, 2 | REGION | ALIGNED, run_digests)                                                      \
    command(BLANK, 2 | REGION | ALIGNED, run_blank)                                                          \
    command(ERASE, 2 | REGION | ALIGNED, run_erase)                                                          \
    command(WRITE, DATA | REGION, write_frame)                                                               \
    command(READ, 4, run_read)                                                                               \
    command(SETUP, 2, run_setup)

/* Three tables, which have no gaps. */
#define CODE(code, needs, run) code,
#define NEEDS(code, needs, run) needs,
#define RUN(code, needs, run) run,
static const uint8_t command_codes[] = {COMMANDS(CODE)};
static const uint8_t command_needs[] = {COMMANDS(NEEDS)};
static void (*const command_runs[])(const uint32_t *arguments) = {COMMANDS(RUN)};

static void run_request(void)
{
    uint32_t *arguments = request.arguments;
    uint32_t size = request.received - REQUEST_HEADER, index = 0;
    if (size > DATA_HEADER)
        size = DATA_HEADER;
    /* Only a write goes on with those before it under way. */
    if (request.command != WRITE)
        write_finish();
    request.failed_at = request.value = 0;
    while (command_codes[index] != request.command)
        if (++index == sizeof command_codes) {
            frame_drop();
            fail(NOT_IMPLEMENTED);
        }
    uint32_t needs = command_needs[index];
    if (needs & LATER && !late)
        fail(NOT_IMPLEMENTED);
    request.failed_at = arguments[0];
    if (request.command >= INFO && crc32(crc32(0, &request.direction, 4), arguments, size) != request.check)
        fail(BAD_CHECKSUM);
    if (!(needs & STREAMED)) {
        frame_read(arguments + DATA_HEADER / 4, sizeof request.arguments - DATA_HEADER);
        if (!frame_is_whole())
            fail(BAD_DATA_LENGTH);
    }
    if (request.received < REQUEST_HEADER + 4 * WORDS(needs))
        fail(BAD_DATA_LENGTH);
    if (request.deferred) {
        enum error error = request.deferred;
        request.deferred = OK;
        request.failed_at = request.deferred_at;
        fail(error);
    }
    if ((needs & ALIGNED && (arguments[0] | arguments[1]) % SECTOR) ||
        (needs & REGION && !flash_has(arguments[0], arguments[1])))
        refuse();
    command_runs[index](arguments);
    if (!request.replied)
        reply(OK);
}

/* Not in one function with the place that failures come back to, which would keep nothing in registers. */
[[gnu::noinline]] static _Noreturn void serve(void)
{
    for (;;) {
        if (!request.pending)
            request_wait();
        request.pending = false;
        run_request();
    }
}

void start(void)
{
    /* It would reset the chip in the middle of an erase. */
    ets_wdt_disable();
    check_ram(bss_start, bss_end);
    check_ram(tables_start, tables_end);
    crc32_start();
    write_forget();
    flash_start(0);
    frame_start();
    frame_delimit();
    frame_send("OHAI", 4);
    frame_delimit();
    __builtin_setjmp(command_loop);
    serve();
}
