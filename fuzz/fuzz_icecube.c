/* Fuzz target for the C reader: opens whatever it is given and looks at everything through every function.
 *
 * A mutation of an image would nearly always stop at a checksum, so checksums are made to fit first: header, settings and each
 * record that lies inside. A byte that readers ignore decides which of them, so that the checks of the checksums are met too.
 * `python fuzz/run.py` builds and runs it. */
#include <stdlib.h>
#include <string.h>

#include "image/crc32.h"
#include "image/icecube.h"

enum { FIX_HEADER = 1, FIX_SETTINGS = 2, FIX_RECORDS = 4, LOOKS_AT_MOST = 512 };

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

/* Keeps the compiler from dropping the reads. */
volatile unsigned frazil_fuzz_result;

static bool inside(size_t size, uint64_t offset, uint64_t length)
{
    return offset <= size && length <= size - offset;
}

/* Make the checksum of one record fit; a name comes first in both kinds of records, and the checksum last. */
static void fix_record(uint8_t *image, size_t size, const icecube_header_record *header, uint64_t at, size_t record_size)
{
    uint32_t offset, crc;
    uint16_t length;
    uint64_t name;

    memcpy(&offset, image + at, sizeof offset);
    memcpy(&length, image + at + sizeof offset, sizeof length);
    name = header->names_offset + offset;
    if (header->names_offset > size || !inside(size, name, length))
        return;
    crc = frazil_crc32(frazil_crc32(0, image + at, record_size - sizeof crc), image + name, length);
    memcpy(image + at + record_size - sizeof crc, &crc, sizeof crc);
}

static void fix_records(
    uint8_t *image, size_t size, const icecube_header_record *header, uint64_t offset, uint32_t count, size_t record_size)
{
    for (uint32_t i = 0; i < count && inside(size, offset, (i + 1) * (uint64_t)record_size); i++)
        fix_record(image, size, header, offset + i * (uint64_t)record_size, record_size);
}

static void fix_checksums(uint8_t *image, size_t size, int which)
{
    icecube_header_record header;

    memcpy(&header, image, sizeof header);
    if (which & FIX_RECORDS) {
        fix_records(image, size, &header, header.nodes_offset, header.node_count, sizeof(icecube_node_record));
        fix_records(image, size, &header, header.modules_offset, header.module_count, sizeof(icecube_module_record));
    }
    if (which & FIX_SETTINGS && inside(size, header.settings_offset, header.settings_size)) {
        header.settings_crc = frazil_crc32(0, image + header.settings_offset, header.settings_size);
        memcpy(image + offsetof(icecube_header_record, settings_crc), &header.settings_crc, sizeof header.settings_crc);
    }
    if (which & FIX_HEADER) {
        header.header_crc = frazil_crc32(0, image, offsetof(icecube_header_record, header_crc));
        memcpy(image + offsetof(icecube_header_record, header_crc), &header.header_crc, sizeof header.header_crc);
    }
}

/* The sum of all bytes of something that the reader handed out: it must be readable. */
static unsigned touch(const void *data, uint64_t size)
{
    const uint8_t *at = data;
    unsigned sum = 0;

    for (uint64_t i = 0; i < size; i++)
        sum += at[i];
    return sum;
}

static unsigned look_at_node(const icecube *image, uint32_t index)
{
    icecube_node node, other;
    icecube_error error;
    unsigned sum = 0;

    if (icecube_node_at(image, index, &node, &error) != ICECUBE_FOUND)
        return touch(error.problem, strlen(error.problem));
    sum += touch(node.path, node.path_length);
    if (node.base_offset > node.path_length || node.parent >= image->header.node_count || (index && node.parent >= index))
        abort();
    if (icecube_find(image, node.path, node.path_length, &other, &error) == ICECUBE_FOUND
        && (other.path_length != node.path_length || memcmp(other.path, node.path, node.path_length) != 0))
        abort();
    for (uint32_t i = 0; i < node.child_count && i < LOOKS_AT_MOST; i++) {
        if (node.first_child + i <= index || node.first_child + i >= image->header.node_count)
            abort();
        sum += icecube_node_at(image, node.first_child + i, &other, &error) == ICECUBE_FOUND;
    }
    if (icecube_verify(image, &node, &error) == ICECUBE_FOUND && node.data)
        sum += touch(node.data, node.stored_size);
    return sum;
}

static unsigned look_at_module(const icecube *image, uint32_t index)
{
    icecube_module module, other;
    icecube_error error;

    if (icecube_module_at(image, index, &module, &error) != ICECUBE_FOUND)
        return touch(error.problem, strlen(error.problem));
    if (icecube_find_module(image, module.name, module.name_length, &other, &error) == ICECUBE_FOUND
        && (other.name_length != module.name_length || memcmp(other.name, module.name, module.name_length) != 0))
        abort();
    return touch(module.name, module.name_length) + look_at_node(image, module.file_node) + look_at_node(image, module.dir_node)
        + look_at_node(image, module.code_node);
}

static unsigned look_at_everything(const icecube *image)
{
    const char *name, *value;
    icecube_node node;
    icecube_module module;
    icecube_error error;
    unsigned sum = 0;

    for (size_t position = 0; icecube_next_setting(image, &position, &name, &value);) {
        if (!icecube_setting(image, name))
            abort();
        sum += touch(name, strlen(name)) + touch(value, strlen(value));
    }
    for (uint32_t i = 0; i <= image->header.node_count && i < LOOKS_AT_MOST; i++)
        sum += look_at_node(image, i);
    for (uint32_t i = 0; i <= image->header.module_count && i < LOOKS_AT_MOST; i++)
        sum += look_at_module(image, i);
    sum += icecube_find(image, "app/hello.py", 12, &node, &error) == ICECUBE_FOUND;
    sum += icecube_find(image, "", 0, &node, &error) == ICECUBE_FOUND;
    return sum + (icecube_find_module(image, "hello", 5, &module, &error) == ICECUBE_FOUND);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    uint8_t *image = malloc(size ? size : 1);
    icecube_error error;
    icecube opened;

    if (!image)
        return 0;
    memcpy(image, input, size);
    if (size >= sizeof(icecube_header_record)) /* the golden images hold zero there: all are fixed */
        fix_checksums(image, size, ~image[offsetof(icecube_header_record, unused)]);
    if (icecube_open(&opened, image, size, &error) == ICECUBE_FOUND)
        frazil_fuzz_result += look_at_everything(&opened);
    else
        frazil_fuzz_result += touch(error.problem, strlen(error.problem));
    free(image);
    return 0;
}
