/* The C functions that are registered as storages: the core's side of frazil.h. Knows nothing of Python. */
#ifndef FRAZIL_STORAGES_H
#define FRAZIL_STORAGES_H

#include "frazil.h"

/* Ask the functions in the order of their registration until one does not say FRAZIL_NOT_HERE; its answer. */
int frazil_ask_storages(const char *name, const void **data, size_t *size);

#endif
