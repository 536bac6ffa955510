#include "inflate.h"

#include <stdbool.h>

#include "failure.h"
#include "window.h"

#define LONGEST_CODE 15
#define LITERALS 288
#define DISTANCES 32
#define MOST_LITERALS 286
#define MOST_DISTANCES 30
#define LENGTH_CODES 19
#define END_OF_BLOCK 256
#define FIRST_LENGTH 257
#define LONGEST_MATCH_SYMBOL 28
#define LONGEST_MATCH 258
#define SHORTEST_MATCH 3

enum block { STORED, FIXED, DYNAMIC };

/* A canonical code: how many symbols have a code of each length, and the symbols in their codes' order. */
struct code {
    uint16_t count[LONGEST_CODE + 1];
    uint16_t symbols[LITERALS];
};

struct stream stream;

static struct code literal_code, distance_code;
static uint8_t lengths[LITERALS + DISTANCES];

static _Noreturn void damaged(void)
{
    fail(INFLATE_FAILED);
}

uint32_t inflate_input(void)
{
    int32_t byte = stream.next();
    if (byte < 0)
        fail(NOT_ENOUGH_DATA);
    return byte;
}

/* Up to 16 bits. */
static uint32_t take_bits(uint32_t count)
{
    while (stream.bit_count < count) {
        stream.bits |= inflate_input() << stream.bit_count;
        stream.bit_count += 8;
    }
    uint32_t value = stream.bits & ((1u << count) - 1);
    stream.bits >>= count;
    stream.bit_count -= count;
    return value;
}

static void put(uint32_t byte)
{
    if (stream.made == stream.limit)
        stream.full();
    stream.made++;
    uint8_t *out = stream.out;
    *out++ = byte;
    stream.out = out == stream.window_end ? window : out;
}

/* Make the canonical code of these lengths.  As zlib has it, a code has to be complete; only a single code of
 * one bit, or none at all, may stand for a set of distances. */
static void make_code(struct code *code, const uint8_t *length, uint32_t symbols, bool may_be_single)
{
    uint16_t place[LONGEST_CODE + 2];
    for (uint32_t bits = 0; bits <= LONGEST_CODE; bits++)
        code->count[bits] = 0;
    for (uint32_t symbol = 0; symbol < symbols; symbol++)
        code->count[length[symbol]]++;
    int32_t left = 1;
    uint32_t used = 0;
    for (uint32_t bits = 1; bits <= LONGEST_CODE; bits++) {
        uint32_t count = code->count[bits];
        place[bits] = used;
        used += count;
        left = 2 * left - count;
        if (left < 0)
            damaged();
    }
    if (left > 0 && !(may_be_single && used == code->count[1]))
        damaged();
    for (uint32_t symbol = 0; symbol < symbols; symbol++)
        if (length[symbol] != 0)
            code->symbols[place[length[symbol]]++] = symbol;
}

/* Bit by bit: among the codes of each length, `index` is that of the bits so far. */
static uint32_t next_symbol(const struct code *code)
{
    const uint16_t *symbols = code->symbols;
    uint32_t bits = stream.bits, bit_count = stream.bit_count, index = 0;
    for (const uint16_t *count = code->count + 1; count != code->symbols; count++) {
        if (bit_count == 0) {
            bits = inflate_input();
            bit_count = 8;
        }
        index = 2 * index + (bits & 1);
        bits >>= 1;
        bit_count--;
        if (index < *count) {
            stream.bits = bits;
            stream.bit_count = bit_count;
            return symbols[index];
        }
        index -= *count;
        symbols += *count;
    }
    damaged();
}

/* Lengths and distances come in groups of 1 << `group` symbols, each group with one more bit to follow. */
static uint32_t with_extra_bits(uint32_t symbol, uint32_t group)
{
    uint32_t size = 1 << group;
    if (symbol < 2 * size)
        return symbol;
    uint32_t extra = (symbol >> group) - 1;
    return ((size + (symbol & (size - 1))) << extra) + take_bits(extra);
}

