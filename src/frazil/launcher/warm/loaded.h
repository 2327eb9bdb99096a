/* Libraries of a restored process: they are mapped, and the dynamic linker does not know them. */
#ifndef FRAZIL_WARM_LOADED_H
#define FRAZIL_WARM_LOADED_H

#include "warm/key.h"

/* Take over the libraries that the snapshot lists. */
void frazil_loaded_restore(const frazil_snapshot *snapshot);

#endif
