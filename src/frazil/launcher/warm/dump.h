/* Writing the snapshot of this process (docs/spec/snapshot.md). */
#ifndef FRAZIL_WARM_DUMP_H
#define FRAZIL_WARM_DUMP_H

#include <stdint.h>

/* The program begins: what is loaded now is loaded in every process of it. */
void frazil_dump_begin(void);

/* Write a snapshot, all but its conditions, to "snapshot" in the directory, and to "layout" what else the builder wants to
 * know. The process can only exit afterwards. 0, or an errno value. The directory's name is forgotten.
 * `resume` is where a restored process goes on. */
int frazil_dump_write(char *directory, uintptr_t resume);

#endif
