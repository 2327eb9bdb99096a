/* Libraries of a restored process (warm/loaded.h). */
#define _GNU_SOURCE
#include "libc/real.h"

#include <elf.h>
#include <link.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "memfs/kernel.h"
#include "warm/loaded.h"
#include "warm/warm.h"

#define THREAD_MODULE (1ul << 32) /* + number of the library: its thread-local module */
#define LIBRARIES_AT_MOST 1024u
#define HANDLES 0x4652000000000000ul /* + number of the library: a handle, where no address can be */

static const snapshot_library *libraries;
static uint32_t library_count;
static frazil_snapshot held;

void frazil_loaded_restore(const frazil_snapshot *snapshot)
{
    held = *snapshot;
    libraries = frazil_snapshot_table(snapshot, snapshot->header->libraries);
    library_count = snapshot->header->libraries.count;
}

static const char *name_of(const snapshot_library *library)
{
    return frazil_snapshot_text(&held, library->name);
}

void *frazil_loaded_handle(const char *name)
{
    for (uint32_t i = 0; i < library_count; i++)
        if (strcmp(name_of(&libraries[i]), name) == 0)
            return (void *)(HANDLES + i);
    return NULL;
}

static const snapshot_library *library_at(const void *address)
{
    for (uint32_t i = 0; i < library_count; i++)
        if ((uintptr_t)address >= libraries[i].low && (uintptr_t)address < libraries[i].high)
            return &libraries[i];
    return NULL;
}

const char *frazil_loaded_at(const void *address, void **base)
{
    const snapshot_library *library = library_at(address);

    if (!library)
        return NULL;
    *base = (void *)library->low;
    return name_of(library);
}

/* -- symbols ---------------------------------------------------------------------------------------------------------- */

static uint32_t hash_of(const char *name)
{
    uint32_t hash = 5381;

    for (; *name; name++)
        hash = hash * 33 + (unsigned char)*name;
    return hash;
}

static void *find_symbol(const snapshot_library *library, const char *name)
{
    const Elf64_Phdr *headers = (const Elf64_Phdr *)library->headers;
    const Elf64_Dyn *dynamic = NULL;
    const Elf64_Sym *symbols = NULL;
    const char *strings = NULL;
    const uint32_t *table = NULL;
    uint32_t hash = hash_of(name);

    for (uint32_t i = 0; i < library->header_count; i++)
        if (headers[i].p_type == PT_DYNAMIC)
            dynamic = (const Elf64_Dyn *)headers[i].p_vaddr;
    for (; dynamic && dynamic->d_tag != DT_NULL; dynamic++) {
        if (dynamic->d_tag == DT_SYMTAB)
            symbols = (const Elf64_Sym *)dynamic->d_un.d_ptr;
        else if (dynamic->d_tag == DT_STRTAB)
            strings = (const char *)dynamic->d_un.d_ptr;
        else if (dynamic->d_tag == DT_GNU_HASH)
            table = (const uint32_t *)dynamic->d_un.d_ptr;
    }
    if (!symbols || !strings || !table || table[0] == 0)
        return NULL;
    const uint32_t *buckets = table + 4 + 2 * table[2], *chains = buckets + table[0];
    for (uint32_t at = buckets[hash % table[0]]; at >= table[1]; at++) {
        uint32_t here = chains[at - table[1]];
        const Elf64_Sym *symbol = &symbols[at];
        if ((here | 1) == (hash | 1) && symbol->st_shndx != SHN_UNDEF && strcmp(strings + symbol->st_name, name) == 0) {
            if (ELF64_ST_TYPE(symbol->st_info) == STT_GNU_IFUNC)
                return ((void *(*)(void))symbol->st_value)();
            return (void *)symbol->st_value;
        }
        if (here & 1)
            break;
    }
    return NULL;
}

/* dlsym for a handle of ours: the library itself, then all others, as the libraries that it needs are among them. */
__attribute__((used)) void *frazil_loaded_dlsym(const void *handle, const char *name)
{
    uint64_t number = (uintptr_t)handle - HANDLES;
    void *found = number < library_count ? find_symbol(&libraries[number], name) : NULL;

    for (uint32_t i = 0; i < library_count && !found; i++)
        found = find_symbol(&libraries[i], name);
    return found;
}

void *frazil_real_dlsym __attribute__((used));

__attribute__((used)) void *frazil_find_dlsym(void)
{
    return frazil_real_dlsym = dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.2.5");
}

