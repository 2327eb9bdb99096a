/* Replacing what is in use, calling nothing but the kernel (warm/exchange.h). */
#define _GNU_SOURCE
#include "warm/exchange.h"

#include <elf.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include "memfs/kernel.h"
#include "warm/pieces.h"
#include "warm/restartable.h"
#include "warm/restore.h"

#define STACK_GUARD 0x28 /* from the thread pointer: glibc's ABI for x86-64 */
#define POINTER_GUARD 0x30
#define SET_THREAD 0x1002 /* ARCH_SET_FS */

static uint64_t size_of_vdso(const Elf64_Ehdr *header)
{
    const Elf64_Phdr *one = (const Elf64_Phdr *)((uintptr_t)header + header->e_phoff);

    for (int i = 0; i < header->e_phnum; i++)
        if (one[i].p_type == PT_LOAD)
            return one[i].p_memsz;
    return 0;
}

/* Where the dynamic linker keeps addresses of the vDSO: the snapshot's process was not shown any. They are among its constants;
 * what it has allocated behind its data is another thing in each process. */
static void keep_vdso(frazil_exchange *with, uint64_t moved_by, const snapshot_piece *piece)
{
    const uint64_t *at = (const uint64_t *)(piece->address - moved_by);

    for (uint64_t i = 0; i < piece->size / 8; i++)
        if (at[i] - with->vdso < with->vdso_size && with->linker_words < 32) {
            with->vdso_words[with->linker_words].address = piece->address + i * 8;
            with->vdso_words[with->linker_words++].value = at[i];
        }
}

static uint64_t end_of_stack(uint32_t what)
{
    char **at = FRAZIL_FRESH->environment;

    if (what == SNAPSHOT_ARGUMENTS)
        return (uintptr_t)FRAZIL_FRESH->argv;
    while (what == SNAPSHOT_AUXILIARY && *at++)
        ;
    return (uintptr_t)at;
}

void frazil_exchange_keep(frazil_exchange *with)
{
    uintptr_t thread = (uintptr_t)__builtin_thread_pointer();

    with->stack_guard = *(const uint64_t *)(thread + STACK_GUARD);
    with->pointer_guard = *(const uint64_t *)(thread + POINTER_GUARD);
    for (uint32_t i = 0; i < with->header->own.count; i++) {
        const snapshot_own *one = &with->own[i];
        uint64_t by = 0;
        if (one->object == SNAPSHOT_ARGUMENTS || one->object == SNAPSHOT_ENVIRONMENT || one->object == SNAPSHOT_AUXILIARY) {
            with->values[i] = end_of_stack(one->object);
            continue;
        }
        if (one->object == SNAPSHOT_THREAD)
            by = with->header->thread - thread;
        else if (one->object < with->header->objects.count)
            by = with->objects[one->object].base - with->bases.object[one->object];
        with->values[i] = *(const uint64_t *)(one->address - by);
    }
    with->vdso = getauxval(AT_SYSINFO_EHDR);
    with->vdso_size = with->vdso ? size_of_vdso((const Elf64_Ehdr *)with->vdso) : 0;
    while (with->linker < with->header->objects.count && with->bases.object[with->linker] != getauxval(AT_BASE))
        with->linker++;
    for (uint32_t i = 0; with->vdso && i < with->header->pieces.count; i++)
        if (frazil_piece_is_sealed(&with->pieces[i]) && with->linker < with->header->objects.count
            && with->pieces[i].object == with->linker + 1)
            keep_vdso(with, with->objects[with->linker].base - with->bases.object[with->linker], &with->pieces[i]);
}

void frazil_exchange_run(const frazil_exchange *with)
{
    const snapshot_header *header = with->header;
    uint64_t thread = header->thread;
    bool done = true;

    for (uint32_t i = 0; i < header->pieces.count; i++) {
        const snapshot_piece *piece = &with->pieces[i];
        if (piece->kind == PIECE_OBJECT) {
            uint64_t by = with->objects[piece->object - 1].base - with->bases.object[piece->object - 1];
            done &= frazil_piece_move(piece->address - by, piece->size, piece->address);
        } else if (piece->kind == PIECE_PROGRAM) {
            done &= frazil_pieces_move(with->data, piece, 1) != 0;
        } else if (piece->kind == PIECE_ZERO && piece->address < FRAZIL_WINDOW_LOW) {
            done &= frazil_piece_map(piece->address, piece->size, piece->protection, MAP_ANONYMOUS, -1, 0);
        }
    }
    for (uint32_t i = 0; done && i < header->own.count; i++)
        *(uint64_t *)with->own[i].address = with->values[i];
    for (uint32_t i = 0; done && i < header->mangled.count; i++) {
        uint64_t value = with->mangled[i].value ^ with->pointer_guard;
        *(uint64_t *)with->mangled[i].address = value << 17 | value >> 47;
    }
    for (uint32_t i = 0; done && i < with->linker_words; i++)
        *(uint64_t *)with->vdso_words[i].address = with->vdso_words[i].value;
    for (uint32_t i = 0; done && i < header->pieces.count; i++)
        if (frazil_piece_is_sealed(&with->pieces[i]))
            done &= frazil_piece_protect(&with->pieces[i], with->pieces[i].protection);
    if (!done)
        frazil_warm_give_up("memory cannot be replaced");
    *(uint64_t *)(thread + STACK_GUARD) = with->stack_guard;
    *(uint64_t *)(thread + POINTER_GUARD) = with->pointer_guard;
    frazil_kernel(SYS_arch_prctl, SET_THREAD, thread);
    *(uint32_t *)(thread + header->identity) = (uint32_t)frazil_kernel(SYS_set_tid_address, thread + header->identity);
    frazil_kernel(SYS_set_robust_list, header->robust, 24);
    if (header->restartable_size)
        frazil_kernel(
            SYS_rseq, thread + (uint64_t)header->restartable, header->restartable_size, 0, FRAZIL_RESTARTABLE_SIGNATURE);
    ((void (*)(void))header->resume)();
    __builtin_unreachable();
}
