/* Extended attributes of nodes (xattr(7)), with the rules of tmpfs; ACLs and file capabilities are refused. The lock is held.
 */
#ifndef FRAZIL_MEMFS_XATTR_H
#define FRAZIL_MEMFS_XATTR_H

#include "memfs/node.h"

/* Each returns what its system call does, or a negative errno. */
long frazil_xattr_get(const frazil_node *node, const char *name, void *value, size_t size);
long frazil_xattr_set(frazil_node *node, const char *name, const void *value, size_t size, int flags);
long frazil_xattr_list(const frazil_node *node, char *list, size_t size);
long frazil_xattr_remove(frazil_node *node, const char *name);

/* Forget all attributes; the node is about to be freed. */
void frazil_xattr_free(frazil_node *node);

#endif
