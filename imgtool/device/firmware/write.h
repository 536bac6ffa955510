/* WRITE: frames that carry their own address, and change nothing before their content is proved whole. */
#ifndef WRITE_H
#define WRITE_H

#include <stdint.h>

#include "protocol.h"

void write_frame(const uint32_t *arguments);
void write_forget(void);

/* What is proved whole goes into the flash while more is received and inflated: so many frames wait. */
extern uint32_t write_jobs;

void write_go_on(void);
void write_finish(void);
void write_failed(enum error error);

#endif
