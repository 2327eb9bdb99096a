/* The snapshot's structures (docs/spec/snapshot.md); frazil_runtime/snapshot/format.py reads them. */
#ifndef FRAZIL_WARM_FORMAT_H
#define FRAZIL_WARM_FORMAT_H

#include <stdint.h>

#define FRAZIL_SNAPSHOT_ADDRESS 0x4000000000ul
#define FRAZIL_SNAPSHOT_MAGIC                                                                                                  \
    "\x89"                                                                                                                     \
    "FRZWRM\n"
#define FRAZIL_SNAPSHOT_VERSION 2u

typedef struct snapshot_table {
    uint32_t offset; /* from the start of the tables */
    uint32_t count;
} snapshot_table;

typedef struct snapshot_header {
    uint8_t magic[8];
    uint32_t version;
    uint32_t crc; /* of the first page, with this field zero, and of the tables */
    uint64_t size; /* of the whole snapshot */
    uint64_t tables; /* offset of the tables, which end the snapshot */
    uint8_t image[32]; /* digest of the image that it was made with */
    uint64_t processor; /* frazil_key_processor */
    uint64_t thread; /* the main thread's pointer */
    uint64_t robust; /* address of its list of robust mutexes */
    uint32_t identity; /* where its kernel identity is, from the pointer */
    uint32_t restartable_size; /* of its area of restartable sequences; 0 for none */
    int64_t restartable; /* where that is, from the pointer */
    uint64_t low; /* the addresses that pieces outside of the program lie between */
    uint64_t high;
    uint64_t resume; /* address of the function that goes on */
    uint64_t flags;
    snapshot_table pieces;
    snapshot_table objects;
    snapshot_table own; /* words that stay this process's own */
    snapshot_table mangled; /* pointers that the C library keeps mangled */
    snapshot_table conditions;
    snapshot_table text; /* bytes */
    snapshot_table report; /* bytes: what is in it and what is not, for people */
} snapshot_header;

#define SNAPSHOT_HONOURS_ENVIRONMENT 1u /* flags: PYTHON* variables count in this executable */

enum {
    PIECE_PAGES = 1, /* of the snapshot, in the window */
    PIECE_PROGRAM = 2, /* of the snapshot, the program's own data */
    PIECE_EXECUTABLE = 3, /* of the executable: constant segments of libraries in the image */
    PIECE_ZERO = 4,
    PIECE_OBJECT = 5, /* of a library that every process of the program has */
    PIECE_FILE = 6, /* of another file of the system */
};

typedef struct snapshot_piece {
    uint64_t address;
    uint64_t size;
    uint64_t offset; /* in the snapshot, the executable or the file */
    uint32_t kind;
    uint32_t protection; /* as mmap's */
    uint32_t crc; /* of PIECE_PAGES and PIECE_PROGRAM */
    uint32_t object; /* its number and one; 0 for none */
} snapshot_piece;

enum {
    OBJECT_LIBRARY = 1, /* the dynamic linker loads it at every start; its build ID is the same */
    OBJECT_FILE = 2, /* something that the snapshot's process mapped; its size and time are the same */
};

typedef struct snapshot_object {
    uint64_t base;
    uint64_t size; /* OBJECT_FILE */
    uint64_t modified; /* OBJECT_FILE: nanoseconds */
    uint32_t kind;
    uint32_t name; /* offset in the text: OBJECT_LIBRARY the last component of its path, OBJECT_FILE its path */
    uint8_t build[32]; /* OBJECT_LIBRARY: zero behind it */
} snapshot_object;

/* A word of the program, of the main thread, or of a library that every process has: each process has its own in the same
 * place. */
typedef struct snapshot_own {
    uint64_t address;
    uint32_t object; /* a number, or one of those below */
    uint32_t reserved;
} snapshot_own;

#define SNAPSHOT_OWN_AT_MOST 512 /* a restored process keeps them on its stack */
#define SNAPSHOT_PROGRAM 0xFFFFFFFFu
#define SNAPSHOT_THREAD 0xFFFFFFFEu /* what libc keeps for the main thread, behind its pointer */
/* A word that holds the address of the arguments, the environment, the auxiliary vector. */
#define SNAPSHOT_ARGUMENTS 0xFFFFFFFDu
#define SNAPSHOT_ENVIRONMENT 0xFFFFFFFCu
#define SNAPSHOT_AUXILIARY 0xFFFFFFFBu
#define SNAPSHOT_NONE 0xFFFFFFF0u
#define SNAPSHOT_THREAD_SIZE 0x900u

typedef struct snapshot_mangled {
    uint64_t address;
    uint64_t value; /* not mangled */
} snapshot_mangled;

/* What an import asked (warm/condition.h), and the answer. */
typedef struct snapshot_condition {
    uint32_t kind;
    uint32_t name; /* offset in the text: what it is about */
    uint32_t value; /* offset in the text */
    uint32_t argument;
    uint64_t number[2];
} snapshot_condition;

#endif
