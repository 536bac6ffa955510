/* Under QEMU: jobs from standard input, answers to standard output, by the simulator's calls. */
#include "job.h"

#define CALL_EXIT 1
#define CALL_READ 3
#define CALL_WRITE 4

uint32_t job[JOB_BYTES / 4];
struct run runs[MOST_RUNS];

static uint32_t simulator_call(uint32_t call, uint32_t file, uint32_t address, uint32_t size)
{
    register uint32_t a2 __asm__("a2") = call;
    register uint32_t a3 __asm__("a3") = file;
    register uint32_t a4 __asm__("a4") = address;
    register uint32_t a5 __asm__("a5") = size;
    __asm__ volatile("simcall" : "+r"(a2), "+r"(a3) : "r"(a4), "r"(a5) : "memory");
    return a2;
}

static void read_all(void *target, uint32_t size)
{
    for (uint32_t address = (uint32_t)target; size != 0;) {
        uint32_t count = simulator_call(CALL_READ, 0, address, size);
        if (count - 1 >= size)
            simulator_call(CALL_EXIT, 0, 0, 0); /* the end of the jobs */
        address += count;
        size -= count;
    }
}

__attribute__((used, noreturn)) void main(void)
{
    for (;;) {
        static uint32_t size;
        read_all(&size, sizeof size);
        read_all(job, size);
        do_job(size);
        size = 0;
        for (uint32_t index = 0; index < MOST_RUNS; index++)
            size += runs[index].size;
        simulator_call(CALL_WRITE, 1, (uint32_t)&size, sizeof size);
        for (uint32_t index = 0; index < MOST_RUNS; index++)
            if (runs[index].size)
                simulator_call(CALL_WRITE, 1, (uint32_t)runs[index].start, runs[index].size);
    }
}
