/* What depends on the operating system, the processor and the C library. One .c file for each platform. */
#ifndef FRAZIL_PLATFORM_H
#define FRAZIL_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The segment that holds the image, of size 0 when the file does not hold all of it, and where it starts in the file; false
 * when the program has none. Needs no file and no /proc. */
bool frazil_platform_image(const void **base, size_t *size, uint64_t *offset);

/* The absolute path of the running executable with links resolved, also when it was deleted; "" when it cannot be known. */
void frazil_platform_executable(char *path, size_t size);

/* Whether the process has rights that who started it does not have (set-user-ID, set-group-ID, capabilities). */
bool frazil_platform_has_more_rights(void);

/* Have the program's data in memory before it is written to. */
void frazil_platform_prefault(void);

/* Nanoseconds of a clock that only goes forward. */
uint64_t frazil_platform_now(void);

#endif
