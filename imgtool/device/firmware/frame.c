#include "frame.h"

#include "crc32.h"
#include "inflate.h"
#include "uart.h"

/* Added to the length of a frame with a bad escape, so that it is none that can be. */
#define DAMAGED 0x4000

struct request request;

/* Of the frame that is being sent. */
static uint32_t crc;

/* What has arrived of the frame and is not read yet, and the place in the ring behind it. */
static struct stretch arrived;
static uint8_t *place;
/* Whether the last byte before that place was the first half of an escape. */
static uint32_t escaped;

/* Listen to the line: nothing has been received yet. */
void frame_start(void)
{
    arrived.at = arrived.end = place = receiver.ring;
    request.ended = true;
    uart_start();
}

/* Wait for more of the frame, as it lies in the ring: an escaped byte is put where its second half was. */
static bool arrive(void)
{
    while (!request.ended) {
        uint8_t *from = place, *end = uart_arrived(from), *to = from;
        if (escaped) {
            escaped = false;
            if (*to == SLIP_ESC_END) {
                *to++ = SLIP_END;
            } else if (*to == SLIP_ESC_ESC) {
                *to++ = SLIP_ESC;
            } else if (*to != SLIP_END) {
                request.received += DAMAGED;
                to++;
            }
        }
        while (to != end && *to != SLIP_END && *to != SLIP_ESC)
            to++;
        arrived.at = from;
        arrived.end = to;
        request.received += to - from;
        if (to != end) {
            /* Frames are delimited on both sides: an empty one is none. */
            if (*to == SLIP_END)
                request.ended = request.received != 0;
            else
                escaped = true;
            to++;
        }
        place = to == receiver.ring + RING_SIZE ? receiver.ring : to;
        if (arrived.end != from)
            return true;
    }
    return false;
}

/* What there is of the frame; waits for some.  It may be looked at until more is asked for. */
bool frame_stretch(struct stretch *stretch)
{
    if (arrived.at == arrived.end && !arrive())
        return false;
    *stretch = arrived;
    arrived.at = arrived.end;
    return true;
}

/* The next byte of the frame, which is waited for, or END_OF_INPUT. */
int32_t frame_byte(void)
{
    return arrived.at != arrived.end || arrive() ? *arrived.at++ : END_OF_INPUT;
}

/* As many bytes as there are, `size` at most. */
void frame_read(void *target, uint32_t size)
{
    uint8_t *to = target;
    int32_t byte;
    while (size-- != 0 && (byte = frame_byte()) >= 0)
        *to++ = byte;
}

/* The rest of the frame. */
void frame_drop(void)
{
    do
        arrived.at = arrived.end;
    while (arrive());
}

/* What is left of the frame before is of no use. */
static void frame_begin(void)
{
    frame_drop();
    request.ended = false;
    request.received = 0;
}

/* Wait for the end of the frame, and say whether it was as long as it said. */
bool frame_is_whole(void)
{
    frame_drop();
    return request.received == (uint32_t)REQUEST_HEADER + request.length;
}

/* What the host is told of an error: where the frame has come broken, that. */
enum error frame_error(enum error error)
{
    return frame_is_whole() ? error : BAD_DATA_LENGTH;
}

/* The next request, as far as the header of its data; what is none is dropped. */
void request_wait(void)
{
    do {
        frame_begin();
        frame_read(&request.direction, REQUEST_HEADER + DATA_HEADER);
    } while (request.received < REQUEST_HEADER || request.direction != 0);
    request.replied = false;
}

/* Wait for a frame that is no request, but acknowledges a block that has been read. */
bool frame_acknowledged(void)
{
    uint32_t taken;
    frame_begin();
    frame_read(&taken, sizeof taken);
    frame_drop();
    return request.received == sizeof taken;
}

void frame_delimit(void)
{
    crc = 0;
    uart_send(SLIP_END);
}

void frame_send(const void *data, uint32_t size)
{
    crc = crc32(crc, data, size);
    for (const uint8_t *from = data; size != 0; size--) {
        uint32_t byte = *from++;
        if (byte == SLIP_END || byte == SLIP_ESC) {
            uart_send(SLIP_ESC);
            byte = byte == SLIP_END ? SLIP_ESC_END : SLIP_ESC_ESC;
        }
        uart_send(byte);
    }
}

void frame_send_word(uint32_t word)
{
    frame_send(&word, sizeof word);
}

void frame_send_crc(void)
{
    frame_send_word(crc);
}

/* A reply with `size` bytes of data, which the caller sends before it ends the reply. */
void reply_begin(uint32_t size)
{
    size += request.command >= INFO ? STATUS + CHECK : STATUS;
    const uint32_t head[] = {1 | request.command << 8 | size << 16, request.value};
    frame_delimit();
    frame_send(head, sizeof head);
}

void reply_end(enum error error)
{
    request.replied = true;
    frame_send(&error, STATUS);
    if (request.command >= INFO)
        frame_send_crc();
    frame_delimit();
}

void reply(enum error error)
{
    reply_begin(0);
    reply_end(error);
}
