/* Warm start: a snapshot of the initialised process, made at build time and mapped back at start (docs/spec/snapshot.md).
 *
 * Only launchers of executables that were built warm have this folder; the core's other parts refer to it by weak symbols. */
#ifndef FRAZIL_WARM_WARM_H
#define FRAZIL_WARM_WARM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core.h"

/* argv[0] that asks for a snapshot to be made: argv[1] is the directory it goes to, the rest are names of modules. */
#define FRAZIL_WARM_MAKER "/memfs:/bin/frazil-warm"
/* argv[0] that asks for a warm start without running the entry: the builder tries each snapshot so. */
#define FRAZIL_WARM_TRIAL "/memfs:/bin/frazil-warm-trial"
/* In the environment of a program that starts again, cold, after a fault; removed at once. */
#define FRAZIL_WARM_COLD "FRAZIL_START_COLD"
#define FRAZIL_WARM_AFTER_FAULT "fault" /* its value, if it was a fault */

typedef enum frazil_warm_state {
    FRAZIL_WARM_OFF, /* a cold start, or none of ours yet */
    FRAZIL_WARM_MAKING, /* memory comes from the region, and what is asked of the system is recorded */
    FRAZIL_WARM_DUMPING,
    FRAZIL_WARM_RESTORED,
} frazil_warm_state;

extern frazil_warm_state frazil_warm;

/* What the embedding does in a restored process; set while the snapshot is made. Returns the exit code. */
extern int (*frazil_warm_resume)(const frazil_core *core);

/* Whether this process was started as one that a snapshot is to be made of; then it is from now on. Its arguments are replaced
 * by ones that are the same in every such process. */
bool frazil_warm_begin(int *argc, char ***argv);

/* What the builder asked for: the names of modules, NULL after the last. */
char **frazil_warm_modules(void);

/* Write what this process is. Nothing but exiting can follow; 0, or an errno value. */
int frazil_warm_dump(void);

/* A setting of the image; NULL for one that it does not have, or when the image is damaged. */
typedef const char *frazil_setting(const char *name);

/* Map the snapshot back, if there is one and it fits; returns when there is none or it does not, and this process is as before.
 * `debug`: say on the standard error stream what was decided. `begun`: nanoseconds, when main did. */
void frazil_warm_start(int argc, char **argv, bool debug, uint64_t begun, frazil_setting *setting);

/* Where the restored process goes on (start.c). */
__attribute__((noreturn)) void frazil_go_on(int argc, char **argv, uint64_t begun);

typedef enum frazil_look {
    FRAZIL_LOOK_OPEN, /* or to list a directory */
    FRAZIL_LOOK_STATUS,
    FRAZIL_LOOK_ACCESS,
    FRAZIL_LOOK_LINK,
    FRAZIL_LOOK_REAL_PATH,
    FRAZIL_LOOK_CHANGE, /* it is made, removed or named otherwise */
    FRAZIL_LOOK_RUN,
} frazil_look;

/* While a snapshot is made (libc/asked.h): what is looked at outside memfs. */
void frazil_warm_saw(frazil_look look, int directory, const char *path, int detail);
void frazil_warm_saw_directory(void);
void frazil_warm_saw_umask(void);

/* While a snapshot is made: a library is loaded from this file, which only this process has. */
void frazil_warm_loads(int file);

#endif
