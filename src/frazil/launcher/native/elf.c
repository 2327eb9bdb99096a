/* Reader of shared objects: see native/elf.h. Structures are copied out of the content, so that its alignment does not matter.
 */
#include "native/elf.h"

#include <elf.h>
#include <string.h>

/* A bound on the work that a damaged count can cause; the largest real objects have some dozen of each. */
#define MOST_HEADERS 512
#define MOST_ENTRIES 65536

static bool inside(size_t size, uint64_t offset, uint64_t length)
{
    return offset <= size && length <= size - offset;
}

static Elf64_Phdr header_at(const frazil_elf *elf, size_t index)
{
    Elf64_Phdr header;

    memcpy(&header, elf->data + elf->headers_offset + index * sizeof header, sizeof header);
    return header;
}

static Elf64_Dyn entry_at(const frazil_elf *elf, size_t index)
{
    Elf64_Dyn entry;

    memcpy(&entry, elf->data + elf->dynamic_offset + index * sizeof entry, sizeof entry);
    return entry;
}

/* The place in the file of `length` bytes at an address; false when no segment has them. */
static bool locate(const frazil_elf *elf, uint64_t address, uint64_t length, size_t *offset)
{
    for (size_t i = 0; i < elf->headers_count; i++) {
        Elf64_Phdr header = header_at(elf, i);
        if (header.p_type != PT_LOAD || address < header.p_vaddr || address - header.p_vaddr > header.p_filesz
            || length > header.p_filesz - (address - header.p_vaddr))
            continue;
        *offset = (size_t)(header.p_offset + (address - header.p_vaddr));
        return true;
    }
    return false;
}

static const char *open_headers(frazil_elf *elf)
{
    Elf64_Ehdr header;

    if (elf->size < sizeof header)
        return "file too short";
    memcpy(&header, elf->data, sizeof header);
    if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
        return "invalid ELF header";
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB)
        return "wrong ELF class";
    if (header.e_type != ET_DYN)
        return "not a shared object";
    if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0 || header.e_phnum > MOST_HEADERS)
        return "its program headers are damaged";
    if (!inside(elf->size, header.e_phoff, header.e_phnum * sizeof(Elf64_Phdr)))
        return "its program headers lie outside the file";
    elf->headers_offset = (size_t)header.e_phoff;
    elf->headers_count = header.e_phnum;
    for (size_t i = 0; i < elf->headers_count; i++) {
        Elf64_Phdr segment = header_at(elf, i);
        if (segment.p_type == PT_LOAD && !inside(elf->size, segment.p_offset, segment.p_filesz))
            return "a segment lies outside the file";
    }
    return NULL;
}

static const char *open_dynamic(frazil_elf *elf)
{
    for (size_t i = 0; i < elf->headers_count; i++) {
        Elf64_Phdr segment = header_at(elf, i);
        if (segment.p_type != PT_DYNAMIC)
            continue;
        if (!inside(elf->size, segment.p_offset, segment.p_filesz))
            return "its dynamic section lies outside the file";
        elf->dynamic_offset = (size_t)segment.p_offset;
        elf->dynamic_room = (size_t)segment.p_filesz;
    }
    for (size_t i = 0; i < elf->dynamic_room / sizeof(Elf64_Dyn) && i < MOST_ENTRIES; i++)
        if (entry_at(elf, i).d_tag == DT_NULL) {
            elf->dynamic_count = i;
            return NULL;
        }
    return "its dynamic section has no end";
}

static const char *open_strings(frazil_elf *elf)
{
    uint64_t address = 0, size = 0;

    for (size_t i = 0; i < elf->dynamic_count; i++) {
        Elf64_Dyn entry = entry_at(elf, i);
        if (entry.d_tag == DT_STRTAB)
            address = entry.d_un.d_ptr;
        else if (entry.d_tag == DT_STRSZ)
            size = entry.d_un.d_val;
    }
    if (size == 0 || !locate(elf, address, size, &elf->strings_offset))
        return "its string table lies outside the file";
    elf->strings_size = (size_t)size;
    elf->strings_address = address;
    if (elf->data[elf->strings_offset + elf->strings_size - 1] != '\0')
        return "its string table has no end";
    return NULL;
}

/* A string of the string table, or NULL. */
static const char *string_at(const frazil_elf *elf, uint64_t offset)
{
    return offset < elf->strings_size ? (const char *)elf->data + elf->strings_offset + offset : NULL;
}

