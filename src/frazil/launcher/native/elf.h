/* Reader of shared objects, as far as loading them from memory needs it. Pure: pointer and length in; no I/O, no state.
 *
 * Nothing is trusted: each offset, length and string is checked against the content before use. 64-bit little-endian ELF. */
#ifndef FRAZIL_NATIVE_ELF_H
#define FRAZIL_NATIVE_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct frazil_elf {
    const uint8_t *data;
    size_t size;
    size_t headers_offset; /* program headers; all lie inside */
    size_t headers_count;
    size_t dynamic_offset; /* PT_DYNAMIC, bytes of the file; entries lie inside, the last is DT_NULL */
    size_t dynamic_count; /* entries before that DT_NULL */
    size_t dynamic_room; /* bytes of PT_DYNAMIC, those behind DT_NULL included */
    size_t strings_offset; /* DT_STRTAB */
    size_t strings_size;
    uint64_t strings_address;
    const char *soname; /* zero-terminated inside the content, or NULL */
    const char *rpath;
    const char *runpath;
} frazil_elf;

/* NULL, or what is wrong with the content, as the end of a sentence that began with the file's name. */
const char *frazil_elf_open(frazil_elf *elf, const void *data, size_t size);

/* The next DT_NEEDED name; start with *position 0; NULL at the end. */
const char *frazil_elf_needed(const frazil_elf *elf, size_t *position);

/* The next range of bytes that the dynamic linker reads: headers and segments, but not section headers and debug information.
 * Ranges may overlap. Start with *position 0; false at the end. */
bool frazil_elf_extent(const frazil_elf *elf, size_t *position, size_t *offset, size_t *length);

/* The same, but of segments that are not writable only what the dynamic linker reads to map and relocate: tables and notes. */
bool frazil_elf_link_extent(const frazil_elf *elf, size_t *position, size_t *offset, size_t *length);

/* Whether the rest of those segments may come after relocation: no code of the object runs, and nothing is written to them,
 * while the dynamic linker relocates. */
bool frazil_elf_is_idle_until_relocated(const frazil_elf *elf);

/* The next segment that is not writable: its address in the object, its place in the file, its size, PF_R and PF_X. Start with
 * *position 0; false at the end. */
typedef struct frazil_elf_segment {
    uint64_t address;
    size_t offset;
    size_t size;
    uint32_t flags;
} frazil_elf_segment;
bool frazil_elf_constant_segment(const frazil_elf *elf, size_t *position, frazil_elf_segment *segment);

/* Give the object another DT_SONAME. `copy` holds the same bytes as elf->data and is changed in place. False when there is no
 * room for it, and nothing was changed. */
bool frazil_elf_rename(const frazil_elf *elf, uint8_t *copy, const char *soname);

/* Write the smallest shared object that needs `count` libraries, in that order, and refers to one symbol, `refers_to`. Returns
 * its size; writes nothing when that is more than `size`. */
size_t frazil_elf_write_group(void *buffer, size_t size, const char *const *needed, size_t count, const char *refers_to);

#endif
