/* Sparing the collector at exit. */
#ifndef FRAZIL_EMBED_EXIT_H
#define FRAZIL_EMBED_EXIT_H

/* Before Py_FinalizeEx, which collects all garbage three times: when that would have no effect but freeing memory that the end
 * of the process frees anyway, take everything out of the collector's sight. No exception may be set. */
void frazil_spare_collections(void);

/* The functions registered to run at the end, and the end of other threads; true when then nothing that was made since the
 * collector was frozen could tell whether it was finalized. */
bool frazil_can_leave(void);

/* Whether an object that the collector knows has a finalizer, the standard streams apart; `type` receives the name of its type.
 */
bool frazil_holds_finalizers(const char **type);

#endif
