/* SHA-256 (FIPS 180-4). */
#ifndef FRAZIL_SHA256_H
#define FRAZIL_SHA256_H

#include <stddef.h>
#include <stdint.h>

typedef struct frazil_sha256 {
    uint32_t state[8];
    uint64_t length; /* bytes so far */
    uint8_t block[64];
} frazil_sha256;

void frazil_sha256_start(frazil_sha256 *sum);
void frazil_sha256_add(frazil_sha256 *sum, const void *data, size_t size);
void frazil_sha256_finish(frazil_sha256 *sum, uint8_t digest[32]);

#endif
