/* The core of the launcher, which knows nothing of Python, and its border with the embedding, which does.
 *
 * Link mode static has both in one program; in link mode shared the core loads the embedding from the image. */
#ifndef FRAZIL_CORE_H
#define FRAZIL_CORE_H

#include <stdbool.h>

#include "image/icecube.h"

typedef enum frazil_mode {
    FRAZIL_APPLICATION, /* run an entry point */
    FRAZIL_INTERPRETER, /* be a Python interpreter: options, -c, -m, a script */
    FRAZIL_MULTIPROCESSING, /* be a child of multiprocessing */
    FRAZIL_WARMING, /* import modules, and have a snapshot made (docs/spec/snapshot.md) */
} frazil_mode;

typedef struct frazil_core {
    const icecube *image;
    const char *name; /* of the program, for messages */
    const char *executable; /* absolute path, "" when unknown */
    frazil_mode mode;
    int entry; /* number of the entry point, in FRAZIL_APPLICATION */
    int argc;
    char **argv;
    bool debug_import;
    void (*step)(const char *name); /* says under FRAZIL_DEBUG=start that a step of the start is done */
    void (*damaged)(const char *what, const icecube_error *error); /* prints */
} frazil_core;

#define FRAZIL_EXIT_DAMAGED 1
#define FRAZIL_EXIT_USAGE 2

/* The embedding's entries: start CPython, run what `core` says, return the exit code; */
int frazil_embed_main(const frazil_core *core);
/* or start it and leave it to the caller; 0, or the exit code after a message. */
int frazil_embed_start(const frazil_core *core);

#endif
