/* The rules of reply_rules.def as a table. */
#include "reply_class.h"

#define TEXT(pattern, r) { .text = (pattern), .reason = REASON_##r },
#define ENH(pattern, r) { .enh = (pattern), .reason = REASON_##r },
#define BOTH(e, t, r) { .enh = (e), .text = (t), .reason = REASON_##r },
#define CODE(c, p, r) { .code = (c), .phases = (p), .reason = REASON_##r },
#define PHASE(p, t, r) { .phases = (p), .text = (t), .reason = REASON_##r },

/* clang-format off */
const struct reply_rule reply_rules_builtin[] = {
#include "reply_rules.def"
};
/* clang-format on */

const size_t n_reply_rules_builtin = array_len(reply_rules_builtin);
