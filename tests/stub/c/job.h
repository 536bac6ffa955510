/* What a part of the stub is asked by a test: bytes in, a few runs of bytes out. */
#ifndef JOB_H
#define JOB_H

#include <stdint.h>

#define JOB_BYTES 0x4400
#define MOST_RUNS 3

struct run {
    const void *start;
    uint32_t size;
};

extern uint32_t job[JOB_BYTES / 4];
extern struct run runs[MOST_RUNS];

/* Do the job, which has this many bytes; the answer is in `runs`. */
void do_job(uint32_t size);

/* Call a function; the error that it failed with, or 0. */
uint32_t guard(void (*function)(void));

#endif
