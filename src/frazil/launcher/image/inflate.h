/* Decoder of DEFLATE (RFC 1951) for blobs of the image. Pure: pointers and lengths in, a verdict out; no allocation, no state.
 *
 * Nothing is trusted: it reads `from` and writes `to` and nothing beyond, whatever the input. Safe to call from several
 * threads; uses about 6 KiB of stack. */
#ifndef FRAZIL_INFLATE_H
#define FRAZIL_INFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether `from` is one whole stream that ends with its last byte and holds exactly `to_size` bytes; `to` has them then. It may
 * have been written to in any case. */
bool frazil_inflate(const uint8_t *from, size_t from_size, uint8_t *to, size_t to_size);

#endif
