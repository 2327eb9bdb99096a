/* Libraries of a restored process (warm/loaded.h). */
#include "warm/loaded.h"

void frazil_loaded_restore(const frazil_snapshot *snapshot)
{
    (void)snapshot;
}
