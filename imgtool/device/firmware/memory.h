/* RAM: what is where, and programs that are loaded into it and run. */
#ifndef MEMORY_H
#define MEMORY_H

#include <stdint.h>

/* Cleared variables in the RAM of the code, where there is more of it: words, which are all that it takes. */
#define IN_IRAM [[gnu::section(".bss.tables")]]

/* Code that is loaded when it is needed first: what is not marked so does without it. */
#define LATE [[gnu::section(".late.text"), gnu::noinline]]

/* Whether it is there. */
extern uint32_t late;

void memory_late(uint32_t crc);
void memory_begin(const uint32_t *arguments);
void memory_data(const uint32_t *arguments);
void memory_end(const uint32_t *arguments);

#endif
