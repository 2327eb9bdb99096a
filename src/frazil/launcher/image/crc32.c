/* CRC-32 by slicing-by-8, and by carry-less multiplication where the processor has it (Gopal et al., "Fast CRC Computation
 * for Generic Polynomials Using PCLMULQDQ Instruction", Intel 2009; the constants are x^n mod P, bit-reflected). */
#include "image/crc32.h"

#include <stdbool.h>
#include <string.h>

#define POLYNOMIAL 0xEDB88320u

/* table[k][b] is the CRC of byte b followed by k zero bytes. Made at build time would be 8 KiB of source; made at first use it
 * costs 5 microseconds, and racing threads write the same values. */
static uint32_t table[8][256];
static int table_ready;

static void make_table(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
        table[0][byte] = crc;
    }
    for (int slice = 1; slice < 8; slice++)
        for (int byte = 0; byte < 256; byte++)
            table[slice][byte] = (table[slice - 1][byte] >> 8) ^ table[0][table[slice - 1][byte] & 0xFF];
    __atomic_store_n(&table_ready, 1, __ATOMIC_RELEASE);
}

/* For what is left over by wider steps: a table for so little would cost more. */
static uint32_t update_by_bit(uint32_t crc, const uint8_t *at, size_t size)
{
    while (size--) {
        crc ^= *at++;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
    }
    return crc;
}

static uint32_t update_by_table(uint32_t crc, const uint8_t *at, size_t size)
{
    if (!__atomic_load_n(&table_ready, __ATOMIC_ACQUIRE)) {
        if (size < 16)
            return update_by_bit(crc, at, size);
        make_table();
    }
    for (; size >= 8; size -= 8, at += 8) {
        uint32_t low, high;
        memcpy(&low, at, 4);
        memcpy(&high, at + 4, 4);
        low ^= crc;
        crc = table[7][low & 0xFF] ^ table[6][(low >> 8) & 0xFF] ^ table[5][(low >> 16) & 0xFF] ^ table[4][low >> 24]
            ^ table[3][high & 0xFF] ^ table[2][(high >> 8) & 0xFF] ^ table[1][(high >> 16) & 0xFF] ^ table[0][high >> 24];
    }
    while (size--)
        crc = (crc >> 8) ^ table[0][(crc ^ *at++) & 0xFF];
    return crc;
}

uint32_t frazil_crc32_portable(uint32_t crc, const void *data, size_t size)
{
    return ~update_by_table(~crc, data, size);
}

#if defined(__x86_64__)
#include <immintrin.h>

#include "image/processor.h"

#define CLMUL __attribute__((target("pclmul,sse4.1")))

