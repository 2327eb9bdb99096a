/* Making and removing names, for the calls that do. The lock is held. */
#ifndef FRAZIL_MEMFS_CHANGE_H
#define FRAZIL_MEMFS_CHANGE_H

#include <stddef.h>

#include "memfs/walk.h"

/* Make a node under the walk's last name, which is absent. `mode` has the type; `target` is a link's, or NULL. */
int frazil_make(const frazil_walk *walk, uint32_t mode, const char *target, frazil_node **node);

/* Take back what frazil_make made. */
void frazil_unmake(const frazil_walk *walk, frazil_node *node);

#endif
