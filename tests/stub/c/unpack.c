/* Inflate and CRC-32 on their own. */
#include "crc32.h"
#include "failure.h"
#include "inflate.h"
#include "job.h"
#include "window.h"

enum { LOAD, INFLATE, CRC };

/* Where nothing may be written on either side: see part.ld. */
__attribute__((used, section(".bss.window"))) uint8_t window[WINDOW_BYTES + SLACK];

#define PIECES 128 /* bytes, at most */

static uint32_t piece, pieces, room, counted, answer[3];
static const uint8_t *input, *input_end;

static uint32_t least(uint32_t one, uint32_t other)
{
    return one < other ? one : other;
}

/* In pieces, the first of which are small. */
static bool more(struct stretch *stretch)
{
    if (input == input_end)
        return false;
    stretch->at = input;
    input += least(++pieces % PIECES, input_end - input - 1) + 1;
    stretch->end = input;
    return true;
}

/* Add to the digest what has been made since the last time. */
static void count(void)
{
    uint32_t fresh = stream.made - counted;
    uint32_t place = stream.out - window, size = stream.window_end - window;
    uint32_t start = place >= fresh ? place - fresh : place + size - fresh;
    uint32_t first = least(fresh, size - start);
    answer[1] = crc32(answer[1], window + start, first);
    answer[1] = crc32(answer[1], window, fresh - first);
    answer[2] += fresh;
    counted = stream.made;
}

static void make_room(void)
{
    count();
    if (answer[2] > room)
        fail(TOO_MUCH_DATA);
    stream.limit = stream.made + least(piece, room - answer[2]);
}

/* arguments: place in the window, bytes that are there before it, the window's size, room, bytes at a time */
static void run_inflate(const uint32_t *arguments)
{
    room = arguments[3];
    piece = arguments[4];
    inflate_begin(more, arguments[1]);
    stream.full = make_room;
    stream.window_end = window + arguments[2];
    stream.out = window + arguments[0];
    stream.limit = counted = arguments[1];
    pieces = 0;
    answer[0] = guard(inflate);
    count();
    /* What has come last, the oldest of it first. */
    uint32_t place = stream.out - window, kept = least(answer[2], arguments[2]);
    uint32_t behind = kept > place ? kept - place : 0;
    runs[1].start = stream.window_end - behind;
    runs[1].size = behind;
    runs[2].start = stream.out - (kept - behind);
    runs[2].size = kept - behind;
}

void do_job(uint32_t size)
{
    const uint8_t *end = (const uint8_t *)job + size;
    crc32_start();
    answer[0] = answer[1] = answer[2] = 0;
    runs[0].start = answer;
    runs[0].size = sizeof answer;
    runs[1].size = runs[2].size = 0;
    input_end = end;
    switch (job[0]) {
    case LOAD:
        for (const uint8_t *from = (const uint8_t *)&job[2]; from != end; from++)
            window[job[1]++] = *from;
        break;
    case INFLATE:
        input = (const uint8_t *)&job[6];
        run_inflate(&job[1]);
        break;
    default:
        /* From an odd address, if one is wanted. */
        input = (const uint8_t *)&job[3] + job[2];
        answer[0] = crc32(job[1], input, end - input);
    }
}