const char *frazil_elf_open(frazil_elf *elf, const void *data, size_t size)
{
    const char *problem;

    *elf = (frazil_elf){.data = data, .size = size};
    if ((problem = open_headers(elf)) || (problem = open_dynamic(elf)) || (problem = open_strings(elf)))
        return problem;
    for (size_t i = 0; i < elf->dynamic_count; i++) {
        Elf64_Dyn entry = entry_at(elf, i);
        const char **field = entry.d_tag == DT_SONAME ? &elf->soname
            : entry.d_tag == DT_RPATH                 ? &elf->rpath
            : entry.d_tag == DT_RUNPATH               ? &elf->runpath
                                                      : NULL;
        if (!field && entry.d_tag != DT_NEEDED)
            continue;
        if (!string_at(elf, entry.d_un.d_val))
            return "a name of its dynamic section lies outside the string table";
        if (field)
            *field = string_at(elf, entry.d_un.d_val);
    }
    return NULL;
}

const char *frazil_elf_needed(const frazil_elf *elf, size_t *position)
{
    while (*position < elf->dynamic_count) {
        Elf64_Dyn entry = entry_at(elf, (*position)++);
        if (entry.d_tag == DT_NEEDED)
            return string_at(elf, entry.d_un.d_val);
    }
    return NULL;
}

bool frazil_elf_extent(const frazil_elf *elf, size_t *position, size_t *offset, size_t *length)
{
    if (*position == 0) {
        *position = 1;
        *offset = 0;
        *length = sizeof(Elf64_Ehdr);
        return true;
    }
    if (*position == 1) {
        *position = 2;
        *offset = elf->headers_offset;
        *length = elf->headers_count * sizeof(Elf64_Phdr);
        return true;
    }
    while (*position - 2 < elf->headers_count) {
        Elf64_Phdr segment = header_at(elf, (*position)++ - 2);
        if ((segment.p_type != PT_LOAD && segment.p_type != PT_NOTE) || segment.p_filesz == 0
            || !inside(elf->size, segment.p_offset, segment.p_filesz))
            continue;
        *offset = (size_t)segment.p_offset;
        *length = (size_t)segment.p_filesz;
        return true;
    }
    return false;
}

/* --- what the dynamic linker reads --- */

/* The dynamic linker's tables: where they start, and their sizes where the dynamic section tells. */
enum { TABLES_AT_MOST = 10 };
typedef struct tables {
    size_t count;
    struct {
        int64_t tag;
        uint64_t address;
        uint64_t size; /* 0: not told */
    } table[TABLES_AT_MOST];
    bool writes_constants; /* DT_TEXTREL */
} tables;

static uint64_t value_of(const frazil_elf *elf, int64_t tag)
{
    for (size_t i = 0; i < elf->dynamic_count; i++)
        if (entry_at(elf, i).d_tag == tag)
            return entry_at(elf, i).d_un.d_val;
    return 0;
}

static tables find_tables(const frazil_elf *elf)
{
    static const struct {
        int64_t tag, size_tag;
    } known[TABLES_AT_MOST] = {{DT_HASH, 0}, {DT_GNU_HASH, 0}, {DT_SYMTAB, 0}, {DT_STRTAB, DT_STRSZ}, {DT_VERSYM, 0},
        {DT_VERDEF, 0}, {DT_VERNEED, 0}, {DT_RELA, DT_RELASZ}, {DT_JMPREL, DT_PLTRELSZ}, {36 /* DT_RELR */, 35}};
    tables found = {0};

    for (size_t i = 0; i < TABLES_AT_MOST; i++) {
        uint64_t address = value_of(elf, known[i].tag);
        if (!address)
            continue;
        found.table[found.count].tag = known[i].tag;
        found.table[found.count].address = address;
        found.table[found.count++].size = known[i].size_tag ? value_of(elf, known[i].size_tag) : 0;
    }
    found.writes_constants = value_of(elf, DT_REL) || (value_of(elf, DT_FLAGS) & DF_TEXTREL) != 0;
    for (size_t i = 0; i < elf->dynamic_count; i++)
        found.writes_constants |= entry_at(elf, i).d_tag == DT_TEXTREL;
    return found;
}

/* Where a table ends: by its size, or where the next one starts; 0 when neither tells. */
static uint64_t table_end(const tables *all, size_t index)
{
    uint64_t start = all->table[index].address, next = 0;

    if (all->table[index].size)
        return start + all->table[index].size;
    for (size_t i = 0; i < all->count; i++)
        if (all->table[i].address > start && (!next || all->table[i].address < next))
            next = all->table[i].address;
    return next;
}

