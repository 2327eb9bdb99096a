/* The Python-facing part of the warm start (docs/spec/snapshot.md). */
#ifndef FRAZIL_PYTHON_WARM_H
#define FRAZIL_PYTHON_WARM_H

#include <stdbool.h>

#include "core.h"

/* Import what the builder asked for, and write the dump; the exit code. */
int frazil_warm_make(const frazil_core *core);

/* At the end of a restored process: true when nothing is left that finalization would do, and the streams were flushed. */
bool frazil_warm_leave(int *code);

/* Run what the process is for, and finalize; the exit code. */
int frazil_embed_run(const frazil_core *core);

#endif
