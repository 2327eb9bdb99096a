/* Reader of the image format: see image/icecube.h and docs/spec/icecube.md. */
#include "image/icecube.h"

#include <string.h>

#include "image/crc32.h"

static icecube_status damaged(icecube_error *error, const char *problem, uint64_t offset)
{
    error->problem = problem;
    error->offset = offset;
    return ICECUBE_DAMAGED;
}

static bool lies_inside(const icecube_header_record *header, uint64_t offset, uint64_t size, uint64_t alignment)
{
    return offset >= header->header_size && offset <= header->image_size && size <= header->image_size - offset
        && offset % alignment == 0;
}

static icecube_status check_parts(const icecube_header_record *h, icecube_error *error)
{
    const struct {
        uint64_t offset, size, alignment;
        const char *problem;
    } parts[] = {
        {h->nodes_offset, (uint64_t)h->node_count * sizeof(icecube_node_record), 8, "the node table lies outside the image"},
        {h->modules_offset, (uint64_t)h->module_count * sizeof(icecube_module_record), 4,
            "the module table lies outside the image"},
        {h->module_index_offset, (uint64_t)h->module_buckets * 4, 4, "the module index lies outside the image"},
        {h->path_index_offset, (uint64_t)h->path_buckets * 4, 4, "the path index lies outside the image"},
        {h->settings_offset, h->settings_size, 1, "the settings lie outside the image"},
        {h->names_offset, h->names_size, 1, "the name pool lies outside the image"},
        {h->data_offset, 0, 1, "the data lies outside the image"},
    };

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!lies_inside(h, parts[i].offset, parts[i].size, parts[i].alignment))
            return damaged(error, parts[i].problem, parts[i].offset);
    if (h->node_count == 0)
        return damaged(error, "the image has no root directory", 0);
    if (h->path_buckets <= h->node_count || (h->path_buckets & (h->path_buckets - 1)))
        return damaged(error, "the path index has a wrong size", h->path_index_offset);
    if (h->module_buckets <= h->module_count || (h->module_buckets & (h->module_buckets - 1)))
        return damaged(error, "the module index has a wrong size", h->module_index_offset);
    return ICECUBE_FOUND;
}

static icecube_status check_settings(const icecube *image, icecube_error *error)
{
    const icecube_header_record *h = &image->header;
    const char *at = (const char *)image->base + h->settings_offset;
    size_t zeros = 0;

    if (frazil_crc32(0, at, h->settings_size) != h->settings_crc)
        return damaged(error, "the settings are damaged: their checksum does not match", h->settings_offset);
    for (size_t i = 0; i < h->settings_size; i++)
        zeros += at[i] == '\0';
    if (zeros % 2 || (h->settings_size && at[h->settings_size - 1] != '\0'))
        return damaged(error, "the settings are damaged: a name has no value", h->settings_offset);
    return ICECUBE_FOUND;
}

icecube_status icecube_open(icecube *image, const void *base, size_t size, icecube_error *error)
{
    icecube_header_record *h = &image->header;
    icecube_status status;

    image->base = base;
    if (size < sizeof *h)
        return damaged(error, "truncated: there is no room for a header", size);
    memcpy(h, base, sizeof *h);
    if (memcmp(h->magic, ICECUBE_MAGIC, sizeof h->magic) != 0)
        return damaged(error, "no image: the magic number is wrong", 0);
    if (h->major != ICECUBE_MAJOR)
        return damaged(error, "the image has a format version that this program does not know", 8);
    if (frazil_crc32(0, base, sizeof *h - sizeof h->header_crc) != h->header_crc)
        return damaged(error, "damaged header: its checksum does not match", 0);
    if (h->header_size != sizeof *h || h->flags != 0)
        return damaged(error, "damaged header: a reserved bit is set or the size is wrong", 12);
    if (h->image_size > size)
        return damaged(error, "truncated: the image is longer than the file", size);
    status = check_parts(h, error);
    return status == ICECUBE_FOUND ? check_settings(image, error) : status;
}

/* The name of a record, once the record's checksum has been verified; NULL and the error otherwise. */
static const char *checked_name(const icecube *image, const void *record, size_t record_size, uint32_t record_crc,
    uint32_t offset, uint32_t length, icecube_error *error)
{
    const icecube_header_record *h = &image->header;
    uint64_t at = (uint64_t)((const uint8_t *)record - image->base);
    const char *name;

    if (offset > h->names_size || length > h->names_size - offset) {
        damaged(error, "a name lies outside the name pool", at);
        return NULL;
    }
    name = (const char *)image->base + h->names_offset + offset;
    if (frazil_crc32(frazil_crc32(0, record, record_size - sizeof record_crc), name, length) != record_crc) {
        damaged(error, "damaged record: its checksum does not match", at);
        return NULL;
    }
    return name;
}

