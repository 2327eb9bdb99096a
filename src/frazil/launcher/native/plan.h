/* Which libraries of memfs must be loaded together, and where a library is looked for. Loads nothing. */
#ifndef FRAZIL_NATIVE_PLAN_H
#define FRAZIL_NATIVE_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memfs/memfs.h"
#include "native/elf.h"

typedef struct frazil_planned {
    char *name; /* as it was found: "/memfs:/lib/x.so"; decides $ORIGIN */
    char *resolved; /* the same file with links resolved */
    char *soname; /* what the dynamic linker will know it by, or NULL */
    char *search; /* directories for the libraries that it needs or opens, one a line */
    char *inherited; /* the part of them that holds for what its libraries need, too (DT_RPATH) */
    bool renamed; /* soname is not the file's own */
    uint32_t crc;
    frazil_content content;
    frazil_elf elf;
} frazil_planned;

typedef struct frazil_plan {
    frazil_planned *libraries; /* breadth first, as the dynamic linker orders them; the first is the one asked for */
    size_t count;
    char *problem; /* why there is no plan, for people */
} frazil_plan;

/* Called for a library in memfs that is to be loaded; true when it need not be, because it is loaded. */
typedef bool frazil_is_loaded(const char *resolved, uint32_t crc, size_t size);

/* The library at `path` and all it needs that is in memfs and not loaded. False when `problem` says why not. */
bool frazil_plan_make(frazil_plan *plan, const char *path, frazil_is_loaded *is_loaded);
void frazil_plan_free(frazil_plan *plan);

/* A library called by a bare name, in directories, one a line, and in /memfs:/lib. NULL, or its path, to be freed. */
char *frazil_plan_find(const char *name, const char *search);

/* Whether the process has a library with that DT_SONAME. */
bool frazil_plan_has_soname(const char *soname);

#endif
