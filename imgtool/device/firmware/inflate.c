#include "inflate.h"

#include <stdbool.h>

#include "failure.h"
#include "window.h"

#define LONGEST_CODE 15
#define ENOUGH_BITS 16
#define MOST_BITS 24 /* to which eight may be added */
#define SHORT_CODE 9
#define SHORT_CODES (1u << SHORT_CODE)
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
static uint16_t short_codes[SHORT_CODES];
static uint8_t lengths[LITERALS + DISTANCES];

static _Noreturn void damaged(void)
{
    fail(stream.bit_count < 0 ? NOT_ENOUGH_DATA : INFLATE_FAILED);
}

/* Take so many bits off.  More than there are leaves a count below zero, which fetch() looks at. */
[[gnu::always_inline]] static inline void drop(uint32_t count)
{
    stream.bits >>= count;
    stream.bit_count -= count;
}

[[gnu::noinline]] static void fetch(void)
{
    while (stream.bit_count <= MOST_BITS) {
        int32_t byte = stream.next();
        if (byte < 0) {
            if (stream.bit_count < 0)
                damaged();
            return;
        }
        stream.bits |= byte << stream.bit_count;
        stream.bit_count += 8;
    }
}

/* Have as many bits as anything takes, unless the input has ended. */
[[gnu::always_inline]] static inline void fill(void)
{
    if (stream.bit_count < ENOUGH_BITS)
        fetch();
}

/* Up to 16 bits. */
uint32_t inflate_bits(uint32_t count)
{
    fill();
    uint32_t value = stream.bits & ((1u << count) - 1);
    drop(count);
    return value;
}

static void put(uint32_t byte)
{
    uint8_t *out = stream.out;
    *out++ = byte;
    stream.made++;
    stream.out = out == stream.window_end ? window : out;
}

static void make_room(void)
{
    if (stream.made > stream.limit)
        stream.full();
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
    fill();
    const uint16_t *symbols = code->symbols;
    uint32_t bits = stream.bits, index = 0;
    for (uint32_t length = 1; length <= LONGEST_CODE; length++) {
        uint32_t count = code->count[length];
        index = 2 * index + (bits & 1);
        bits >>= 1;
        if (index < count) {
            drop(length);
            return symbols[index];
        }
        index -= count;
        symbols += count;
    }
    damaged();
}

[[gnu::noinline]] static uint8_t *repeat(uint8_t *at, uint32_t length, uint32_t times)
{
    while (times-- != 0)
        *at++ = length;
    return at;
}

/* Short codes of literals and lengths at once: what the next bits stand for, and how many of them it takes. */
static void make_short_codes(void)
{
    repeat((uint8_t *)short_codes, 0, sizeof short_codes);
    const uint16_t *symbols = literal_code.symbols;
    /* Codes are in the order of their bits, the first of which is the highest there and the lowest here. */
    uint32_t place = 0;
    for (uint32_t length = 1; length <= SHORT_CODE; length++)
        for (uint32_t count = literal_code.count[length]; count != 0; count--, symbols++)
            for (uint32_t times = SHORT_CODES >> length; times != 0; times--) {
                short_codes[place] = *symbols << 4 | length;
                uint32_t bit = SHORT_CODES / 2;
                for (; place & bit; bit >>= 1)
                    place ^= bit;
                place |= bit;
            }
}

static uint32_t next_literal(void)
{
    fill();
    uint32_t entry = short_codes[stream.bits % SHORT_CODES];
    if (entry == 0)
        return next_symbol(&literal_code);
    drop(entry & 0xF);
    return entry >> 4;
}

/* Lengths and distances come in groups of 1 << `group` symbols, each group with one more bit to follow. */
static uint32_t with_extra_bits(uint32_t symbol, uint32_t group)
{
    uint32_t size = 1 << group;
    if (symbol < 2 * size)
        return symbol;
    uint32_t extra = (symbol >> group) - 1;
    return ((size + (symbol & (size - 1))) << extra) + inflate_bits(extra);
}

static void copy_match(uint32_t length, uint32_t distance)
{
    if (distance > stream.made)
        damaged();
    const uint8_t *from = stream.out - distance;
    if (from < window)
        from += stream.window_end - window;
    while (length-- != 0) {
        put(*from++);
        if (from == stream.window_end)
            from = window;
    }
}

static void compressed_block(void)
{
    make_short_codes();
    for (;;) {
        make_room();
        uint32_t symbol = next_literal();
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
    while (size-- != 0) {
        put(inflate_bits(8));
        make_room();
    }
}

static void stored_block(void)
{
    drop(stream.bit_count % 8);
    uint32_t size = inflate_bits(16);
    if ((size ^ inflate_bits(16)) != 0xFFFF)
        damaged();
    inflate_stored(size);
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
    uint32_t literals = inflate_bits(5) + 257;
    uint32_t distances = inflate_bits(5) + 1;
    uint32_t given = inflate_bits(4) + 4;
    if (literals > MOST_LITERALS || distances > MOST_DISTANCES)
        damaged();
    for (uint32_t index = 0; index < LENGTH_CODES; index++)
        lengths[order[index]] = index < given ? inflate_bits(3) : 0;
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
                times = 3 + inflate_bits(2);
            } else if (symbol == 17) {
                times = 3 + inflate_bits(3);
            } else {
                times = 11 + inflate_bits(7);
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
    do {
        uint32_t header = inflate_bits(3), type = header >> 1;
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
    if (stream.bit_count < 0)
        damaged();
}
