/* Prints the CRC-32 of many ranges of a file: start, size, the CRC gone on from, the fast result and the portable one. Each
 * range is copied to a block of its own, so that the address sanitizer sees a read beyond it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/crc32.h"

static int print_range(const unsigned char *data, size_t start, size_t size)
{
    static const uint32_t seeds[] = {0, 0xFFFFFFFF, 0x12345678};
    unsigned char *copy = malloc(size ? size : 1);

    if (!copy)
        return -1;
    memcpy(copy, data + start, size);
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++)
        printf("%zu %zu %08x %08x %08x\n", start, size, seeds[i], frazil_crc32(seeds[i], copy, size),
            frazil_crc32_portable(seeds[i], copy, size));
    free(copy);
    return 0;
}

int main(int argc, char **argv)
{
    static unsigned char data[70000];
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    int result = 0;

    if (!file || fread(data, 1, sizeof data, file) != sizeof data)
        return 2;
    fclose(file);
    for (size_t size = 0; size <= 300 && result == 0; size++)
        result = print_range(data, size % 17, size);
    for (size_t size = 1000; size <= 4900 && result == 0; size += 97)
        result = print_range(data, size % 61, size);
    for (size_t size = 65500; size <= 69900 && result == 0; size += 67) /* two lanes at a time, where the processor can */
        result = print_range(data, size % 61, size);
    return result == 0 ? 0 : 2;
}
