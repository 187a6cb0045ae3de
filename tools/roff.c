#include "roff.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>

void
roff_text(const char *s, size_t n)
{
	if (n != 0 && (s[0] == '.' || s[0] == '\'')) {
		fputs("\\&", stdout);
	}
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\\') {
			fputs("\\e", stdout);
		} else {
			putchar(s[i]);
		}
	}
}

void
roff_sentences(const char *s, size_t n)
{
	size_t from = 0;

	for (size_t i = 0; i + 2 < n; i++) {
		if ((s[i] == '.' || s[i] == '?') && s[i + 1] == ' ' &&
		    isupper((unsigned char)s[i + 2])) {
			roff_text(s + from, i + 1 - from);
			putchar('\n');
			from = i + 2;
		}
	}
	if (n > from) {
		roff_text(s + from, n - from);
		putchar('\n');
	}
}
