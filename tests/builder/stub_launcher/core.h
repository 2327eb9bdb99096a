/* A launcher small enough to test how launchers are built. */
#ifndef CORE_H
#define CORE_H
int core_answer(void);
int embed_run(const char *code);
#endif
