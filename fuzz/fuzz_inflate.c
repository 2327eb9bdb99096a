/* Fuzz target for the decoder: whatever it is given, it stays inside its two buffers and gives the same verdict as zlib. The
 * first two bytes of the input are the size of the content. `python fuzz/run.py` builds and runs it. */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "image/inflate.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static bool by_zlib(const uint8_t *from, size_t from_size, uint8_t *to, size_t to_size)
{
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)from, .avail_in = (uInt)from_size};
    bool held;

    stream.next_out = to;
    stream.avail_out = (uInt)to_size + 1;
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK)
        abort();
    held = inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.avail_in == 0 && stream.total_out == to_size;
    inflateEnd(&stream);
    return held;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    uint8_t *from, *to, *other;
    size_t to_size;

    if (size < 2)
        return 0;
    size -= 2;
    to_size = (size_t)input[0] | (size_t)input[1] << 8;
    from = malloc(size + !size); /* of exactly their sizes, so that the address sanitizer sees a step beyond */
    to = malloc(to_size + !to_size);
    other = malloc(to_size + 1);
    if (from && to && other) {
        memcpy(from, input + 2, size);
        bool held = frazil_inflate(from, size, to, to_size);
        if (held != by_zlib(from, size, other, to_size) || (held && memcmp(to, other, to_size) != 0))
            abort();
    }
    free(from);
    free(to);
    free(other);
    return 0;
}
