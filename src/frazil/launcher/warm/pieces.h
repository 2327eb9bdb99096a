/* The pieces of a snapshot: checking them, and putting them in their places. */
#ifndef FRAZIL_WARM_PIECES_H
#define FRAZIL_WARM_PIECES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#include "memfs/kernel.h"
#include "warm/key.h"
#include "warm/window.h"

/* Each lies where it may, in memory and in the snapshot. */
bool frazil_pieces_are_sound(const frazil_snapshot *snapshot);

/* Their checksums hold. */
bool frazil_pieces_hold(const frazil_snapshot *snapshot);

/* Put in place all that is nowhere in use. */
bool frazil_pieces_put(const frazil_snapshot *snapshot);

static inline const snapshot_piece *frazil_pieces_of(const frazil_snapshot *snapshot)
{
    return frazil_snapshot_table(snapshot, snapshot->header->pieces);
}

/* -- what the exchange does, too: they call nothing but the kernel ------------------------------------------------------- */

static inline bool frazil_piece_map(
    uint64_t address, uint64_t size, uint32_t protection, long flags, long file, uint64_t offset)
{
    return frazil_kernel(SYS_mmap, address, size, protection, MAP_PRIVATE | MAP_FIXED | flags, file, offset) == (long)address;
}

/* Move pages of the snapshot, or of an object, to where they belong. */
static inline bool frazil_piece_move(uint64_t from, uint64_t size, uint64_t to)
{
    return frazil_kernel(SYS_mremap, from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to) == (long)to;
}

/* Constants of the program and of libraries that every process has: words of them are this process's own. */
static inline bool frazil_piece_is_sealed(const snapshot_piece *piece)
{
    return !(piece->protection & PROT_WRITE) && (piece->kind == PIECE_PROGRAM || (piece->kind == PIECE_PAGES && piece->object));
}

static inline bool frazil_piece_protect(const snapshot_piece *piece, uint32_t protection)
{
    return frazil_kernel(SYS_mprotect, piece->address, piece->size, protection) == 0;
}

/* Whether the piece goes on where the other ends, in memory and in the snapshot. */
static inline bool frazil_piece_continues(const snapshot_piece *piece, const snapshot_piece *before)
{
    return piece->kind == before->kind && piece->address == before->address + before->size
        && piece->offset == before->offset + before->size;
}

/* Move pages of the snapshot to where they belong, with those of the pieces that go on there: they can be written to. How many
 * pieces that were; 0 when it cannot be. */
static inline uint32_t frazil_pieces_move(const uint8_t *data, const snapshot_piece *pieces, uint32_t count)
{
    uint64_t size = pieces[0].size;
    uint32_t moved = 1;

    for (; moved < count && frazil_piece_continues(&pieces[moved], &pieces[moved - 1]); moved++)
        size += pieces[moved].size;
    if (!frazil_piece_move((uintptr_t)data + pieces[0].offset, size, pieces[0].address))
        return 0;
    for (uint32_t i = 0; i < moved; i++)
        if (pieces[i].protection != (PROT_READ | PROT_WRITE) && !frazil_piece_is_sealed(&pieces[i])
            && !frazil_piece_protect(&pieces[i], pieces[i].protection))
            return 0;
    return moved;
}

#endif
