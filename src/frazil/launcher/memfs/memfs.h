/* memfs: a file system inside the process, mounted at /memfs: (docs/spec/launcher.md, "The tree under the mount").
 *
 * Lower layer: the image's tree, read-only. Upper layer: memory, writable, gone with the process. This header is what the other
 * parts of the core use; programs reach memfs through the libc functions that the launcher defines. */
#ifndef FRAZIL_MEMFS_H
#define FRAZIL_MEMFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image/icecube.h"

#define FRAZIL_MOUNT "/memfs:"

/* Mount with `image`'s tree as the lower layer (NULL: an empty one). Once, before any other thread runs. `limit` bounds the
 * bytes of the upper layer; 0 is half of RAM. */
void frazil_memfs_mount(const icecube *image, uint64_t limit);

/* Whether a path as a program wrote it (absolute, or relative to the current directory) lies in memfs. Does not say that it
 * exists. Async-signal-safe. */
bool frazil_memfs_owns(const char *path);

/* The content of a regular file, for reading; links are followed. */
typedef struct frazil_content {
    const uint8_t *data; /* mapped; valid until frazil_content_release */
    size_t size;
    bool unchanged; /* since the program started: another start of this executable has the same file */
    bool in_image; /* unchanged, and data points into the image; its checksum was verified */
    uint32_t crc; /* in_image: the image's CRC-32 of the content */
    void *mapping; /* private */
} frazil_content;

/* 0, or an errno value (EIO for damage). */
int frazil_content_open(const char *path, frazil_content *content);
void frazil_content_release(frazil_content *content);

/* The absolute normal path ("/memfs:/lib/x.so", links resolved) of an existing file; 0 or an errno value. */
int frazil_memfs_realpath(const char *path, char *resolved, size_t size);

/* Whether what the image has at that path ("lib/x", not terminated) is still there, with the same names or content. */
bool frazil_memfs_is_unchanged(const char *path, size_t length);

/* Whether that may be otherwise for any path. */
bool frazil_memfs_is_changed(void);

/* Close those of memfs's own descriptors that can be done without; all of them, while nothing was written to memfs. And forget
 * what was asked of this machine. */
void frazil_memfs_trim(void);

/* Another process will go on with this one's memfs: what the kernel says of times is not kept. */
void frazil_memfs_prepare(void);

/* This process goes on with a memfs that another made: what was that one's user's is this one's. */
void frazil_memfs_adopt(void);

#endif
