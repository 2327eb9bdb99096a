/* Decoder of DEFLATE (image/inflate.h). It takes and refuses what zlib takes and refuses, so that both readers of an image
 * agree. */
#include "image/inflate.h"

#include <string.h>

#define CODE_MOST 15 /* bits of a code */
#define FAST_BITS 10 /* codes up to this length are found by one look into a table */
#define LITERALS 288
#define LITERALS_MOST 286 /* that a block may use; the others only complete the fixed code */
#define DISTANCES 30
#define ORDERS 19
#define END_OF_BLOCK 256
#define SYMBOLS_MOST 48 /* bits of a length and a distance: 15 + 5 + 15 + 13 */

/* The input, bit by bit from the lowest. */
typedef struct bits {
    const uint8_t *at, *end;
    uint64_t buffer; /* `count` bits, the next one lowest; zero above them */
    unsigned count;
} bits;

/* A canonical code. */
typedef struct code {
    uint16_t fast[1 << FAST_BITS]; /* by the next bits: symbol << 4 | length; 0: longer, or none */
    uint16_t count[CODE_MOST + 1]; /* codes of each length */
    uint16_t symbols[LITERALS]; /* in the order of their codes */
} code;

/* At least 56 bits, or all that are left. */
static void refill(bits *in)
{
    if (in->end - in->at >= 8) {
        uint64_t next;
        memcpy(&next, in->at, sizeof next); /* x86-64: little-endian */
        unsigned bytes = (63 - in->count) / 8;
        in->buffer |= (next & (((uint64_t)1 << bytes * 8) - 1)) << in->count;
        in->at += bytes;
        in->count += bytes * 8;
        return;
    }
    while (in->count <= 56 && in->at < in->end) {
        in->buffer |= (uint64_t)*in->at++ << in->count;
        in->count += 8;
    }
}

static void drop(bits *in, unsigned count)
{
    in->buffer >>= count;
    in->count -= count;
}

/* Up to 16 bits as a number; -1 when the input ends before. */
static int take(bits *in, unsigned count)
{
    if (in->count < count)
        refill(in);
    if (in->count < count)
        return -1;
    int value = (int)(in->buffer & (((uint64_t)1 << count) - 1));
    drop(in, count);
    return value;
}

static unsigned reversed(unsigned value, unsigned length)
{
    unsigned result = 0;

    for (unsigned i = 0; i < length; i++)
        result |= (value >> i & 1) << (length - 1 - i);
    return result;
}

/* Make a code of the lengths of its symbols' codes. False when there are too many codes, or too few; unless it must be
 * `complete`, a single one of one bit or none at all are enough. */
static bool make_code(code *made, const uint8_t *lengths, unsigned count, bool complete)
{
    uint16_t next[CODE_MOST + 2] = {0}, first[CODE_MOST + 2] = {0}; /* of each length: place in symbols, code */
    int left = 1;
    unsigned longest = 0;

    memset(made->count, 0, sizeof made->count);
    memset(made->fast, 0, sizeof made->fast);
    for (unsigned i = 0; i < count; i++)
        made->count[lengths[i]]++;
    made->count[0] = 0;
    for (unsigned length = 1; length <= CODE_MOST; length++) {
        left = left * 2 - made->count[length];
        if (left < 0)
            return false;
        if (made->count[length] != 0)
            longest = length;
        next[length + 1] = next[length] + made->count[length];
        first[length + 1] = (uint16_t)((first[length] + made->count[length]) << 1);
    }
    if (left > 0 && (complete || longest > 1))
        return false;
    for (unsigned i = 0; i < count; i++) {
        unsigned length = lengths[i];
        if (length == 0)
            continue;
        made->symbols[next[length]++] = (uint16_t)i;
        unsigned number = first[length]++;
        if (length <= FAST_BITS)
            for (unsigned at = reversed(number, length); at < 1 << FAST_BITS; at += 1u << length)
                made->fast[at] = (uint16_t)(i << 4 | length);
    }
    return true;
}

/* A symbol whose code is longer than the table knows, bit by bit. */
static int slow_symbol(bits *in, const code *code)
{
    int number = 0, first = 0, index = 0;

    for (unsigned length = 1; length <= CODE_MOST && length <= in->count; length++) {
        number |= (int)(in->buffer >> (length - 1) & 1);
        int count = code->count[length];
        if (number - count < first) {
            drop(in, length);
            return code->symbols[index + (number - first)];
        }
        index += count;
        first = (first + count) << 1;
        number <<= 1;
    }
    return -1;
}

/* The next symbol; -1 when the input ends before, or no symbol has the code. */
static int symbol(bits *in, const code *code)
{
    unsigned entry = code->fast[in->buffer & ((1 << FAST_BITS) - 1)];
    unsigned length = entry & 15;

    if (length == 0)
        return slow_symbol(in, code);
    if (length > in->count)
        return -1;
    drop(in, length);
    return (int)(entry >> 4);
}