/* A jump to libc's own, which must see who called: it looks behind the caller for RTLD_NEXT. */
__asm__(".text\n"
        ".globl dlsym\n"
        ".type dlsym, @function\n"
        "dlsym:\n"
        "    endbr64\n"
        "    movq %rdi, %rax\n"
        "    shrq $48, %rax\n"
        "    cmpl $0x4652, %eax\n"
        "    je frazil_loaded_dlsym\n"
        "    movq frazil_real_dlsym(%rip), %rax\n"
        "    testq %rax, %rax\n"
        "    jne 1f\n"
        "    pushq %rdi\n"
        "    pushq %rsi\n"
        "    subq $8, %rsp\n"
        "    call frazil_find_dlsym\n"
        "    addq $8, %rsp\n"
        "    popq %rsi\n"
        "    popq %rdi\n"
        "1:  jmp *%rax\n"
        ".size dlsym, .-dlsym\n");

FRAZIL_EXPORT int dlclose(void *handle)
{
    return (uintptr_t)handle >> 48 == HANDLES >> 48 ? 0 : FRAZIL_REAL_OF(dlclose)(handle);
}

/* -- thread-local variables ------------------------------------------------------------------------------------------- */

typedef struct thread_variable {
    unsigned long module;
    unsigned long offset;
} thread_variable;

static _Thread_local void **blocks;
static pthread_key_t blocks_key;
static pthread_once_t blocks_once = PTHREAD_ONCE_INIT;

static void free_blocks(void *of)
{
    void **all = of;

    for (uint32_t i = 0; i < library_count; i++)
        free(all[i]);
    free(all);
    blocks = NULL;
}

static void make_key(void)
{
    pthread_key_create(&blocks_key, free_blocks);
}

/* The first block is the one that the snapshot's main thread had; other threads begin with the library's own. */
static void *make_block(const snapshot_library *library, bool first)
{
    size_t alignment = library->thread_alignment;
    void *made = aligned_alloc(alignment, (library->thread_size + alignment - 1) & ~(alignment - 1));

    if (!made)
        abort(); /* as libc does when it has no memory for thread-local variables */
    memset(made, 0, library->thread_size);
    if (first && library->thread_block)
        memcpy(made, held.data + library->thread_block, library->thread_size);
    else
        memcpy(made, (const void *)library->thread_image, library->thread_image_size);
    return made;
}

static void *block_of(unsigned long number)
{
    static char taken[LIBRARIES_AT_MOST]; /* whether a thread had the first block: the main thread has it always */

    pthread_once(&blocks_once, make_key);
    if (!blocks) {
        blocks = calloc(library_count, sizeof *blocks);
        if (!blocks)
            abort();
        pthread_setspecific(blocks_key, blocks);
    }
    if (!blocks[number])
        blocks[number] = make_block(&libraries[number],
            frazil_kernel(SYS_gettid, 0) == frazil_kernel(SYS_getpid, 0)
                && !__atomic_test_and_set(&taken[number], __ATOMIC_RELAXED));
    return blocks[number];
}

extern void *__tls_get_addr(thread_variable *of);

FRAZIL_EXPORT void *__tls_get_addr(thread_variable *of)
{
    if (__builtin_expect(of->module < THREAD_MODULE, 1))
        return FRAZIL_REAL_OF(__tls_get_addr)(of);
    unsigned long number = of->module - THREAD_MODULE;
    void *block = blocks ? blocks[number] : NULL;
    return (char *)(block ? block : block_of(number)) + of->offset;
}

/* -- unwinding -------------------------------------------------------------------------------------------------------- */

FRAZIL_EXPORT int dl_iterate_phdr(int (*visit)(struct dl_phdr_info *, size_t, void *), void *context)
{
    int result = FRAZIL_REAL_OF(dl_iterate_phdr)(visit, context);

    for (uint32_t i = 0; i < library_count && result == 0; i++) {
        struct dl_phdr_info info = {
            .dlpi_name = name_of(&libraries[i]),
            .dlpi_phdr = (const ElfW(Phdr) *)libraries[i].headers,
            .dlpi_phnum = (ElfW(Half))libraries[i].header_count,
        };
        result = visit(&info, sizeof info, context);
    }
    return result;
}

#ifdef DLFO_STRUCT_HAS_EH_DBASE
FRAZIL_EXPORT int _dl_find_object(void *address, struct dl_find_object *found)
{
    const snapshot_library *library = library_at(address);

    if (!library)
        return FRAZIL_REAL_OF(_dl_find_object)(address, found);
    const Elf64_Phdr *headers = (const Elf64_Phdr *)library->headers;
    for (uint32_t i = 0; i < library->header_count; i++)
        if (headers[i].p_type == PT_GNU_EH_FRAME) {
            memset(found, 0, sizeof *found);
            found->dlfo_map_start = (void *)library->low;
            found->dlfo_map_end = (void *)library->high;
            found->dlfo_eh_frame = (void *)headers[i].p_vaddr;
            return 0;
        }
    return -1;
}
#endif
