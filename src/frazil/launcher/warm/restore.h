/* For the embedding in a restored process. */
#ifndef FRAZIL_WARM_RESTORE_H
#define FRAZIL_WARM_RESTORE_H

#include "warm/key.h"

/* The locale that the process runs in. */
frazil_locale frazil_warm_locale(void);

/* The entry is about to run: faults are the program's own from now on. */
void frazil_warm_settled(void);

/* This process cannot go on as it is: execute the program again, cold. Does not return. */
void frazil_warm_give_up(const char *why);

#endif
