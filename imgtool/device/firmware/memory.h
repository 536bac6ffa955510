/* Programs that are loaded into RAM and run. */
#ifndef MEMORY_H
#define MEMORY_H

#include <stdint.h>

void memory_begin(const uint32_t *arguments);
void memory_data(const uint32_t *arguments);
void memory_end(const uint32_t *arguments);

#endif
