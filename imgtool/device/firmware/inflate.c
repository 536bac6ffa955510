#include "inflate.h"

#include <stdbool.h>

#include "failure.h"
#include "memory.h"
#include "window.h"

#define LONGEST_CODE 15
#define ENOUGH_BITS 16 /* for any code, and for any bits behind one */
#define MOST_BITS 24   /* to which eight may be added */
#define LITERAL_BITS 10
#define DISTANCE_BITS 8
#define LENGTH_BITS 7 /* all that codes of lengths have */
#define LITERALS 288
#define DISTANCES 32
#define MOST_LITERALS 286
#define MOST_DISTANCES 30
#define LENGTH_CODES 19
#define END_OF_BLOCK 256
#define FIRST_LENGTH 257
#define LONGEST_MATCH_SYMBOL 285
#define SHORTEST_MATCH 3

/* What a code stands for: how many bits it has, how many follow it, and the value that those are added to.  0
 * where that is nothing, or not known. */
#define ENTRY(value, extra) ((value) << 8 | (extra) << 4)
#define CODE_BITS(entry) ((entry) & 0xF)
#define EXTRA_BITS(entry) ((entry) >> 4 & 0xF)
#define VALUE(entry) ((entry) >> 8 & 0xFFFF)
#define IS_LENGTH (1u << 30)
#define IS_LITERAL (1u << 31)

enum block { STORED, FIXED, DYNAMIC };

/* A canonical code: how many symbols have a code of each length, the symbols in their codes' order, and what
 * the next `bits` bits stand for, where they are a whole code. */
struct code {
    uint32_t bits;
    uint32_t *table;
    uint32_t (*meaning)(uint32_t symbol);
    uint16_t count[LONGEST_CODE + 1];
    uint16_t symbols[LITERALS];
};

struct stream stream;

IN_IRAM static uint32_t literal_table[1 << LITERAL_BITS];
IN_IRAM static uint32_t distance_table[1 << DISTANCE_BITS];
static struct code literal_code, distance_code;
static uint8_t lengths[LITERALS + DISTANCES];

static _Noreturn void damaged(void)
{
    fail(stream.bit_count < 0 ? NOT_ENOUGH_DATA : INFLATE_FAILED);
}

/* The window, its end and what is in it are the caller's; so is the limit. */
void inflate_begin(bool (*more)(struct stretch *input), uint32_t made)
{
    stream.more = more;
    stream.input.at = stream.input.end;
    stream.made = made;
    stream.bits = stream.bit_count = 0;
}

/* Take so many bits off.  More than there are leaves a count below zero, which fetch() looks at. */
[[gnu::always_inline]] static inline void drop(uint32_t count)
{
    stream.bits >>= count;
    stream.bit_count -= count;
}

static bool has_input(void)
{
    return stream.input.at != stream.input.end || stream.more(&stream.input);
}

/* Have as many bits as anything takes, unless the input has ended. */
LATE static void fill(void)
{
    if (stream.bit_count >= ENOUGH_BITS)
        return;
    while (stream.bit_count <= MOST_BITS) {
        if (!has_input()) {
            if (stream.bit_count < 0)
                damaged();
            return;
        }
        stream.bits |= *stream.input.at++ << stream.bit_count;
        stream.bit_count += 8;
    }
}

/* Up to 16 bits. */
LATE uint32_t inflate_bits(uint32_t count)
{
    fill();
    uint32_t value = stream.bits & ((1u << count) - 1);
    drop(count);
    return value;
}

static void put(uint32_t byte)
{
    *stream.out++ = byte;
    stream.made++;
}

/* Go round at the window's end, and tell when the limit is passed. */
static void make_room(void)
{
    uint8_t *out = stream.out, *to = window;
    if (out >= stream.window_end) {
        for (const uint8_t *from = stream.window_end; from != out; from++)
            *to++ = *from;
        stream.out = to;
    }
    if (stream.made > stream.limit)
        stream.full();
}

/* Where output has to stop, so that make_room() is called. */
static uint8_t *find_stop(void)
{
    uint8_t *stop = stream.out + (stream.limit - stream.made) + 1;
    return stop < stream.window_end ? stop : stream.window_end;
}

/* Lengths and distances come in groups of 1 << `group` symbols, each group with one more bit to follow. */
[[gnu::section(".late.text")]] static uint32_t in_groups(uint32_t symbol, uint32_t group, uint32_t first)
{
    uint32_t size = 1 << group;
    if (symbol < 2 * size)
        return ENTRY(first + symbol, 0);
    uint32_t extra = (symbol >> group) - 1;
    return ENTRY(first + ((size + (symbol & (size - 1))) << extra), extra);
}