/* How many bytes of a segment, from its start, the dynamic linker may read. */
static size_t table_part(const frazil_elf *elf, const Elf64_Phdr *segment)
{
    const tables all = find_tables(elf);
    uint64_t last = segment->p_vaddr, end_of_segment = segment->p_vaddr + segment->p_filesz;

    for (size_t i = 0; i < all.count; i++) {
        uint64_t start = all.table[i].address, end = table_end(&all, i);
        if (start < segment->p_vaddr || start >= end_of_segment)
            continue;
        if (end <= start || end > end_of_segment)
            return (size_t)segment->p_filesz;
        if (end > last)
            last = end;
    }
    return (size_t)(last - segment->p_vaddr);
}

bool frazil_elf_link_extent(const frazil_elf *elf, size_t *position, size_t *offset, size_t *length)
{
    size_t at = *position;

    if (!frazil_elf_extent(elf, position, offset, length))
        return false;
    if (at >= 2) {
        Elf64_Phdr segment = header_at(elf, *position - 3);
        if (segment.p_type == PT_LOAD && !(segment.p_flags & PF_W))
            *length = table_part(elf, &segment);
    }
    return true;
}

static bool has_irelative(const frazil_elf *elf, uint64_t address, uint64_t size)
{
    size_t offset;

    if (!size)
        return false;
    if (!locate(elf, address, size, &offset))
        return true;
    for (uint64_t i = 0; i + sizeof(Elf64_Rela) <= size; i += sizeof(Elf64_Rela)) {
        Elf64_Rela relocation;
        memcpy(&relocation, elf->data + offset + i, sizeof relocation);
        if (ELF64_R_TYPE(relocation.r_info) == R_X86_64_IRELATIVE)
            return true;
    }
    return false;
}

/* The symbols end at `end` or, where that is not told or lies behind it, with their segment: what follows them there may be
 * taken for symbols, at the cost of a copy that was not needed. */
static bool has_ifunc(const frazil_elf *elf, uint64_t address, uint64_t end)
{
    size_t offset, size = 0;

    for (size_t i = 0; i < elf->headers_count; i++) {
        Elf64_Phdr header = header_at(elf, i);
        if (header.p_type == PT_LOAD && address >= header.p_vaddr && address - header.p_vaddr < header.p_filesz)
            size = (size_t)(header.p_filesz - (address - header.p_vaddr));
    }
    if (end > address && end - address < size)
        size = (size_t)(end - address);
    if (!locate(elf, address, size, &offset) || size == 0)
        return true;
    for (size_t i = 0; i + sizeof(Elf64_Sym) <= size; i += sizeof(Elf64_Sym)) {
        Elf64_Sym symbol;
        memcpy(&symbol, elf->data + offset + i, sizeof symbol);
        if (ELF64_ST_TYPE(symbol.st_info) == STT_GNU_IFUNC)
            return true;
    }
    return false;
}

bool frazil_elf_is_idle_until_relocated(const frazil_elf *elf)
{
    const tables all = find_tables(elf);

    if (all.writes_constants)
        return false;
    for (size_t i = 0; i < all.count; i++) {
        int64_t tag = all.table[i].tag;
        if ((tag == DT_RELA || tag == DT_JMPREL) && has_irelative(elf, all.table[i].address, all.table[i].size))
            return false;
        if (tag == DT_SYMTAB && has_ifunc(elf, all.table[i].address, table_end(&all, i)))
            return false;
    }
    return true;
}

bool frazil_elf_constant_segment(const frazil_elf *elf, size_t *position, frazil_elf_segment *segment)
{
    while (*position < elf->headers_count) {
        Elf64_Phdr header = header_at(elf, (*position)++);
        if (header.p_type != PT_LOAD || header.p_flags & PF_W || header.p_filesz == 0)
            continue;
        *segment = (frazil_elf_segment){header.p_vaddr, (size_t)header.p_offset, (size_t)header.p_filesz, header.p_flags};
        return true;
    }
    return false;
}

bool frazil_elf_rename(const frazil_elf *elf, uint8_t *copy, const char *soname)
{
    size_t length = strlen(soname) + 1;
    size_t entries = elf->dynamic_room / sizeof(Elf64_Dyn);
    size_t slot = elf->dynamic_count; /* the terminating DT_NULL, unless a DT_SONAME is there already */
    size_t end = elf->dynamic_count, text;
    uint64_t address = 0;
    Elf64_Dyn entry = {.d_tag = DT_SONAME};

    for (size_t i = 0; i < elf->dynamic_count; i++)
        if (entry_at(elf, i).d_tag == DT_SONAME)
            slot = i;
    if (slot == end)
        end++;
    /* Linkers leave spare entries behind the end of the dynamic section (ld -z spare-dynamic-tags, 5 by default). They hold the
     * new entry, a new end, and the text, which the string table's offset may reach although it lies outside of the table. */
    if (end >= entries || elf->dynamic_room - (end + 1) * sizeof entry < length)
        return false;
    for (size_t i = elf->dynamic_count; i < entries; i++)
        if (entry_at(elf, i).d_tag != DT_NULL)
            return false;
    for (size_t i = 0; i < elf->headers_count; i++) {
        Elf64_Phdr segment = header_at(elf, i);
        if (segment.p_type == PT_DYNAMIC)
            address = segment.p_vaddr;
    }
    text = (end + 1) * sizeof entry;
    entry.d_un.d_val = address + text - elf->strings_address;
    memcpy(copy + elf->dynamic_offset + text, soname, length);
    memcpy(copy + elf->dynamic_offset + slot * sizeof entry, &entry, sizeof entry);
    return true;
}

