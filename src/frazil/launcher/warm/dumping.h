/* What writing a snapshot works with: shared by dump.c and the files beside it. */
#ifndef FRAZIL_WARM_DUMPING_H
#define FRAZIL_WARM_DUMPING_H

#include <stdint.h>

#include "warm/format.h"
#include "warm/window.h"

#define PAGE FRAZIL_PAGE
#define RECORDS_AT_MOST 32768
#define TEXT_AT_MOST (1u << 20)

/* A range of the process that is written down. */
typedef struct frazil_part {
    uintptr_t low;
    uintptr_t high;
    uintptr_t end; /* of its data; the dynamic linker allocates behind its own */
    uint32_t object; /* a number, SNAPSHOT_PROGRAM, or SNAPSHOT_NONE */
} frazil_part;

typedef struct frazil_dump {
    int file;
    int layout;
    int error;
    const char *problem; /* what no snapshot can hold */
    uint64_t written;
    uintptr_t stack_low; /* arguments, environment, auxiliary vector: live after main, too */
    uintptr_t stack_high;
    uintptr_t arguments;
    uintptr_t environment;
    uintptr_t auxiliary;
    uintptr_t break_end;
    uint64_t guard;
    uintptr_t core; /* frazil_key_core */
    frazil_mapping *mappings;
    snapshot_piece *pieces;
    snapshot_object *objects;
    snapshot_own *own;
    snapshot_mangled *mangled;
    frazil_part *parts;
    char *text;
    uint32_t piece_count, object_count, own_count, mangled_count, part_count, text_size;
} frazil_dump;

/* dump.c: keep the first error; a line of "layout"; a string of the snapshot, as its offset. */
void frazil_dump_fail(frazil_dump *to, int error);
__attribute__((format(printf, 2, 3))) void frazil_dump_say(frazil_dump *to, const char *format, ...);
uint32_t frazil_dump_text(frazil_dump *to, const char *text);

/* dump_objects.c: find the program's data and the libraries that every process has; what is at an address, or NULL; the path
 * that a mapped file was opened by, and its number among the objects. */
void frazil_dump_parts(frazil_dump *to);
const frazil_part *frazil_dump_part(const frazil_dump *to, uintptr_t address);
const char *frazil_dump_path(const frazil_mapping *mapping);
uint32_t frazil_dump_file(frazil_dump *to, const char *path);

/* dump_words.c: find the words of a page that are each process's own; forget the numbers of files that only this process has.
 */
void frazil_dump_look(frazil_dump *to, uintptr_t page, uint32_t object);
void frazil_dump_forget_files(frazil_dump *to);

#endif
