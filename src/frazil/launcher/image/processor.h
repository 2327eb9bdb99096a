/* What the processor can do, as glibc (2.33 and later) found out at its start: on virtual machines each cpuid instruction costs
 * some microseconds. */
#ifndef FRAZIL_IMAGE_PROCESSOR_H
#define FRAZIL_IMAGE_PROCESSOR_H

#include <cpuid.h>
#include <stdbool.h>
#include <stdint.h>

enum { FRAZIL_EAX, FRAZIL_EBX, FRAZIL_ECX, FRAZIL_EDX };

typedef struct frazil_leaf {
    uint32_t found[4];
    uint32_t usable[4]; /* the system keeps the registers that it needs */
} frazil_leaf;

/* By glibc's numbers: 0 is leaf 1, 1 is leaf 7. */
extern const frazil_leaf *__x86_get_cpuid_feature_leaf(unsigned number) __attribute__((weak));
#define FRAZIL_LEAVES 9

static inline bool frazil_system_keeps_wide_registers(void)
{
    unsigned a, b, c, d, low, high;

    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
        return false;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & 6) == 6;
}

/* Whether programs can use all of these features; `leaf` is 1 or 7. */
static inline bool frazil_processor_has(unsigned leaf, int place, uint32_t features)
{
    uint32_t found[4];

    if (__x86_get_cpuid_feature_leaf)
        return (__x86_get_cpuid_feature_leaf(leaf == 7)->usable[place] & features) == features;
    return __get_cpuid_count(leaf, 0, &found[FRAZIL_EAX], &found[FRAZIL_EBX], &found[FRAZIL_ECX], &found[FRAZIL_EDX])
        && (found[place] & features) == features && (leaf != 7 || frazil_system_keeps_wide_registers());
}

#endif