/* A block that is stored as it is; the number of bytes, or -1. */
static int64_t stored(bits *in, uint8_t *to, size_t room)
{
    drop(in, in->count % 8);
    int length = take(in, 16), complement = take(in, 16);
    if (length < 0 || complement < 0 || length != (~complement & 0xffff))
        return -1;
    in->at -= in->count / 8; /* whole bytes that were taken ahead */
    in->buffer = in->count = 0;
    if ((size_t)length > room || length > in->end - in->at)
        return -1;
    if (length > 0)
        memcpy(to, in->at, (size_t)length);
    in->at += length;
    return length;
}

/* Repeat what stands `distance` bytes before. There is room for it. */
static void repeat(uint8_t *to, size_t distance, size_t length, size_t room)
{
    const uint8_t *from = to - distance;

    if (distance < 8 || room < length + 8) {
        while (length-- > 0)
            *to++ = *from++;
        return;
    }
    for (size_t done = 0; done < length; done += 8) /* the last piece may write what comes next anyway */
        memcpy(to + done, from + done, 8);
}

/* A block of symbols, up to its end; false when it does not hold. */
static bool symbols(bits *in, const code *literals, const code *distances, uint8_t *to, size_t to_size, size_t *at)
{
    static const uint16_t length_base[]
        = {3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
    static const uint8_t length_extra[]
        = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
    static const uint16_t distance_base[] = {1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769,
        1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
    static const uint8_t distance_extra[]
        = {0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13};

    for (;;) {
        if (in->count < SYMBOLS_MOST)
            refill(in);
        int one = symbol(in, literals);
        if (one < 0)
            return false;
        if (one < END_OF_BLOCK) {
            if (*at == to_size)
                return false;
            to[(*at)++] = (uint8_t)one;
            continue;
        }
        if (one == END_OF_BLOCK)
            return true;
        one -= END_OF_BLOCK + 1;
        if (one >= LITERALS_MOST - END_OF_BLOCK - 1)
            return false;
        int extra = take(in, length_extra[one]), far = symbol(in, distances);
        if (extra < 0 || far < 0 || far >= DISTANCES)
            return false;
        int more = take(in, distance_extra[far]);
        size_t length = length_base[one] + (size_t)extra, distance = distance_base[far] + (size_t)more;
        if (more < 0 || distance > *at || length > to_size - *at)
            return false;
        repeat(to + *at, distance, length, to_size - *at);
        *at += length;
    }
}

static void fixed_codes(code *literals, code *distances)
{
    uint8_t lengths[LITERALS];

    memset(lengths, 8, 144);
    memset(lengths + 144, 9, 112);
    memset(lengths + 256, 7, 24);
    memset(lengths + 280, 8, 8);
    make_code(literals, lengths, LITERALS, true);
    memset(lengths, 5, 32); /* 30 and 31 stand for nothing */
    make_code(distances, lengths, 32, true);
}

/* The codes that a block brings along; they are coded themselves. */
static bool read_codes(bits *in, code *literals, code *distances)
{
    static const uint8_t order[ORDERS] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    uint8_t lengths[LITERALS_MOST + DISTANCES] = {0};
    int literal_count = take(in, 5), distance_count = take(in, 5), order_count = take(in, 4);

    if (order_count < 0 || (literal_count += 257) > LITERALS_MOST || ++distance_count > DISTANCES)
        return false;
    for (int i = 0; i < order_count + 4; i++) {
        int length = take(in, 3);
        if (length < 0)
            return false;
        lengths[order[i]] = (uint8_t)length;
    }
    code *of_lengths = distances; /* its place is free until then */
    if (!make_code(of_lengths, lengths, ORDERS, true))
        return false;
    memset(lengths, 0, ORDERS);
    for (int at = 0; at < literal_count + distance_count;) {
        refill(in);
        int one = symbol(in, of_lengths), times, value = 0;
        if (one < 0)
            return false;
        if (one < 16) {
            lengths[at++] = (uint8_t)one;
            continue;
        }
        if (one == 16) {
            if (at == 0)
                return false;
            value = lengths[at - 1];
        }
        times = one == 16 ? take(in, 2) + 3 : one == 17 ? take(in, 3) + 3 : take(in, 7) + 11;
        if (times < (one == 18 ? 11 : 3) || at + times > literal_count + distance_count)
            return false;
        memset(lengths + at, value, (size_t)times);
        at += times;
    }
    return lengths[END_OF_BLOCK] != 0 && make_code(literals, lengths, (unsigned)literal_count, false)
        && make_code(distances, lengths + literal_count, (unsigned)distance_count, false);
}

bool frazil_inflate(const uint8_t *from, size_t from_size, uint8_t *to, size_t to_size)
{
    code literals, distances;
    bits in = {.at = from, .end = from + from_size};
    size_t at = 0;

    for (int last = 0; !last;) {
        refill(&in);
        last = take(&in, 1);
        int kind = take(&in, 2);
        int64_t count = 0;
        switch (kind) {
        case 0:
            count = stored(&in, to + at, to_size - at);
            if (count < 0)
                return false;
            at += (size_t)count;
            continue;
        case 1:
            fixed_codes(&literals, &distances);
            break;
        case 2:
            if (!read_codes(&in, &literals, &distances))
                return false;
            break;
        default:
            return false;
        }
        if (!symbols(&in, &literals, &distances, to, to_size, &at))
            return false;
    }
    return at == to_size && in.at - in.count / 8 == in.end;
}
