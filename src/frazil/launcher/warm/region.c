/* The region's allocator (warm/region.h). */
#define _GNU_SOURCE
#include "warm/region.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define SPAN 16384ul
#define SPANS (FRAZIL_REGION_SIZE / SPAN)
#define PAGE 4096ul

/* Classes of small blocks: every 16 bytes up to 1024, then four between powers of two, up to 8 KiB. */
#define FINE 64u
#define CLASSES (FINE + 12u)
#define SMALL_AT_MOST 8192ul

/* What a span is, beside the classes 1 to CLASSES. */
#define UNUSED 0
#define RUN 254 /* the first span of a large block */
#define REST 253 /* the spans behind it */

typedef struct run {
    size_t size; /* of the block */
    size_t spans;
    size_t lead; /* from the run's start to the block */
} run;

typedef struct region {
    size_t spans_used;
    uint8_t *cursor[CLASSES + 1]; /* in the span that blocks of the class are taken from */
    uint8_t *limit[CLASSES + 1];
    void *freed[CLASSES + 1];
    uint8_t kinds[SPANS];
} region;

#define HERE ((region *)FRAZIL_REGION_ADDRESS)
#define SPAN_AT(number) ((uint8_t *)FRAZIL_REGION_ADDRESS + (number) * SPAN)

static char busy;

static void lock(void)
{
    while (__atomic_test_and_set(&busy, __ATOMIC_ACQUIRE))
        ;
}

static void unlock(void)
{
    __atomic_clear(&busy, __ATOMIC_RELEASE);
}

static unsigned class_of(size_t size)
{
    if (size <= FINE * 16)
        return size == 0 ? 1 : (unsigned)((size + 15) / 16);
    int power = 63 - __builtin_clzl(size - 1);
    return FINE + (unsigned)(power - 10) * 4 + (unsigned)(((size - 1) >> (power - 2)) & 3) + 1;
}

static size_t class_size(unsigned class)
{
    if (class <= FINE)
        return class * 16;
    unsigned above = class - FINE - 1;
    return (1ul << (10 + above / 4)) + (above % 4 + 1) * (1ul << (8 + above / 4));
}

bool frazil_region_make(void)
{
    void *address = (void *)FRAZIL_REGION_ADDRESS;

    if (mmap(address, FRAZIL_REGION_SIZE, PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0)
        != address)
        return false;
    HERE->spans_used = (sizeof(region) + SPAN - 1) / SPAN;
    return true;
}

static size_t number_of(const void *block)
{
    return ((uintptr_t)block - FRAZIL_REGION_ADDRESS) / SPAN;
}

static void *allocate_large(size_t size, size_t alignment)
{
    size_t lead = alignment > sizeof(run) ? alignment : (sizeof(run) + 15) & ~15ul;
    size_t wanted = (lead + size + SPAN - 1) / SPAN, first = HERE->spans_used;

    /* First fit among the runs that were freed, which are UNUSED spans below. */
    for (size_t at = 0, found = 0; at < HERE->spans_used; at++) {
        found = HERE->kinds[at] == UNUSED && at >= (sizeof(region) + SPAN - 1) / SPAN ? found + 1 : 0;
        if (found == wanted) {
            first = at + 1 - wanted;
            break;
        }
    }
    if (alignment > SPAN || first + wanted > SPANS)
        return NULL;
    if (first == HERE->spans_used)
        HERE->spans_used += wanted;
    memset(&HERE->kinds[first], REST, wanted);
    HERE->kinds[first] = RUN;
    *(run *)SPAN_AT(first) = (run){size, wanted, lead};
    return SPAN_AT(first) + lead;
}

static void *allocate_small(unsigned class)
{
    size_t size = class_size(class);
    void *block = HERE->freed[class];

    if (block) {
        HERE->freed[class] = *(void **)block;
        *(void **)block = NULL;
        return block;
    }
    if (HERE->cursor[class] + size > HERE->limit[class] || !HERE->cursor[class]) {
        if (HERE->spans_used == SPANS)
            return NULL;
        HERE->kinds[HERE->spans_used] = (uint8_t)class;
        HERE->cursor[class] = SPAN_AT(HERE->spans_used);
        HERE->limit[class] = HERE->cursor[class] + SPAN;
        HERE->spans_used++;
    }
    block = HERE->cursor[class];
    HERE->cursor[class] += size;
    return block;
}

/* Blocks of a power of two are aligned to it, since spans are. */
static unsigned aligned_class(size_t size, size_t alignment)
{
    size_t rounded = alignment;

    if (alignment <= 16)
        return class_of(size);
    while (rounded < size)
        rounded *= 2;
    return class_of(rounded);
}

void *frazil_region_allocate(size_t size, size_t alignment)
{
    void *block;

    lock();
    if (size > SMALL_AT_MOST || alignment > SMALL_AT_MOST || (alignment > 16 && size > SMALL_AT_MOST / 2))
        block = size > FRAZIL_REGION_SIZE ? NULL : allocate_large(size, alignment);
    else
        block = allocate_small(aligned_class(size, alignment));
    unlock();
    if (!block)
        errno = ENOMEM;
    return block;
}

static run *run_of(const void *block)
{
    size_t number = number_of(block);

    while (HERE->kinds[number] == REST)
        number--;
    return (run *)SPAN_AT(number);
}

static bool is_large(const void *block)
{
    uint8_t kind = HERE->kinds[number_of(block)];

    return kind == RUN || kind == REST;
}

size_t frazil_region_size_of(const void *block)
{
    return is_large(block) ? run_of(block)->size : class_size(HERE->kinds[number_of(block)]);
}

static void free_large(run *of)
{
    size_t first = number_of(of), spans = of->spans;

    memset(of, 0, spans * SPAN);
    memset(&HERE->kinds[first], UNUSED, spans);
}

void frazil_region_free(void *block)
{
    lock();
    if (is_large(block)) {
        free_large(run_of(block));
    } else {
        unsigned class = HERE->kinds[number_of(block)];
        memset(block, 0, class_size(class));
        *(void **)block = HERE->freed[class];
        HERE->freed[class] = block;
    }
    unlock();
}

size_t frazil_region_used(void)
{
    return HERE->spans_used * SPAN;
}
