#include "submit_key.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "client.h"

static void
take(struct str line, const char *name, char *out, size_t size)
{
	if (str_starts(line, name)) {
		line.p += strlen(name);
		line.len -= strlen(name);
		str_copy(out, size, str_trim(line));
	}
}

bool
submit_key_load(struct submit_key *k)
{
	const char *path = client_conf()->sendmail_key_file;
	char line[600];
	FILE *f;

	*k = (struct submit_key){ { 0 }, { 0 } };
	if (path[0] == '\0') {
		return false;
	}
	f = fopen(path, "re");
	if (f == NULL) {
		client_die(EX_NOPERM, "sendmail_key_file: %s: %s", path,
		    strerror(errno));
	}
	while (fgets(line, sizeof(line), f) != NULL) {
		take(str_of(line), "username:", k->username,
		    sizeof(k->username));
		take(str_of(line), "password:", k->password,
		    sizeof(k->password));
	}
	(void)fclose(f);
	if (k->username[0] == '\0' || k->password[0] == '\0') {
		client_die(EX_CONFIG,
		    "sendmail_key_file: %s has no \"username:\" and "
		    "\"password:\" lines as pbkey add prints them",
		    path);
	}
	return true;
}

void
submit_key_plain(const struct submit_key *k, struct buf *line)
{
	unsigned char raw[2 * sizeof(k->username)], text[4 * sizeof(raw)];
	size_t user = strlen(k->username), pass = strlen(k->password);

	raw[0] = 0;
	memcpy(raw + 1, k->username, user);
	raw[user + 1] = 0;
	memcpy(raw + user + 2, k->password, pass);
	(void)EVP_EncodeBlock(text, raw, (int)(user + pass + 2));
	buf_printf(line, "AUTH PLAIN %s\r\n", (const char *)text);
}
