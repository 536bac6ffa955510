#include "write.h"

#include "crc32.h"
#include "failure.h"
#include "flash.h"
#include "frame.h"
#include "inflate.h"
#include "window.h"

uint8_t window[WINDOW_BYTES];

static struct {
    /* The window begins with `known` bytes, which the flash has right before `known_end`. */
    uint32_t known, known_end;
    /* What of a block that was erased as a whole has not been written yet. */
    uint32_t clean, clean_end;
} state;

/* The window has been put to another use, or the flash has been written in another way. */
[[gnu::noinline]] void write_forget(void)
{
    state.known = 0;
    state.clean_end = 0;
}

/* Have the dictionary in the window, from the last frames or from the flash, and room behind it for the
 * frame.  Returns where that is. */
static uint8_t *find_dictionary(uint32_t address, uint32_t size, uint32_t frame)
{
    uint32_t known = state.known;
    state.known = 0;
    if (address != state.known_end || size > known) {
        flash_read(address - size, window, size);
    } else if (known + frame <= WINDOW_BYTES) {
        return window + known;
    } else {
        const uint32_t *from = (const uint32_t *)(window + known - size);
        for (uint32_t *to = (uint32_t *)window; to != (uint32_t *)(window + size);)
            *to++ = *from++;
    }
    return window + size;
}

static void make_room(uint32_t address, uint32_t size, uint32_t method)
{
    if (method & METHOD_ERASED)
        return;
    /* Not where this block is being written: a frame that comes again must not undo the others. */
    if (method & METHOD_WHOLE_BLOCK && address % BLOCK == 0 && address + BLOCK != state.clean_end) {
        flash_erase(address, BLOCK);
        state.clean = address;
        state.clean_end = address + BLOCK;
    }
    uint32_t end = address + ((size + SECTOR - 1) & -SECTOR);
    if (state.clean <= address && end <= state.clean_end)
        state.clean = end;
    else
        flash_erase(address, end - address);
}

static void too_much(void)
{
    fail(TOO_MUCH_DATA);
}

void write_frame(const uint32_t *arguments)
{
    uint32_t address = arguments[0], size = arguments[1], method = arguments[3];
    uint32_t dictionary = METHOD_DICTIONARY(method);
    if (address % SECTOR || size % PAGE || size - 1 >= LARGEST_DATA || METHOD(method) > METHOD_DEFLATE ||
        dictionary > LARGEST_DICTIONARY || dictionary > address)
        refuse();
    uint8_t *content = find_dictionary(address, dictionary, size);
    stream.next = frame_byte;
    stream.out = content;
    stream.window_end = window + WINDOW_BYTES;
    stream.made = dictionary;
    stream.bits = stream.bit_count = 0;
    stream.limit = dictionary + size;
    stream.full = too_much;
    request.value = request.failed_at = address;
    if (METHOD(method) == METHOD_DEFLATE)
        inflate();
    else
        inflate_stored(size);
    if (stream.made != stream.limit || stream.bit_count < 0)
        fail(NOT_ENOUGH_DATA);
    if (!frame_is_whole())
        fail(BAD_DATA_LENGTH);
    if (crc32(0, content, size) != arguments[2])
        fail(BAD_CHECKSUM);
    flash_unprotect();
    make_room(address, size, method);
    flash_program(address, content, size);
    state.known = content + size - window;
    state.known_end = address + size;
}
