#include "write.h"

#include "crc32.h"
#include "failure.h"
#include "flash.h"
#include "frame.h"
#include "inflate.h"
#include "memory.h"
#include "window.h"

[[gnu::aligned(4)]] uint8_t window[WINDOW_BYTES + SLACK];

#define WINDOW_END (window + WINDOW_BYTES)
#define MOST_JOBS 5 /* as many as come in the time of a block's erase */

/* A frame that is proved whole, and is not in the flash yet. */
struct job {
    uint32_t address, size, method;
    const uint8_t *content; /* in the window, which it may go round in */
};

static struct {
    /* The window has `known` bytes before `out` that the flash has, or will have, right before `known_end`. */
    uint32_t known, known_end;
    uint8_t *out;
    /* What of a block that was erased as a whole has not been written yet. */
    uint32_t clean, clean_end;
} state = {.out = window};

uint32_t write_jobs;

/* Those that wait, in their order; the flash works for the first. */
static struct {
    struct job job[MOST_JOBS];
    uint32_t bytes;
    uint32_t begun;              /* the first */
    uint32_t erase, erase_end; /* what of its sectors has still to be looked at */
    uint32_t working;            /* in these lines, and in what they call */
    void *failed[5];
} jobs;

/* The window has been put to another use, or the flash has been written in another way. */
[[gnu::noinline]] void write_forget(void)
{
    state.known = 0;
    state.clean_end = 0;
}

/* Find what has to be erased for a frame. */
static void begin(const struct job *job)
{
    uint32_t address = job->address, end = address + ((job->size + SECTOR - 1) & -SECTOR);
    jobs.begun = true;
    jobs.erase = jobs.erase_end = address;
    flash_unprotect();
    if (job->method & METHOD_ERASED)
        return;
    /* Not where this block is being written: a frame that comes again must not undo the others. */
    if (job->method & METHOD_WHOLE_BLOCK && address % BLOCK == 0 && address + BLOCK != state.clean_end) {
        jobs.erase_end = address + BLOCK;
        state.clean = end;
        state.clean_end = address + BLOCK;
    } else if (state.clean <= address && end <= state.clean_end) {
        state.clean = end;
    } else {
        jobs.erase_end = end;
    }
}

/* How much of what begins there lies before the window's end, and so in a row. */
static uint32_t before_the_end(const uint8_t *content, uint32_t size)
{
    uint32_t before = WINDOW_END - content;
    return before < size ? before : size;
}

static void program(const struct job *job)
{
    uint32_t before = before_the_end(job->content, job->size);
    flash_program(job->address, job->content, before);
    flash_program(job->address + before, window, job->size - before);
}

/* The next thing for the first frame, if the flash is ready for it; whether that was the last. */
static bool work(void)
{
    const struct job *job = jobs.job;
    request.failed_at = job->address;
    while (!flash_is_busy()) {
        if (!jobs.begun)
            begin(job);
        if (jobs.erase == jobs.erase_end) {
            program(job);
            return true;
        }
        jobs.erase += flash_erase_begin(jobs.erase, jobs.erase_end - jobs.erase);
    }
    return false;
}

/* Tell the host what became of the first frame. */
static void answer(enum error error)
{
    request.value = error ? request.failed_at : jobs.job[0].address;
    reply(error);
    if (error)
        state.clean_end = 0; /* it may not be clean */
    jobs.begun = false;
    jobs.bytes -= jobs.job[0].size;
    write_jobs--;
    for (uint32_t index = 0; index < write_jobs; index++)
        jobs.job[index] = jobs.job[index + 1];
}

/* Not in one function with the place that failures come back to, which would keep nothing in registers. */
[[gnu::noinline]] static void work_on(void)
{
    if (work())
        answer(OK);
}

/* A failure of what was done for a frame is its answer, whatever is received at the time.  Returns where it was
 * done for something else. */
void write_failed(enum error error)
{
    if (!jobs.working)
        return;
    answer(error);
    __builtin_longjmp(jobs.failed, 1);
}

/* Do what the flash is ready for, where frames wait.  In the middle of another request, of which nothing is lost. */
void write_go_on(void)
{
    static struct answer other;
    static uint8_t command;
    other = request.answer;
    command = request.command;
    request.command = WRITE;
    jobs.working = true;
    if (__builtin_setjmp(jobs.failed) == 0)
        work_on();
    jobs.working = false;
    request.command = command;
    request.answer = other;
}

/* Answers come in the order of the requests, and what else uses the flash or the window waits. */
[[gnu::noinline]] void write_finish(void)
{
    while (write_jobs != 0)
        write_go_on();
}

/* Have the dictionary before `out`, from the last frames or from the flash.  Returns how much is known there. */
static uint32_t find_dictionary(uint32_t address, uint32_t size)
{
    uint32_t known = address == state.known_end ? state.known : 0;
    if (size <= known)
        return known;
    write_finish();
    flash_read(address - size, window, size);
    state.out = window + size;
    return size;
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
    uint32_t known = find_dictionary(address, dictionary);
    state.known = 0;
    /* What waits must not be overwritten. */
    while (write_jobs == MOST_JOBS || jobs.bytes + size + LONGEST_MATCH > WINDOW_BYTES)
        write_go_on();
    uint8_t *content = state.out;
    inflate_begin(frame_stretch, dictionary);
    stream.out = content;
    stream.window_end = WINDOW_END;
    stream.limit = dictionary + size;
    stream.full = too_much;
    request.failed_at = address;
    if (METHOD(method) == METHOD_DEFLATE && !late)
        fail(NOT_IMPLEMENTED);
    if (METHOD(method) == METHOD_DEFLATE)
        inflate();
    else
        inflate_stored(size);
    if (stream.made != stream.limit)
        fail(NOT_ENOUGH_DATA);
    if (!frame_is_whole())
        fail(BAD_DATA_LENGTH);
    uint32_t before = before_the_end(content, size);
    if (crc32(crc32(0, content, before), window, size - before) != arguments[2])
        fail(BAD_CHECKSUM);
    state.out = stream.out;
    state.known = known + size < LARGEST_DICTIONARY ? known + size : LARGEST_DICTIONARY;
    state.known_end = address + size;
    jobs.job[write_jobs++] = (struct job){address, size, method, content};
    jobs.bytes += size;
    request.replied = true;
    write_go_on();
}
