/* WRITE: frames that carry their own address, and change nothing before their content is proved whole. */
#ifndef WRITE_H
#define WRITE_H

#include <stdint.h>

void write_frame(const uint32_t *arguments);
void write_forget(void);

#endif
