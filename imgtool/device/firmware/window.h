/* The largest piece of RAM, which inflated data and received packets share. */
#ifndef WINDOW_H
#define WINDOW_H

#include <stdint.h>

#include "protocol.h"

/* WRITE needs a dictionary and a frame behind it. */
#define WINDOW_BYTES (LARGEST_DICTIONARY + LARGEST_DATA)

extern uint8_t window[WINDOW_BYTES];

/* A download in esptool's way has the window of zlib here, and its packets behind that. */
#define ZLIB_WINDOW 0x8000
#define packet_buffer (window + ZLIB_WINDOW)

#endif