enum { GROUP_HEADERS = 3, GROUP_HASH_WORDS = 5, GROUP_SYMBOLS = 2 };

size_t frazil_elf_write_group(void *buffer, size_t size, const char *const *needed, size_t count, const char *refers_to)
{
    /* One bucket, two symbols (the undefined one, and one that is not defined here), no chain. */
    static const uint32_t hash[GROUP_HASH_WORDS] = {1, 2, 0, 0, 0};
    const size_t dynamic = (sizeof(Elf64_Ehdr) + GROUP_HEADERS * sizeof(Elf64_Phdr) + 15) & ~(size_t)15;
    const size_t dynamic_size = (count + 9) * sizeof(Elf64_Dyn);
    const size_t symbols = dynamic + dynamic_size, relocation_at = symbols + GROUP_SYMBOLS * sizeof(Elf64_Sym);
    const size_t slot = relocation_at + sizeof(Elf64_Rela), hash_at = slot + sizeof(uint64_t), strings = hash_at + sizeof hash;
    size_t total = strings + 1 + strlen(refers_to) + 1;
    uint8_t *base = buffer, *at = base + dynamic;

    for (size_t i = 0; i < count; i++)
        total += strlen(needed[i]) + 1;
    if (total > size)
        return total;

    const Elf64_Ehdr header = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT, ELFOSABI_SYSV},
        .e_type = ET_DYN,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_phoff = sizeof header,
        .e_ehsize = sizeof header,
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = GROUP_HEADERS,
        .e_shentsize = sizeof(Elf64_Shdr),
    };
    const Elf64_Phdr headers[GROUP_HEADERS] = {
        {.p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_filesz = total, .p_memsz = total, .p_align = 4096},
        {.p_type = PT_DYNAMIC,
            .p_flags = PF_R | PF_W,
            .p_offset = dynamic,
            .p_vaddr = dynamic,
            .p_paddr = dynamic,
            .p_filesz = dynamic_size,
            .p_memsz = dynamic_size,
            .p_align = 8},
        /* Without it glibc makes the stack executable. */
        {.p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W, .p_align = 16},
    };
    const Elf64_Dyn tail[] = {
        {.d_tag = DT_HASH, .d_un.d_ptr = hash_at},
        {.d_tag = DT_STRTAB, .d_un.d_ptr = strings},
        {.d_tag = DT_SYMTAB, .d_un.d_ptr = symbols},
        {.d_tag = DT_STRSZ, .d_un.d_val = total - strings},
        {.d_tag = DT_SYMENT, .d_un.d_val = sizeof(Elf64_Sym)},
        {.d_tag = DT_RELA, .d_un.d_ptr = relocation_at},
        {.d_tag = DT_RELASZ, .d_un.d_val = sizeof(Elf64_Rela)},
        {.d_tag = DT_RELAENT, .d_un.d_val = sizeof(Elf64_Rela)},
        {.d_tag = DT_NULL},
    };
    const Elf64_Sym symbol = {.st_name = 1, .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_NOTYPE)};
    const Elf64_Rela relocation = {.r_offset = slot, .r_info = ELF64_R_INFO(1, R_X86_64_64)};

    memset(base, 0, total);
    memcpy(base, &header, sizeof header);
    memcpy(base + sizeof header, headers, sizeof headers);
    memcpy(base + symbols + sizeof symbol, &symbol, sizeof symbol);
    memcpy(base + relocation_at, &relocation, sizeof relocation);
    memcpy(base + strings + 1, refers_to, strlen(refers_to) + 1);
    for (size_t i = 0, text = 1 + strlen(refers_to) + 1; i < count;
        text += strlen(needed[i]) + 1, i++, at += sizeof(Elf64_Dyn)) {
        const Elf64_Dyn entry = {.d_tag = DT_NEEDED, .d_un.d_val = text};
        memcpy(at, &entry, sizeof entry);
        memcpy(base + strings + text, needed[i], strlen(needed[i]) + 1);
    }
    memcpy(at, tail, sizeof tail);
    memcpy(base + hash_at, hash, sizeof hash);
    return total;
}
