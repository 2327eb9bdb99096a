/* Sparing the collector at exit. */
#ifndef FRAZIL_EMBED_EXIT_H
#define FRAZIL_EMBED_EXIT_H

/* Before Py_FinalizeEx, which collects all garbage three times: when that would have no effect but freeing memory that the end
 * of the process frees anyway, take everything out of the collector's sight. No exception may be set. */
void frazil_spare_collections(void);

#endif