[[gnu::section(".late.text")]] static uint32_t literal_or_length(uint32_t symbol)
{
    if (symbol < END_OF_BLOCK)
        return IS_LITERAL | ENTRY(symbol, 0);
    if (symbol < LONGEST_MATCH_SYMBOL)
        return symbol == END_OF_BLOCK ? ENTRY(1, 0) : IS_LENGTH | in_groups(symbol - FIRST_LENGTH, 2, SHORTEST_MATCH);
    return symbol == LONGEST_MATCH_SYMBOL ? IS_LENGTH | ENTRY(LONGEST_MATCH, 0) : 0;
}

[[gnu::section(".late.text")]] static uint32_t distance_of(uint32_t symbol)
{
    return symbol < MOST_DISTANCES ? in_groups(symbol, 1, 1) : 0;
}

[[gnu::section(".late.text")]] static uint32_t length_of(uint32_t symbol)
{
    return IS_LITERAL | ENTRY(symbol, 0);
}

/* What all short codes mean.  Codes are in the order of their bits, the first of which is the highest there and
 * the lowest here. */
[[gnu::section(".late.text")]] static void make_table(const struct code *code)
{
    const uint16_t *symbols = code->symbols;
    uint32_t *table = code->table;
    table[0] = 0;
    for (uint32_t length = 1, size = 1, place = 0; length <= code->bits; length++) {
        /* Whatever follows a shorter code, it is that code. */
        for (uint32_t *from = table, *to = table + size; from != table + size;)
            *to++ = *from++;
        size *= 2;
        for (uint32_t count = code->count[length]; count != 0; count--) {
            uint32_t meaning = code->meaning(*symbols++);
            table[place] = meaning ? meaning | length : 0;
            uint32_t bit = size / 2;
            for (; place & bit; bit >>= 1)
                place ^= bit;
            place |= bit;
        }
    }
}

/* Make the canonical code of these lengths.  As zlib has it, a code has to be complete; only a single code of
 * one bit, or none at all, may stand for a set of distances. */
[[gnu::section(".late.text")]] static void make_code(struct code *code, const uint8_t *length, uint32_t symbols, bool may_be_single)
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
    make_table(code);
}

[[gnu::section(".late.text")]] static void make_literals(uint32_t symbols, bool may_be_single)
{
    literal_code.table = literal_table;
    literal_code.bits = LITERAL_BITS;
    literal_code.meaning = literal_or_length;
    make_code(&literal_code, lengths, symbols, may_be_single);
}

[[gnu::section(".late.text")]] static void make_distances(uint32_t literals, uint32_t symbols)
{
    distance_code.table = distance_table;
    distance_code.bits = DISTANCE_BITS;
    distance_code.meaning = distance_of;
    make_code(&distance_code, lengths + literals, symbols, true);
}

/* A long code, bit by bit: among the codes of each length, `index` is that of the bits so far. */
[[gnu::section(".late.text")]] static uint32_t find_long(const struct code *code)
{
    const uint16_t *symbols = code->symbols;
    uint32_t bits = stream.bits, index = 0;
    for (uint32_t length = 1; length <= LONGEST_CODE; length++) {
        uint32_t count = code->count[length];
        index = 2 * index + (bits & 1);
        bits >>= 1;
        if (index < count) {
            uint32_t meaning = code->meaning(symbols[index]);
            if (meaning == 0)
                break;
            return meaning | length;
        }
        index -= count;
        symbols += count;
    }
    damaged();
}

/* What the next code means. */
[[gnu::section(".late.text")]] static uint32_t next_entry(const struct code *code)
{
    fill();
    uint32_t entry = code->table[stream.bits & ((1u << code->bits) - 1)];
    if (entry == 0)
        entry = find_long(code);
    drop(CODE_BITS(entry));
    return entry;
}

[[gnu::section(".late.text")]] static uint32_t with_extra_bits(uint32_t entry)
{
    return VALUE(entry) + inflate_bits(EXTRA_BITS(entry));
}

/* Not further than to the window's end and what lies behind that. */
[[gnu::section(".late.text")]] static void copy_match(uint32_t length, uint32_t distance)
{
    if (distance > stream.made)
        damaged();
    const uint8_t *from = stream.out - distance, *around = 0;
    if (from < window) {
        around = stream.window_end;
        from += around - window;
    }
    while (length-- != 0) {
        put(*from++);
        if (from == around)
            from = window;
    }
}

/* As long as there are input and room, and short codes: all that is done often, without a call.  Returns the
 * length of a match whose distance is still to come, or 0. */
