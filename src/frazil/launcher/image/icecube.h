/* Reader of the image format (docs/spec/icecube.md). Pure: pointer and length in, records out; no I/O, no allocation, no state.
 *
 * Nothing is trusted: each offset and length is checked against the mapping before use. Functions are safe to call from several
 * threads. Sizes are in bytes. */
#ifndef ICECUBE_H
#define ICECUBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image/icecube_format.h"

typedef enum icecube_status {
    ICECUBE_FOUND = 0,
    ICECUBE_ABSENT = 1,
    ICECUBE_DAMAGED = -1, /* icecube_error says what and where */
} icecube_status;

typedef struct icecube_error {
    const char *problem; /* a constant sentence, no full stop */
    uint64_t offset; /* byte of the image */
} icecube_error;

typedef struct icecube {
    const uint8_t *base;
    icecube_header_record header; /* checked */
} icecube;

/* A file, directory or symbolic link. `path` is relative to the mount and not terminated. */
typedef struct icecube_node {
    uint32_t index;
    uint32_t parent;
    const char *path;
    uint32_t path_length;
    uint32_t base_offset; /* of the last component, in path */
    uint32_t mode; /* as st_mode */
    int64_t mtime_ns;
    uint64_t size; /* of the content; 0 for a directory */
    uint32_t first_child; /* directory */
    uint32_t child_count; /* directory */
    const uint8_t *data; /* file, link: as stored; the checksum has not been verified */
    uint64_t stored_size;
    uint32_t data_crc;
    uint32_t encoding; /* file: how data holds the content; the decoder for ICECUBE_ENCODING_DEFLATE is in image/inflate.h */
} icecube_node;

typedef struct icecube_module {
    const char *name; /* not terminated */
    uint32_t name_length;
    uint32_t flags;
    uint32_t file_node;
    uint32_t code_node;
    uint32_t dir_node;
} icecube_module;

/* Check the header of the image at `base` (at least 8-byte aligned). */
icecube_status icecube_open(icecube *image, const void *base, size_t size, icecube_error *error);

icecube_status icecube_node_at(const icecube *image, uint32_t index, icecube_node *node, icecube_error *error);

/* `path` is relative to the mount, in normal form; "" is the root. Links are not followed. */
icecube_status icecube_find(const icecube *image, const char *path, size_t length, icecube_node *node, icecube_error *error);

icecube_status icecube_module_at(const icecube *image, uint32_t index, icecube_module *module, icecube_error *error);
icecube_status icecube_find_module(
    const icecube *image, const char *name, size_t length, icecube_module *module, icecube_error *error);

/* Verify the checksum of a file's or link's blob; a directory has none and holds. */
icecube_status icecube_verify(const icecube *image, const icecube_node *node, icecube_error *error);

/* The value of a setting (zero-terminated), or NULL. The settings were verified by icecube_open. */
const char *icecube_setting(const icecube *image, const char *name);

/* Go through all settings: start with *position 0; returns false at the end. */
bool icecube_next_setting(const icecube *image, size_t *position, const char **name, const char **value);

#endif