static void copy_match(uint32_t length, uint32_t distance)
{
    if (distance > stream.made)
        damaged();
    while (length-- != 0) {
        const uint8_t *from = stream.out - distance;
        if (from < window)
            from += stream.window_end - window;
        put(*from);
    }
}

static void compressed_block(void)
{
    for (;;) {
        uint32_t symbol = next_symbol(&literal_code);
        if (symbol < END_OF_BLOCK) {
            put(symbol);
            continue;
        }
        if (symbol == END_OF_BLOCK)
            return;
        symbol -= FIRST_LENGTH;
        uint32_t length = LONGEST_MATCH;
        if (symbol != LONGEST_MATCH_SYMBOL)
            length = SHORTEST_MATCH + with_extra_bits(symbol, 2);
        uint32_t distance = next_symbol(&distance_code);
        if (symbol > LONGEST_MATCH_SYMBOL || distance >= MOST_DISTANCES)
            damaged();
        copy_match(length, 1 + with_extra_bits(distance, 1));
    }
}

/* Bytes as they are. */
void inflate_stored(uint32_t size)
{
    while (size-- != 0)
        put(inflate_input());
}

static void stored_block(void)
{
    stream.bit_count = stream.bits = 0;
    uint32_t size = take_bits(16);
    if ((size ^ take_bits(16)) != 0xFFFF)
        damaged();
    inflate_stored(size);
}

[[gnu::noinline]] static uint8_t *repeat(uint8_t *at, uint32_t length, uint32_t times)
{
    while (times-- != 0)
        *at++ = length;
    return at;
}

static void fixed_codes(void)
{
    uint8_t *at = repeat(lengths, 8, 144);
    at = repeat(at, 9, 112);
    at = repeat(at, 7, 24);
    at = repeat(at, 8, 8);
    repeat(at, 5, DISTANCES);
    make_code(&literal_code, lengths, LITERALS, false);
    make_code(&distance_code, lengths + LITERALS, DISTANCES, false);
}

static void dynamic_codes(void)
{
    /* RFC 1951, 3.2.7 */
    static const uint8_t order[LENGTH_CODES] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                                11, 4,  12, 3, 13, 2, 14, 1, 15};
    uint32_t literals = take_bits(5) + 257;
    uint32_t distances = take_bits(5) + 1;
    uint32_t given = take_bits(4) + 4;
    if (literals > MOST_LITERALS || distances > MOST_DISTANCES)
        damaged();
    for (uint32_t index = 0; index < LENGTH_CODES; index++)
        lengths[order[index]] = index < given ? take_bits(3) : 0;
    make_code(&literal_code, lengths, LENGTH_CODES, false);
    uint8_t *at = lengths, *end = lengths + literals + distances;
    while (at != end) {
        uint32_t length = next_symbol(&literal_code), times = 1;
        if (length >= 16) {
            uint32_t symbol = length;
            length = 0;
            if (symbol == 16) {
                if (at == lengths)
                    damaged();
                length = at[-1];
                times = 3 + take_bits(2);
            } else if (symbol == 17) {
                times = 3 + take_bits(3);
            } else {
                times = 11 + take_bits(7);
            }
        }
        if (times > (uint32_t)(end - at))
            damaged();
        at = repeat(at, length, times);
    }
    if (lengths[END_OF_BLOCK] == 0)
        damaged();
    make_code(&literal_code, lengths, literals, true);
    make_code(&distance_code, lengths + literals, distances, true);
}

void inflate(void)
{
    uint32_t last;
    stream.bit_count = stream.bits = 0;
    do {
        uint32_t header = take_bits(3), type = header >> 1;
        last = header & 1;
        if (type == STORED) {
            stored_block();
            continue;
        }
        if (type == FIXED)
            fixed_codes();
        else if (type == DYNAMIC)
            dynamic_codes();
        else
            damaged();
        compressed_block();
    } while (!last);
}
