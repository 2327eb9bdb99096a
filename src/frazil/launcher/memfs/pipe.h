/* Named pipes: a name in memfs, and a pipe of the kernel behind it. */
#ifndef FRAZIL_MEMFS_PIPE_H
#define FRAZIL_MEMFS_PIPE_H

#include "memfs/node.h"

/* The lock is held. */

/* Give a new node its pipe; -EPERM where a pipe cannot be opened by its descriptor (no /proc). */
int frazil_pipe_make(frazil_node *node);

/* A new descriptor, or a negative errno. */
int frazil_pipe_open(const frazil_node *node, int flags, bool guest);

/* Let go of the pipe; the node is about to be freed. */
void frazil_pipe_free(frazil_node *node);

/* Give up the number `fd` if a pipe is kept there: 0 or a negative errno; -EBUSY when none is. */
int frazil_pipe_yield(int fd);

/* The lock is not held. */

/* Wait until someone has the other end open, as open(2) does. Returns `fd` or a negative errno. */
int frazil_pipe_wait(int fd, int flags);

#endif
