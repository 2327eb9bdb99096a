/* A second open file description of a file's memfd. The lock is held. */
#ifndef FRAZIL_MEMFS_REOPEN_H
#define FRAZIL_MEMFS_REOPEN_H

#include <stdbool.h>

#include "memfs/node.h"

/* A new descriptor with an offset, access mode and flags of its own, or a negative errno; -ENOENT, -ENOTDIR or -EACCES mean
 * that there is no way here. `guest`: frazil_is_guest. */
int frazil_reopen(frazil_node *node, int flags, bool guest);

/* The same for any descriptor, through /proc. */
int frazil_reopen_fd(int fd, int flags, bool guest);

/* Close what is kept for that. */
void frazil_reopen_forget(void);

/* Close it if it is this descriptor. */
bool frazil_reopen_yield(int fd);

#endif