CLMUL static __m128i fold(__m128i value, __m128i next, __m128i by)
{
    __m128i low = _mm_clmulepi64_si128(value, by, 0x00);
    __m128i high = _mm_clmulepi64_si128(value, by, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

/* What follows the value, `size` bytes, a multiple of 16; then 128 bits to 64, 64 to 32, then Barrett reduction. */
CLMUL static uint32_t finish(__m128i value, const uint8_t *at, size_t size)
{
    const __m128i by_16 = _mm_set_epi64x(0x00CCAA009E, 0x01751997D0);
    const __m128i by_4 = _mm_set_epi64x(0, 0x0163CD6124);
    const __m128i barrett = _mm_set_epi64x(0x01F7011641, 0x01DB710641);
    const __m128i low_32 = _mm_setr_epi32(-1, 0, -1, 0);

    for (; size >= 16; at += 16, size -= 16)
        value = fold(value, _mm_loadu_si128((const __m128i *)at), by_16);
    value = _mm_xor_si128(_mm_srli_si128(value, 8), _mm_clmulepi64_si128(value, by_16, 0x10));
    value = _mm_xor_si128(_mm_srli_si128(value, 4), _mm_clmulepi64_si128(_mm_and_si128(value, low_32), by_4, 0x00));
    __m128i reduced = _mm_and_si128(_mm_clmulepi64_si128(_mm_and_si128(value, low_32), barrett, 0x10), low_32);
    value = _mm_xor_si128(value, _mm_clmulepi64_si128(reduced, barrett, 0x00));
    return (uint32_t)_mm_extract_epi32(value, 1);
}

/* `size` is a multiple of 16 and at least 64. */
CLMUL static uint32_t update_by_clmul(uint32_t crc, const uint8_t *at, size_t size)
{
    const __m128i by_64 = _mm_set_epi64x(0x01C6E41596, 0x0154442BD4);
    const __m128i by_16 = _mm_set_epi64x(0x00CCAA009E, 0x01751997D0);
    __m128i lane[4], value;

    for (int i = 0; i < 4; i++)
        lane[i] = _mm_loadu_si128((const __m128i *)at + i);
    lane[0] = _mm_xor_si128(lane[0], _mm_cvtsi32_si128((int)crc));
    at += 64;
    size -= 64;
    for (; size >= 64; at += 64, size -= 64)
        for (int i = 0; i < 4; i++)
            lane[i] = fold(lane[i], _mm_loadu_si128((const __m128i *)at + i), by_64);

    value = lane[0];
    for (int i = 1; i < 4; i++)
        value = fold(value, lane[i], by_16);
    return finish(value, at, size);
}

#define WIDE __attribute__((target("vpclmulqdq,avx2,pclmul,sse4.1")))

/* The same, two at a time. `size` is a multiple of 16 and at least 128. */
WIDE static uint32_t update_by_wide(uint32_t crc, const uint8_t *at, size_t size)
{
    const __m256i by_128 = _mm256_set_epi64x(0x014A7FE880, 0x01E88EF372, 0x014A7FE880, 0x01E88EF372);
    const __m128i by_16 = _mm_set_epi64x(0x00CCAA009E, 0x01751997D0);
    __m256i lane[4];
    __m128i value;

    for (int i = 0; i < 4; i++)
        lane[i] = _mm256_loadu_si256((const __m256i *)at + i);
    lane[0] = _mm256_xor_si256(lane[0], _mm256_zextsi128_si256(_mm_cvtsi32_si128((int)crc)));
    at += 128;
    size -= 128;
    for (; size >= 128; at += 128, size -= 128)
        for (int i = 0; i < 4; i++) {
            __m256i low = _mm256_clmulepi64_epi128(lane[i], by_128, 0x00),
                    high = _mm256_clmulepi64_epi128(lane[i], by_128, 0x11);
            lane[i] = _mm256_xor_si256(_mm256_xor_si256(low, high), _mm256_loadu_si256((const __m256i *)at + i));
        }
    value = _mm256_castsi256_si128(lane[0]);
    for (int i = 0; i < 4; i++) {
        if (i > 0)
            value = fold(value, _mm256_castsi256_si128(lane[i]), by_16);
        value = fold(value, _mm256_extracti128_si256(lane[i], 1), by_16);
    }
    return finish(value, at, size);
}

#define WIDE_PAYS 65536u

static bool has_wide(void)
{
    static int known; /* 0 not asked yet, 1 yes, -1 no */

    if (!known)
        known = frazil_processor_has(7, FRAZIL_EBX, bit_AVX2) && frazil_processor_has(7, FRAZIL_ECX, bit_VPCLMULQDQ) ? 1 : -1;
    return known > 0;
}

/* Not __builtin_cpu_supports: what it rests on is missing where the linker is zig's. */
static bool has_clmul(void)
{
    static int known; /* 0 not asked yet, 1 yes, -1 no */

    if (!known)
        known = frazil_processor_has(1, FRAZIL_ECX, bit_PCLMUL | bit_SSE4_1) ? 1 : -1;
    return known > 0;
}
#else
static bool has_clmul(void)
{
    return false;
}

static uint32_t update_by_clmul(uint32_t crc, const uint8_t *at, size_t size)
{
    return update_by_table(crc, at, size);
}

#define WIDE_PAYS SIZE_MAX

static bool has_wide(void)
{
    return false;
}

static uint32_t update_by_wide(uint32_t crc, const uint8_t *at, size_t size)
{
    return update_by_table(crc, at, size);
}
#endif

uint32_t frazil_crc32(uint32_t crc, const void *data, size_t size)
{
    const uint8_t *at = data;

    crc = ~crc;
    if (size >= 64 && has_clmul()) {
        size_t folded = size & ~(size_t)15;
        crc = size >= WIDE_PAYS && has_wide() ? update_by_wide(crc, at, folded) : update_by_clmul(crc, at, folded);
        at += folded;
        size -= folded;
    }
    return ~update_by_table(crc, at, size);
}
