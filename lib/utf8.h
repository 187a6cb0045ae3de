/*
 * UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing
 * above U+10FFFF.
 */
#ifndef LIB_UTF8_H
#define LIB_UTF8_H

#include <stddef.h>
#include <stdint.h>

/*
 * Read one character from s, which has len >= 1 bytes. Returns its length
 * in bytes, 1 to 4, with *code set; 0 when the bytes are no character.
 */
size_t utf8_read(const char *s, size_t len, uint32_t *code);

#endif
