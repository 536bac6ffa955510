/* A program for the tests of `imgtool build`: code in RAM and in flash, data, constants, memory without bytes.

   It is linked and never run.  Macros choose what differs between the tests:
     LARGE        bytes of constants in DRAM
     ODD          bytes more in every array, so that sections end between words
     NO_IROM      nothing runs from flash
     CONSTRUCTOR  a table of constructors */

typedef unsigned int word;

#ifndef LARGE
#define LARGE 200
#endif
#ifndef ODD
#define ODD 0
#endif
#ifdef NO_IROM
#define IN_FLASH
#else
#define IN_FLASH __attribute__((section(".irom0.text")))
#endif

char settings[24 + ODD] = "initialised";
const char table[LARGE + ODD] = {1, 2, 3};
static volatile word counters[64];

/* Functions with a frame each, as real code has them. */
#define STEP(name, number)                                                                                   \
    IN_FLASH __attribute__((noinline)) word name(word value) {                                               \
        volatile word steps[4] = {value, (number), counters[(number) & 63], table[(number)]};                      \
        counters[(number) & 63] = steps[value & 3] + settings[(number) & 15];                                    \
        return steps[(value + 1) & 3];                                                                       \
    }
#define STEPS(name, number)                                                                                  \
    STEP(name##a, number) STEP(name##b, number + 1) STEP(name##c, number + 2) STEP(name##d, number + 3)
STEPS(one, 0)
STEPS(two, 10)
STEPS(three, 20)
STEPS(four, 30)

#ifdef NO_IROM
const char message[] = "in DRAM";
#else
__attribute__((section(".irom.text.constants"))) const char message[9 + ODD] = "in flash";
#endif

#ifdef CONSTRUCTOR
__attribute__((constructor)) void begin(void) { counters[0] = 1; }
__attribute__((destructor)) void end(void) { counters[0] = 2; }
#endif

void start(void) {
    word value = message[0];
    for (;;) {
        value = onea(value) + twob(value) + threec(value) + fourd(value) + oneb(value);
        value += onec(value) + oned(value) + twoa(value) + twoc(value) + twod(value);
        value += threea(value) + threeb(value) + threed(value) + foura(value) + fourb(value) + fourc(value);
    }
}
