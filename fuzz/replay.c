/*
 * Runs a fuzz target over files and directories of inputs: what the fuzzers
 * found once is checked by every make check, with any compiler.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

static unsigned count;

static void
replay_file(const char *path, size_t size)
{
	FILE *f = fopen(path, "re");
	/* Exactly its size, so that a sanitizer sees every byte beyond. */
	uint8_t *data = malloc(size != 0 ? size : 1);

	if (f == NULL || data == NULL || fread(data, 1, size, f) != size) {
		fprintf(stderr, "cannot read %s\n", path);
		exit(1);
	}
	(void)fclose(f);
	(void)LLVMFuzzerTestOneInput(data, size);
	free(data);
	count++;
}

static void
replay(const char *path)
{
	struct stat st;
	struct dirent *e;
	DIR *d;

	if (stat(path, &st) < 0) {
		perror(path);
		exit(1);
	}
	if (S_ISREG(st.st_mode)) {
		replay_file(path, (size_t)st.st_size);
		return;
	}
	d = opendir(path);
	while (d != NULL && (e = readdir(d)) != NULL) {
		char inner[4096];

		if (e->d_name[0] != '.') {
			(void)snprintf(
			    inner, sizeof(inner), "%s/%s", path, e->d_name);
			replay(inner);
		}
	}
	if (d != NULL) {
		(void)closedir(d);
	}
}

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		replay(argv[i]);
	}
	printf("# %u inputs\n", count);
	return count != 0 ? 0 : 1;
}
