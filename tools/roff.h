/*
 * Text in pages of the manual, on standard output.
 */
#ifndef TOOLS_ROFF_H
#define TOOLS_ROFF_H

#include <stddef.h>

/* n bytes of text that begin no request and escape nothing. */
void roff_text(const char *s, size_t n);

/* The same, each sentence on a line of its own. */
void roff_sentences(const char *s, size_t n);

#endif