LATE static uint32_t decode(void)
{
    const uint8_t *in = stream.input.at, *in_end = stream.input.end;
    uint32_t bits = stream.bits, length = 0;
    int32_t count = stream.bit_count;
    uint8_t *out = stream.out;
    const uint8_t *first = out - stream.made, *stop = find_stop();
    while (out < stop) {
        if (count < ENOUGH_BITS)
            for (; count <= MOST_BITS; count += 8) {
                if (in == in_end)
                    goto done;
                bits |= *in++ << count;
            }
        uint32_t entry = literal_table[bits % (1 << LITERAL_BITS)], shifted = bits >> CODE_BITS(entry);
        if (entry & IS_LITERAL) {
            bits = shifted;
            count -= CODE_BITS(entry);
            *out++ = entry >> 8;
            continue;
        }
        if (!(entry & IS_LENGTH))
            break;
        length = VALUE(entry) + (shifted & ((1u << EXTRA_BITS(entry)) - 1));
        bits = shifted >> EXTRA_BITS(entry);
        count -= CODE_BITS(entry) + EXTRA_BITS(entry);
        /* A distance takes 21 bits at the most. */
        for (; count <= MOST_BITS; count += 8) {
            if (in == in_end)
                goto done;
            bits |= *in++ << count;
        }
        entry = distance_table[bits % (1 << DISTANCE_BITS)];
        shifted = bits >> CODE_BITS(entry);
        const uint8_t *from = out - VALUE(entry) - (shifted & ((1u << EXTRA_BITS(entry)) - 1)), *around = 0;
        if (entry == 0 || from < first)
            break;
        bits = shifted >> EXTRA_BITS(entry);
        count -= CODE_BITS(entry) + EXTRA_BITS(entry);
        if (from < window) {
            around = stream.window_end;
            from += around - window;
        }
        do {
            *out++ = *from++;
            if (from == around)
                from = window;
        } while (--length != 0);
    }
done:
    stream.input.at = in;
    stream.bits = bits;
    stream.bit_count = count;
    stream.made = out - first;
    stream.out = out;
    return length;
}

[[gnu::section(".late.text")]] static void compressed_block(void)
{
    for (;;) {
        uint32_t length = decode();
        make_room();
        if (length == 0) {
            uint32_t entry = next_entry(&literal_code);
            if (entry & IS_LITERAL) {
                put(VALUE(entry));
                continue;
            }
            if (!(entry & IS_LENGTH))
                return;
            length = with_extra_bits(entry);
        }
        copy_match(length, with_extra_bits(next_entry(&distance_code)));
    }
}

/* Bytes as they are. */
void inflate_stored(uint32_t size)
{
    for (; size != 0 && stream.bit_count > 0; size--) {
        put(stream.bits);
        drop(8);
    }
    for (;;) {
        make_room();
        if (size == 0)
            return;
        if (!has_input())
            fail(NOT_ENOUGH_DATA);
        const uint8_t *in = stream.input.at;
        uint8_t *out = stream.out, *stop = find_stop();
        if (stop > out + size)
            stop = out + size;
        if (stop - out > stream.input.end - in)
            stop = out + (stream.input.end - in);
        stream.input.at += stop - out;
        size -= stop - out;
        stream.made += stop - out;
        while (out != stop)
            *out++ = *in++;
        stream.out = out;
    }
}

[[gnu::section(".late.text")]] static void stored_block(void)
{
    drop(stream.bit_count % 8);
    uint32_t size = inflate_bits(16);
    if ((size ^ inflate_bits(16)) != 0xFFFF)
        damaged();
    inflate_stored(size);
}

LATE static uint8_t *repeat(uint8_t *at, uint32_t length, uint32_t times)
{
    while (times-- != 0)
        *at++ = length;
    return at;
}

[[gnu::section(".late.text")]] static void fixed_codes(void)
{
    uint8_t *at = repeat(lengths, 8, 144);
    at = repeat(at, 9, 112);
    at = repeat(at, 7, 24);
    at = repeat(at, 8, 8);
    repeat(at, 5, DISTANCES);
    make_literals(LITERALS, false);
    make_distances(LITERALS, DISTANCES);
}

[[gnu::section(".late.text")]] static void dynamic_codes(void)
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
    /* In the place of the distances' code, which comes last. */
    distance_code.table = distance_table;
    distance_code.bits = LENGTH_BITS;
    distance_code.meaning = length_of;
    make_code(&distance_code, lengths, LENGTH_CODES, false);
    uint8_t *at = lengths, *end = lengths + literals + distances;
    while (at != end) {
        uint32_t length = VALUE(next_entry(&distance_code)), times = 1;
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
    make_literals(literals, true);
    make_distances(literals, distances);
}

LATE void inflate(void)
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
    make_room();
    if (stream.bit_count < 0)
        damaged();
}
