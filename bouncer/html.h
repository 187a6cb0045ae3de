/* Text out of HTML, for notices that come as HTML only. */
#ifndef BOUNCER_HTML_H
#define BOUNCER_HTML_H

#include "buf.h"
#include "str.h"

/* Appends the text of html: tags become nothing or a line end, styles and
 * scripts vanish. Linear in the length. */
void html_to_text(struct str html, struct buf *out);

#endif