/* Whether a record's place in the tree holds: breadth first, so no directory can contain itself and no walk is endless. */
static bool stands_in_tree(const icecube_node_record *record, uint32_t index, const char *path)
{
    bool is_directory = (record->mode & ICECUBE_MODE_TYPE) == ICECUBE_MODE_DIRECTORY;

    if (is_directory && record->stored_size != 0 && record->data_offset <= index)
        return false;
    if (index == 0)
        return is_directory && record->parent == 0 && record->path_length == 0 && record->base_offset == 0;
    return record->parent < index && record->base_offset < record->path_length && record->path_length <= ICECUBE_MAX_PATH
        && (record->base_offset == 0 || path[record->base_offset - 1] == '/') && !memchr(path, '\0', record->path_length);
}

/* Whether a record's content lies where it may: nodes for a directory, bytes of the data for others. */
static bool content_fits(const icecube_header_record *h, const icecube_node_record *record)
{
    switch (record->mode & ICECUBE_MODE_TYPE) {
    case ICECUBE_MODE_DIRECTORY:
        return record->data_offset <= h->node_count && record->stored_size <= h->node_count - record->data_offset
            && record->size == 0 && record->data_crc == 0 && record->encoding == ICECUBE_ENCODING_RAW;
    case ICECUBE_MODE_FILE:
    case ICECUBE_MODE_SYMLINK:
        if (record->data_offset < h->data_offset || record->data_offset > h->image_size
            || record->stored_size > h->image_size - record->data_offset)
            return false;
        if (record->encoding == ICECUBE_ENCODING_RAW)
            return record->size == record->stored_size;
        return (record->mode & ICECUBE_MODE_TYPE) == ICECUBE_MODE_FILE && record->size > 0
            && (record->size - 1) / ICECUBE_DEFLATE_RATIO < record->stored_size;
    default:
        return false;
    }
}

icecube_status icecube_node_at(const icecube *image, uint32_t index, icecube_node *node, icecube_error *error)
{
    const icecube_header_record *h = &image->header;
    uint64_t at = h->nodes_offset + (uint64_t)index * sizeof(icecube_node_record);
    icecube_node_record record;

    if (index >= h->node_count)
        return damaged(error, "a record names a node that does not exist", 0);
    memcpy(&record, image->base + at, sizeof record);
    node->path = checked_name(
        image, image->base + at, sizeof record, record.record_crc, record.path_offset, record.path_length, error);
    if (!node->path)
        return ICECUBE_DAMAGED;
    if ((record.encoding != ICECUBE_ENCODING_RAW && record.encoding != ICECUBE_ENCODING_DEFLATE) || record.reserved != 0)
        return damaged(error, "a file is stored in an encoding that this program does not know", at);
    if (!stands_in_tree(&record, index, node->path))
        return damaged(error, "a file has no proper place in the tree", at);
    if (!content_fits(h, &record))
        return damaged(error, "the content of a file lies outside the image", at);

    node->index = index;
    node->parent = record.parent;
    node->path_length = record.path_length;
    node->base_offset = record.base_offset;
    node->mode = record.mode;
    node->mtime_ns = record.mtime_ns;
    node->size = record.size;
    node->data_crc = record.data_crc;
    node->encoding = record.encoding;
    node->first_child = node->child_count = 0;
    node->data = NULL;
    node->stored_size = 0;
    if ((record.mode & ICECUBE_MODE_TYPE) == ICECUBE_MODE_DIRECTORY) {
        node->first_child = (uint32_t)record.data_offset;
        node->child_count = (uint32_t)record.stored_size;
    } else {
        node->data = image->base + record.data_offset;
        node->stored_size = record.stored_size;
    }
    return ICECUBE_FOUND;
}

