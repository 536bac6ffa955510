/* The largest piece of RAM, which inflated data and received packets share. */
#ifndef WINDOW_H
#define WINDOW_H

#include <stdint.h>

#include "inflate.h"
#include "protocol.h"

/* WRITE needs a dictionary and a frame behind it. It goes round at its end, behind which there is some slack. */
#define WINDOW_BYTES (LARGEST_DICTIONARY + LARGEST_DATA)

extern uint8_t window[WINDOW_BYTES + SLACK];

/* A download in esptool's way has the window of zlib here, and its packets behind that. */
#define ZLIB_WINDOW 0x8000
#define packet_buffer (window + ZLIB_WINDOW + SLACK)

#endif
