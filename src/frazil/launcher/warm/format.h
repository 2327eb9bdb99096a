/* The snapshot's structures (docs/spec/snapshot.md); written by frazil/builder/warm/format.py. */
#ifndef FRAZIL_WARM_FORMAT_H
#define FRAZIL_WARM_FORMAT_H

#include <stdint.h>

#define FRAZIL_SNAPSHOT_ADDRESS 0x4000000000ul
#define FRAZIL_SNAPSHOT_MAGIC                                                                                                  \
    "\x89"                                                                                                                     \
    "FRZWRM\n"
#define FRAZIL_SNAPSHOT_VERSION 1u

typedef struct snapshot_table {
    uint32_t offset; /* from the snapshot's start */
    uint32_t count;
} snapshot_table;

typedef struct snapshot_header {
    uint8_t magic[8];
    uint32_t version;
    uint32_t crc; /* of the header and tables, with this field zero */
    uint64_t size; /* of the whole snapshot */
    uint64_t tables_size; /* header and tables */
    uint64_t thread_block; /* offset of the program's thread-local block */
    uint64_t thread_block_size;
    uint8_t image[32]; /* digest of the image that it was made with */
    uint8_t build[32]; /* build ID of the launcher, zero behind it */
    uint64_t processor; /* frazil_key_processor */
    snapshot_table pieces;
    snapshot_table relocations;
    snapshot_table objects;
    snapshot_table kept; /* ranges of the program that stay this process's own */
    snapshot_table conditions;
    snapshot_table libraries;
    uint64_t flags;
} snapshot_header;

#define SNAPSHOT_HONOURS_ENVIRONMENT 1u /* flags: PYTHON* variables count in this executable */

enum { PIECE_PAGES = 1, PIECE_PROGRAM = 2, PIECE_FILE = 3, PIECE_ZERO = 4 };

typedef struct snapshot_piece {
    uint64_t address;
    uint64_t size;
    uint64_t offset; /* in the snapshot, or for PIECE_FILE in the executable */
    uint32_t kind;
    uint32_t protection; /* as mmap's */
    uint32_t crc; /* of the pages; 0 for PIECE_FILE and PIECE_ZERO */
    uint32_t populate; /* pages at its start that are written in every run */
} snapshot_piece;

typedef struct snapshot_relocation {
    uint64_t address; /* the upper 16 bits are the object's number */
    uint64_t offset; /* from the object's base */
} snapshot_relocation;

typedef struct snapshot_object {
    uint32_t name; /* offset of a string: the last component of its path */
    uint32_t build; /* offset of its build ID */
    uint32_t build_size;
    uint32_t kind;
} snapshot_object;

enum { OBJECT_LIBRARY = 1, OBJECT_THREAD = 2, OBJECT_VDSO = 3 };

typedef struct snapshot_range {
    uint64_t address;
    uint64_t size;
} snapshot_range;

/* What an import asked (warm/condition.h), and the answer. */
typedef struct snapshot_condition {
    uint32_t kind;
    uint32_t name; /* offset of a string: what it is about */
    uint32_t value; /* offset of a string */
    uint32_t argument;
    uint64_t number[2];
} snapshot_condition;

typedef struct snapshot_library {
    uint64_t headers; /* address of its program headers */
    uint32_t header_count;
    uint32_t name; /* offset of a string: its path in memfs */
    uint64_t thread_image; /* initial content of its thread-local block: address; 0 sizes: none */
    uint32_t thread_image_size;
    uint32_t thread_size;
    uint32_t thread_alignment;
    uint32_t thread_block; /* offset of the main thread's block in the snapshot, or 0 */
    uint64_t low; /* first and last byte's end */
    uint64_t high;
} snapshot_library;

#endif
