/* Segments of libraries mapped from the executable, instead of copied into a memfd.
 *
 * Theory of operation. The dynamic linker maps a library from a file whose first byte is the library's; the image is in the
 * middle of the executable. So it is given a memfd with holes: only what it reads to map and relocate the library is copied,
 * and the writable segments. Between relocation and the first constructor, the holes are covered by mappings of the executable
 * itself, whose pages are in the page cache already and are shared by all processes that run it.
 *
 * The moment between is found by a symbol: the library that needs all libraries of a group (native/native.c) refers to
 * frazil_native_relocated, an indirect function of the launcher; relocating that library calls its resolver. The dynamic linker
 * relocates all libraries that it opens together before it calls a constructor of any. Libraries whose own code runs during
 * relocation (they have indirect functions) are copied whole. */
#ifndef FRAZIL_NATIVE_MAP_H
#define FRAZIL_NATIVE_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "native/elf.h"

#define FRAZIL_RELOCATED "frazil_native_relocated"

/* A library that is being opened: what the dynamic linker calls it, its memfd, and the object in the image. */
typedef struct frazil_holed {
    struct frazil_holed *next;
    const char *link;
    int file;
    frazil_elf elf;
} frazil_holed;

/* Whether the constant segments of an object in the image can be mapped later. */
bool frazil_native_can_map(const frazil_elf *elf);

/* Around the dlopen that relocates: these libraries have holes. Returns what to give to frazil_native_end. NULL is an empty
 * list. */
frazil_holed *frazil_native_begin(frazil_holed *libraries);
void frazil_native_end(frazil_holed *before);

#endif
