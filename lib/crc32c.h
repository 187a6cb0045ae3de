/*
 * CRC-32C (Castagnoli, RFC 3720 appendix B.4), as stored in spool and journal.
 */
#ifndef LIB_CRC32C_H
#define LIB_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/*
 * Continues the checksum crc (0 or a seed to begin with) over n bytes.
 * crc32c(crc32c(s, a), b) equals crc32c(s, ab). Uses the processor's
 * instruction where it has one.
 */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);

#endif