icecube_status icecube_module_at(const icecube *image, uint32_t index, icecube_module *module, icecube_error *error)
{
    const icecube_header_record *h = &image->header;
    uint64_t at = h->modules_offset + (uint64_t)index * sizeof(icecube_module_record);
    icecube_module_record record;

    if (index >= h->module_count)
        return damaged(error, "an index names a module that does not exist", 0);
    memcpy(&record, image->base + at, sizeof record);
    module->name = checked_name(
        image, image->base + at, sizeof record, record.record_crc, record.name_offset, record.name_length, error);
    if (!module->name)
        return ICECUBE_DAMAGED;
    if (record.flags & ~ICECUBE_MODULE_FLAGS || record.name_length == 0)
        return damaged(error, "damaged module record: a reserved bit is set or it has no name", at);
    if (record.file_node >= h->node_count || record.dir_node >= h->node_count
        || (record.code_node >= h->node_count && record.code_node != ICECUBE_NO_NODE))
        return damaged(error, "a module names a node that does not exist", at);
    module->name_length = record.name_length;
    module->flags = record.flags;
    module->file_node = record.file_node;
    module->code_node = record.code_node;
    module->dir_node = record.dir_node;
    return ICECUBE_FOUND;
}

/* Walk the slots of an index for a hash; *step counts the slots seen, start with 0. */
static icecube_status next_record(const icecube *image, uint64_t index_offset, uint32_t buckets, uint32_t count, uint32_t hash,
    uint32_t *step, uint32_t *number, icecube_error *error)
{
    uint32_t slot = (hash + *step) & (buckets - 1);
    uint32_t value;

    if ((*step)++ >= buckets)
        return ICECUBE_ABSENT;
    memcpy(&value, image->base + index_offset + (uint64_t)slot * 4, sizeof value);
    if (value == 0)
        return ICECUBE_ABSENT;
    if (value > count)
        return damaged(error, "an index names a record that does not exist", index_offset + (uint64_t)slot * 4);
    *number = value - 1;
    return ICECUBE_FOUND;
}

/* The hash that a record claims, to pass by others cheaply; its checksum is verified once it is the one. */
static uint32_t claimed_hash(const icecube *image, uint64_t table, size_t record_size, size_t field, uint32_t number)
{
    uint32_t hash;

    memcpy(&hash, image->base + table + (uint64_t)number * record_size + field, sizeof hash);
    return hash;
}

icecube_status icecube_find(const icecube *image, const char *path, size_t length, icecube_node *node, icecube_error *error)
{
    const icecube_header_record *h = &image->header;
    uint32_t hash = frazil_crc32(0, path, length);
    uint32_t step = 0, number;
    icecube_status status;

    for (;;) {
        status = next_record(image, h->path_index_offset, h->path_buckets, h->node_count, hash, &step, &number, error);
        if (status != ICECUBE_FOUND)
            return status;
        if (claimed_hash(image, h->nodes_offset, sizeof(icecube_node_record), offsetof(icecube_node_record, path_hash), number)
            != hash)
            continue;
        status = icecube_node_at(image, number, node, error);
        if (status != ICECUBE_FOUND)
            return status;
        if (node->path_length == length && memcmp(node->path, path, length) == 0)
            return ICECUBE_FOUND;
    }
}

icecube_status icecube_find_module(
    const icecube *image, const char *name, size_t length, icecube_module *module, icecube_error *error)
{
    const icecube_header_record *h = &image->header;
    uint32_t hash = frazil_crc32(0, name, length);
    uint32_t step = 0, number;
    icecube_status status;

    for (;;) {
        status = next_record(image, h->module_index_offset, h->module_buckets, h->module_count, hash, &step, &number, error);
        if (status != ICECUBE_FOUND)
            return status;
        if (claimed_hash(
                image, h->modules_offset, sizeof(icecube_module_record), offsetof(icecube_module_record, name_hash), number)
            != hash)
            continue;
        status = icecube_module_at(image, number, module, error);
        if (status != ICECUBE_FOUND)
            return status;
        if (module->name_length == length && memcmp(module->name, name, length) == 0)
            return ICECUBE_FOUND;
    }
}

icecube_status icecube_verify(const icecube *image, const icecube_node *node, icecube_error *error)
{
    if (node->data && frazil_crc32(0, node->data, node->stored_size) != node->data_crc)
        return damaged(
            error, "the content of a file is damaged: its checksum does not match", (uint64_t)(node->data - image->base));
    return ICECUBE_FOUND;
}

bool icecube_next_setting(const icecube *image, size_t *position, const char **name, const char **value)
{
    const char *settings = (const char *)image->base + image->header.settings_offset;

    if (*position >= image->header.settings_size)
        return false;
    *name = settings + *position;
    *position += strlen(*name) + 1;
    *value = settings + *position;
    *position += strlen(*value) + 1;
    return true;
}

const char *icecube_setting(const icecube *image, const char *wanted)
{
    const char *name, *value;

    for (size_t position = 0; icecube_next_setting(image, &position, &name, &value);)
        if (strcmp(name, wanted) == 0)
            return value;
    return NULL;
}
