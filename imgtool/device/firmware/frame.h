/* Frames: requests are read out of the ring as they arrive, replies go out byte by byte. */
#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol.h"

#define MOST_ARGUMENTS 64

/* The request that is being carried out.  Flags are words, which are shorter to get at than bytes. */
struct answer {
    uint32_t value;     /* of the reply */
    uint32_t failed_at; /* its value where the command fails */
    uint32_t replied;   /* or somebody else will */
};

struct request {
    union {
        struct answer answer;
        struct {
            uint32_t value, failed_at, replied;
        };
    };
    uint32_t pending;  /* received before its turn */
    uint32_t ended;    /* the frame */
    uint32_t received; /* of the frame's bytes, those included that are still to be read */

    /* What failed behind a reply: the next command is told. */
    enum error deferred;
    uint32_t deferred_at;

    /* The frame itself. */
    uint8_t direction;
    uint8_t command;
    uint16_t length;
    uint32_t check;
    uint32_t arguments[MOST_ARGUMENTS];
};

extern struct request request;

/* Bytes that lie in a row. */
struct stretch {
    const uint8_t *at, *end;
};

void frame_start(void);
int32_t frame_byte(void);
bool frame_stretch(struct stretch *stretch);
void frame_read(void *target, uint32_t size);
void frame_drop(void);
bool frame_is_whole(void);
bool frame_acknowledged(void);
enum error frame_error(enum error error);
void request_wait(void);

void frame_delimit(void);
void frame_send(const void *data, uint32_t size);
void frame_send_word(uint32_t word);
void frame_send_crc(void);
void reply_begin(uint32_t size);
void reply_end(enum error error);
void reply(enum error error);

#endif
