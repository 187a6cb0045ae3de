#include "reply_list.h"

#include <stdio.h>
#include <string.h>

#include "attr.h"
#include "roff.h"

/* A format of the programs; what differs becomes dots. */
static void
put_format(const char *s)
{
	while (*s != '\0') {
		if (*s == '%') {
			printf("...");
			s += strcspn(s, "su") + 1;
		} else {
			putchar(*s++);
		}
	}
}

void
reply_list_put(void)
{
	static const struct {
		unsigned code;
		const char *enh, *text, *meaning, *todo;
	} rows[] = {
#define REPLY(code, enh, text, meaning, todo)                                  \
	{ code, enh, text, meaning, todo },
#include "reply.def"
#undef REPLY
	};

	printf(".Bl -tag -width 4n\n");
	for (size_t i = 0; i < array_len(rows); i++) {
		printf(".It %u %s%s", rows[i].code, rows[i].enh,
		    rows[i].enh[0] != '\0' ? " " : "");
		put_format(rows[i].text);
		putchar('\n');
		roff_sentences(rows[i].meaning, strlen(rows[i].meaning));
		printf(".br\n");
		roff_sentences(rows[i].todo, strlen(rows[i].todo));
	}
	printf(".El\n");
}
