/* CRC-32 (zlib's), as fast as the processor can. */
#ifndef FRAZIL_CRC32_H
#define FRAZIL_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* The CRC-32 of `data`, going on from `crc` (0 to start). */
uint32_t frazil_crc32(uint32_t crc, const void *data, size_t size);

/* The same by table alone; for tests and for processors without carry-less multiplication. */
uint32_t frazil_crc32_portable(uint32_t crc, const void *data, size_t size);

#endif
