/* Prints everything that the C reader sees in images, in the form of tests/icecube/dump.py, to be compared with it line by
 * line.
 *
 * icecube_dump FILE: FILE holds images one after the other, each behind its size as u64. Every image is read from a block of
 * exactly its size, so that the address sanitizer sees a read beyond it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/crc32.h"
#include "image/icecube.h"
#include "image/inflate.h"

static void print_hex(const char *text, size_t length)
{
    putchar(' ');
    if (length == 0)
        putchar('-');
    for (size_t i = 0; i < length; i++)
        printf("%02x", (unsigned char)text[i]);
}

static void print_found(icecube_status status, uint32_t index)
{
    if (status == ICECUBE_FOUND)
        printf("found %" PRIu32 "\n", index);
    else
        puts("absent");
}

static icecube_status dump_content(const icecube_node *node, icecube_error *error)
{
    icecube_status status = ICECUBE_FOUND;
    uint8_t *content;

    if (node->encoding == ICECUBE_ENCODING_RAW) {
        printf("content %08" PRIx32 "\n", frazil_crc32(0, node->data, node->size));
        return status;
    }
    content = malloc(node->size);
    if (!content || !frazil_inflate(node->data, node->stored_size, content, node->size)) {
        *error = (icecube_error){"the content of a file cannot be decoded", 0};
        status = ICECUBE_DAMAGED;
    } else {
        printf("content %08" PRIx32 "\n", frazil_crc32(0, content, node->size));
    }
    free(content);
    return status;
}

static icecube_status dump_node(const icecube *image, uint32_t index, icecube_error *error)
{
    icecube_node node, other;
    icecube_status status = icecube_node_at(image, index, &node, error);

    if (status != ICECUBE_FOUND)
        return status;
    printf("node %" PRIu32, node.index);
    print_hex(node.path, node.path_length);
    printf(" %" PRIu32 " %" PRIo32 " %" PRIu64 " %" PRId64 " %08" PRIx32 " %" PRIu32 "\n", node.parent, node.mode, node.size,
        node.mtime_ns, node.data_crc, node.encoding);
    status = icecube_find(image, node.path, node.path_length, &other, error);
    if (status == ICECUBE_DAMAGED)
        return status;
    print_found(status, other.index);
    for (uint32_t child = 0; child < node.child_count; child++) {
        status = icecube_node_at(image, node.first_child + child, &other, error);
        if (status != ICECUBE_FOUND)
            return status;
        printf("child %" PRIu32 "\n", other.index);
    }
    status = icecube_verify(image, &node, error);
    if (status != ICECUBE_FOUND || !node.data)
        return status;
    printf("blob %08" PRIx32 "\n", frazil_crc32_portable(0, node.data, node.stored_size));
    return dump_content(&node, error);
}

static icecube_status dump_module(const icecube *image, uint32_t index, icecube_error *error)
{
    icecube_module module, other;
    icecube_status status = icecube_module_at(image, index, &module, error);

    if (status != ICECUBE_FOUND)
        return status;
    printf("module %" PRIu32, index);
    print_hex(module.name, module.name_length);
    printf(" %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32 "\n", module.flags, module.file_node, module.code_node,
        module.dir_node);
    status = icecube_find_module(image, module.name, module.name_length, &other, error);
    if (status == ICECUBE_DAMAGED)
        return status;
    print_found(status, other.file_node);
    return ICECUBE_FOUND;
}

static icecube_status dump_absent(const icecube *image, icecube_error *error)
{
    static const char path[] = "no/such/path", name[] = "no.such.module";
    icecube_node node;
    icecube_module module;
    icecube_status status = icecube_find(image, path, sizeof path - 1, &node, error);

    if (status == ICECUBE_DAMAGED)
        return status;
    puts(status == ICECUBE_FOUND ? "found" : "absent");
    status = icecube_find_module(image, name, sizeof name - 1, &module, error);
    if (status == ICECUBE_DAMAGED)
        return status;
    puts(status == ICECUBE_FOUND ? "found" : "absent");
    return ICECUBE_FOUND;
}

static icecube_status dump(const void *data, size_t size, icecube_error *error)
{
    icecube image;
    const char *name, *value;
    icecube_status status = icecube_open(&image, data, size, error);

    if (status != ICECUBE_FOUND)
        return status;
    printf("image %" PRIu64 " %" PRIu32 " %" PRIu32 "\n", image.header.image_size, image.header.node_count,
        image.header.module_count);
    for (size_t position = 0; icecube_next_setting(&image, &position, &name, &value);) {
        if (icecube_setting(&image, name) != value)
            continue; /* of two settings with one name the first counts */
        printf("setting");
        print_hex(name, strlen(name));
        print_hex(value, strlen(value));
        putchar('\n');
    }
    for (uint32_t i = 0; i < image.header.node_count && status == ICECUBE_FOUND; i++)
        status = dump_node(&image, i, error);
    for (uint32_t i = 0; i < image.header.module_count && status == ICECUBE_FOUND; i++)
        status = dump_module(&image, i, error);
    return status == ICECUBE_FOUND ? dump_absent(&image, error) : status;
}

/* 1: dumped, 0: the end of the file, -1: it cannot be read. Notes damage in *damaged. */
static int dump_next(FILE *file, int *damaged)
{
    icecube_error error = {0};
    uint64_t size;
    void *data;
    int result = -1;

    if (fread(&size, 1, sizeof size, file) != sizeof size)
        return feof(file) ? 0 : -1;
    data = malloc(size ? size : 1);
    if (!data)
        return -1;
    if (fread(data, 1, size, file) == size) {
        result = 1;
        if (dump(data, size, &error) != ICECUBE_FOUND) {
            printf("damaged: %s (at byte %" PRIu64 " of the image)\n", error.problem, error.offset);
            *damaged = 1;
        }
        puts("end");
    }
    free(data);
    return result;
}

int main(int argc, char **argv)
{
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    int damaged = 0, result;

    if (!file) {
        fprintf(stderr, "usage: icecube_dump FILE\n");
        return 2;
    }
    do
        result = dump_next(file, &damaged);
    while (result > 0);
    fclose(file);
    return result < 0 ? 2 : damaged;
}
