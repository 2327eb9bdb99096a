/* Checking the pieces of a snapshot, and putting in place what is nowhere in use (warm/pieces.h). */
#define _GNU_SOURCE
#include "warm/pieces.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>

#include "image/crc32.h"
#include "platform/platform.h"

static bool is_in_window(const frazil_snapshot *snapshot, const snapshot_piece *piece)
{
    const snapshot_header *header = snapshot->header;

    return piece->address >= header->low && piece->address <= header->high && piece->size <= header->high - piece->address;
}

/* The end of the stack of the process that the snapshot was made of. */
static bool is_in_stack(const snapshot_piece *piece)
{
    const uint64_t end = FRAZIL_WINDOW_STACK + FRAZIL_WINDOW_STACK_SIZE;

    return piece->kind == PIECE_PAGES && piece->address >= FRAZIL_WINDOW_STACK && piece->address <= end
        && piece->size <= end - piece->address;
}

/* The program's writable segments: the only place outside of the window that pieces may have. */
static bool is_in_program(const snapshot_piece *piece)
{
    const Elf64_Phdr *headers = (const Elf64_Phdr *)getauxval(AT_PHDR);

    for (unsigned long i = 0; i < getauxval(AT_PHNUM); i++) {
        uint64_t low = frazil_page_down(headers[i].p_vaddr), high = frazil_page_up(headers[i].p_vaddr + headers[i].p_memsz);
        if (headers[i].p_type == PT_LOAD && headers[i].p_flags & PF_W && headers[i].p_vaddr != FRAZIL_SNAPSHOT_ADDRESS
            && piece->address >= low && piece->address <= high && piece->size <= high - piece->address)
            return true;
    }
    return false;
}

static bool is_sound(const frazil_snapshot *snapshot, const snapshot_piece *piece)
{
    bool held = piece->kind == PIECE_PAGES || piece->kind == PIECE_PROGRAM;

    if (((piece->address | piece->size | piece->offset) & (FRAZIL_PAGE - 1)) != 0 || piece->size == 0)
        return false;
    if (held && (piece->offset > snapshot->header->tables || piece->size > snapshot->header->tables - piece->offset))
        return false;
    if ((piece->kind == PIECE_OBJECT || piece->kind == PIECE_FILE) && piece->object == 0)
        return false;
    if (piece->object > snapshot->header->objects.count)
        return false;
    if (piece->kind == PIECE_PROGRAM || (piece->kind == PIECE_ZERO && piece->address < FRAZIL_WINDOW_LOW))
        return is_in_program(piece);
    return is_in_window(snapshot, piece) || is_in_stack(piece);
}

bool frazil_pieces_are_sound(const frazil_snapshot *snapshot)
{
    for (uint32_t i = 0; i < snapshot->header->pieces.count; i++)
        if (!is_sound(snapshot, &frazil_pieces_of(snapshot)[i]))
            return false;
    return snapshot->header->low >= FRAZIL_WINDOW_LOW && snapshot->header->low < snapshot->header->high
        && snapshot->header->high <= FRAZIL_WINDOW_HIGH && snapshot->header->own.count <= SNAPSHOT_OWN_AT_MOST;
}

/* Pages are read where the kernel mapped them with the program; the entries of the page table move with them. */
bool frazil_pieces_hold(const frazil_snapshot *snapshot)
{
    const snapshot_piece *pieces = frazil_pieces_of(snapshot);

    for (uint32_t i = 0; i < snapshot->header->pieces.count; i++) {
        const snapshot_piece *piece = &pieces[i];
        if ((piece->kind == PIECE_PAGES || piece->kind == PIECE_PROGRAM)
            && frazil_crc32(0, snapshot->data + piece->offset, piece->size) != piece->crc)
            return false;
    }
    return true;
}

/* Without /proc the executable cannot be opened: its bytes are in the image, which is mapped. */
static bool copy_executable(const snapshot_piece *piece)
{
    const void *image;
    size_t size;
    uint64_t offset;

    if (!frazil_platform_image(&image, &size, &offset) || piece->offset < offset || piece->offset - offset > size
        || piece->size > size - (piece->offset - offset)
        || !frazil_piece_map(piece->address, piece->size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS, -1, 0))
        return false;
    memcpy((void *)piece->address, (const uint8_t *)image + (piece->offset - offset), piece->size);
    return frazil_kernel(SYS_mprotect, piece->address, piece->size, piece->protection) == 0;
}

static bool put_file(const frazil_snapshot *snapshot, const snapshot_piece *piece)
{
    const snapshot_object *objects = frazil_snapshot_table(snapshot, snapshot->header->objects);
    const char *path = frazil_snapshot_text(snapshot, objects[piece->object - 1].name);
    long file = frazil_kernel(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    bool mapped = file >= 0 && frazil_piece_map(piece->address, piece->size, piece->protection, 0, file, piece->offset);

    if (file >= 0)
        frazil_kernel(SYS_close, file);
    return mapped;
}

/* How many pieces were put in their place, from the first of `count`; 0 when that cannot be. */
static uint32_t put(const frazil_snapshot *snapshot, const snapshot_piece *piece, uint32_t count, int executable)
{
    switch (piece->kind) {
    case PIECE_PAGES:
        return !is_in_stack(piece) || frazil_window_reserve(piece->address, piece->size)
            ? frazil_pieces_move(snapshot->data, piece, count)
            : 0;
    case PIECE_ZERO:
        return piece->address < FRAZIL_WINDOW_LOW
            || frazil_piece_map(piece->address, piece->size, piece->protection, MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    case PIECE_EXECUTABLE:
        return executable >= 0 ? frazil_piece_map(piece->address, piece->size, piece->protection, 0, executable, piece->offset)
                               : copy_executable(piece);
    case PIECE_FILE:
        return put_file(snapshot, piece);
    default:
        return 1; /* later */
    }
}

static bool has_kind(const frazil_snapshot *snapshot, uint32_t kind)
{
    for (uint32_t i = 0; i < snapshot->header->pieces.count; i++)
        if (frazil_pieces_of(snapshot)[i].kind == kind)
            return true;
    return false;
}

bool frazil_pieces_put(const frazil_snapshot *snapshot)
{
    bool opens = has_kind(snapshot, PIECE_EXECUTABLE);
    uint32_t count = snapshot->header->pieces.count, done = 1;
    int executable = opens ? (int)frazil_kernel(SYS_openat, AT_FDCWD, "/proc/self/exe", O_RDONLY | O_CLOEXEC, 0) : -1;

    for (uint32_t i = 0; done && i < count; i += done)
        done = put(snapshot, &frazil_pieces_of(snapshot)[i], count - i, executable);
    if (executable >= 0)
        frazil_kernel(SYS_close, executable);
    return done != 0;
}
