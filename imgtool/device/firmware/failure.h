/* How commands fail: at once, from however deep, back to the command loop. */
#ifndef FAILURE_H
#define FAILURE_H

#include "protocol.h"

/* Tell the host, with `failed_at`: in the reply, or in that to the next command where it has been sent. */
_Noreturn void fail(enum error error);

/* What was asked for is out of bounds. */
_Noreturn void refuse(void);

/* Leave the command, whose host has its answer. */
_Noreturn void leave(void);

#endif
