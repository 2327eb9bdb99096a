/* What is asked of the system while a snapshot is made (warm/record.h). Each function stands in the place of libc's. */
#include "libc/real.h"

#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "memfs/kernel.h"
#include "warm/record.h"
#include "warm/warm.h"

/* -- files ------------------------------------------------------------------------------------------------------------ */

void frazil_warm_saw(const char *path)
{
    if (frazil_is_making() && *path == '/')
        frazil_record_note("file", path, NULL);
}

/* -- environment ------------------------------------------------------------------------------------------------------ */

FRAZIL_EXPORT char *getenv(const char *name)
{
    char *value = FRAZIL_REAL_OF(getenv)(name);

    if (frazil_is_making())
        frazil_record_note("variable", name, value);
    return value;
}

FRAZIL_EXPORT char *secure_getenv(const char *name)
{
    char *value = FRAZIL_REAL_OF(secure_getenv)(name);

    if (frazil_is_making())
        frazil_record_note("variable", name, value);
    return value;
}

/* -- the system ------------------------------------------------------------------------------------------------------- */

FRAZIL_EXPORT int gethostname(char *name, size_t size)
{
    if (frazil_is_making())
        frazil_record_note("host", "name", NULL);
    return FRAZIL_REAL_OF(gethostname)(name, size);
}

FRAZIL_EXPORT int uname(struct utsname *names)
{
    if (frazil_is_making())
        frazil_record_note("host", "uname", NULL);
    return FRAZIL_REAL_OF(uname)(names);
}
