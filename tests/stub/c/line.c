/* The framing on its own: the line is a job, and an answer is the line. */
#include "frame.h"
#include "job.h"
#include "uart.h"

enum { RECEIVE, SEND };

#define RESULT_BYTES 0x8000
#define MOST_AT_ONCE 64
#define LAST_COMMAND 0xFE
#define LAST_CHECK 0x5AFE5AFE

struct receiver receiver;

static uint32_t result[RESULT_BYTES / 4];
static uint8_t *written;
static const uint8_t *line, *line_end;

/* What has arrived, in pieces, and then a request behind which nothing follows. */
uint8_t *uart_arrived(uint8_t *from)
{
    static const uint8_t last[] = {SLIP_END, 0, LAST_COMMAND, 0, 0, 0xFE, 0x5A, 0xFE, 0x5A, SLIP_END};
    static uint32_t pieces;
    if (receiver.write != from)
        return receiver.write;
    if (line == line_end) {
        line = last;
        line_end = last + sizeof last;
    }
    for (uint32_t count = ++pieces % MOST_AT_ONCE + 1; count != 0 && line != line_end; count--)
        *receiver.write++ = *line++;
    return receiver.write;
}

void uart_start(void)
{
    receiver.write = receiver.ring;
}

void uart_send(uint32_t byte)
{
    *written++ = byte;
}

static void put(uint32_t word)
{
    *(uint32_t *)written = word;
    written += 4;
}

/* Every frame as: header, whether it is broken, bytes of data (as many as announced, at most), data. */
static void take_frames(void)
{
    for (;;) {
        request_wait();
        if (request.command == LAST_COMMAND && request.check == LAST_CHECK && request.length == 0) {
            frame_drop();
            return;
        }
        put(request.direction | request.command << 8 | (uint32_t)request.length << 16);
        put(request.check);
        uint32_t *state = (uint32_t *)written;
        written += 8;
        uint32_t count = request.received - REQUEST_HEADER;
        if (count > DATA_HEADER)
            count = DATA_HEADER;
        if (count > request.length)
            count = request.length;
        for (uint32_t index = 0; index < count; index++)
            written[index] = ((const uint8_t *)request.arguments)[index];
        int32_t byte;
        while (count < request.length && (byte = frame_byte()) >= 0)
            written[count++] = byte;
        written += (count + 3) & ~3u;
        state[0] = !frame_is_whole();
        state[1] = count;
    }
}

void do_job(uint32_t size)
{
    const uint8_t *data = (const uint8_t *)&job[1];
    written = (uint8_t *)result;
    line = data;
    line_end = data + size - 4;
    if (job[0] == RECEIVE) {
        frame_start();
        take_frames();
    } else {
        frame_delimit();
        frame_send(data, size - 4);
        frame_delimit();
    }
    runs[0].start = result;
    runs[0].size = written - (uint8_t *)result;
}
