/* File actions of posix_spawn that would close what the child needs. */
#ifndef FRAZIL_SPAWN_H
#define FRAZIL_SPAWN_H

#include <spawn.h>

/* The number under which a child that starts with these actions has `fd`: another one when they close all descriptors from some
 * number on as their last. The actions are changed until frazil_spawn_restore; nobody else may use them. */
int frazil_spawn_keep(const posix_spawn_file_actions_t *actions, int fd);
void frazil_spawn_restore(const posix_spawn_file_actions_t *actions);

#endif
