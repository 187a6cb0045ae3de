/*
 * Makes a spool with a journal for bench/search: journal_make SPOOL EVENTS.
 * Messages of 20 accounts to a million recipients, an accepted, a stored and
 * a delivery event each, every tenth one with a deferral before. Prints what
 * to look for: id and recipient of one message in the middle.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "journal.h"
#include "journal_files.h"
#include "journal_index.h"
#include "uuid.h"

#define FILE_BYTES (64u * 1024 * 1024)
#define BATCH_MESSAGES 50
#define BEGIN_US 1700000000000000ULL
#define RECIPIENTS 1000000

struct maker {
	int dir;
	struct journal_file file;
	uint64_t events;
	uint64_t time_us;
	uint64_t random;
};

static uint32_t
chance(struct maker *m, uint32_t n)
{
	m->random = m->random * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(m->random >> 33) % n;
}

static void
end_file(struct maker *m)
{
	struct buf index = { 0 };
	char name[JOURNAL_NAME_SIZE];
	int r = journal_index_build(m->file.fd, m->file.number, &index);
	int fd;

	journal_index_name(m->file.number, name);
	fd = openat(m->dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0640);
	if (r < 0 || fd < 0 ||
	    write(fd, index.p, index.len) != (ssize_t)index.len) {
		fprintf(stderr, "%s: %s\n", name, strerror(r < 0 ? -r : errno));
		exit(1);
	}
	(void)close(fd);
	buf_fini(&index);
	journal_file_close(&m->file);
}

static struct uuid
add_message(struct maker *m, const char *to)
{
	struct event_rcpt rcpt = { str_of(to), STR(""), 0 };
	char name[32], from[64], subject[64];
	struct buf rcpts = { 0 };
	struct event_accepted acc = { .time_us = m->time_us,
		.account = 1 + chance(m, 20),
		.class = CLASS_STANDARD,
		.message_id = STR("<20231114.8f2c1d77@shop.example>"),
		.size = 20480,
		.nrcpt = 1,
		.expires_us = m->time_us + 432000000000ULL,
		.tags = STR("order,receipt"),
		.submit_proto = STR("ESMTPSA"),
		.submit_client_ip = STR("198.51.100.7"),
		.submit_helo = STR("app7.shop.example"),
		.submit_tls = STR("TLSv1.3 TLS_AES_256_GCM_SHA384") };
	struct event_stored stored = { .rec_len = 400, .content_len = 20480 };
	struct event_deferral later = { .time_us = m->time_us + 900000,
		.rcpt_to = str_of(to),
		.smtp_code = 451,
		.smtp_text = STR("451 4.7.1 Greylisted, please come back"),
		.transcript = STR("S: 220 mx\nC: EHLO mail.shop.example\n"),
		.dest_host = STR("mx1.example.net"),
		.dest_ip = STR("203.0.113.25"),
		.source_ip = STR("192.0.2.40") };
	struct event_delivery done = { .time_us = m->time_us + 1500000,
		.rcpt_to = str_of(to),
		.smtp_code = 250,
		.smtp_text = STR("250 2.0.0 OK 1700000123 q12-20020a05600c2 "
				 "- gsmtp, queued for delivery"),
		.dest_host = STR("mx1.example.net"),
		.dest_ip = STR("203.0.113.25"),
		.source_ip = STR("192.0.2.40") };

	acc.msgid = uuid_make(m->time_us,
	    (struct uuid_place){
		segment_id(1, 1, 1), (uint32_t)(m->events % 1000000) });
	(void)snprintf(name, sizeof(name), "account%u", acc.account);
	(void)snprintf(
	    from, sizeof(from), "orders@shop%u.example", acc.account);
	(void)snprintf(subject, sizeof(subject), "Your order %u is on its way",
	    chance(m, 1000000000));
	acc.account_name = str_of(name);
	acc.sender = str_of(from);
	acc.header_from = str_of(from);
	acc.subject = str_of(subject);
	event_rcpt_add(&rcpts, &rcpt);
	acc.rcpts = buf_str(&rcpts);
	stored.msgid = later.msgid = done.msgid = acc.msgid;
	later.account = done.account = acc.account;
	done.accept_lsn = journal_file_add(&m->file, EVENT_accepted, &acc);
	later.accept_lsn = done.accept_lsn;
	(void)journal_file_add(&m->file, EVENT_stored, &stored);
	if (chance(m, 10) == 0) {
		(void)journal_file_add(&m->file, EVENT_deferral, &later);
		m->events++;
	}
	(void)journal_file_add(&m->file, EVENT_delivery, &done);
	m->events += 3;
	m->time_us += 2000;
	buf_fini(&rcpts);
	return acc.msgid;
}

static void
add_batch(struct maker *m)
{
	for (int i = 0; i < BATCH_MESSAGES; i++) {
		char to[64];

		(void)snprintf(to, sizeof(to), "customer%u@example%u.net",
		    chance(m, RECIPIENTS), chance(m, 1000));
		(void)add_message(m, to);
	}
}

int
main(int argc, char **argv)
{
	struct maker m = { .time_us = BEGIN_US, .random = 1 };
	uint64_t wanted = argc == 3 ? strtoull(argv[2], NULL, 10) : 0;
	uint32_t number = 0;
	bool is_planted = false;
	char path[4096], id[UUID_TEXT_SIZE];

	if (wanted == 0) {
		fprintf(stderr, "usage: journal_make SPOOL EVENTS\n");
		return 64;
	}
	(void)snprintf(path, sizeof(path), "%s/jrn", argv[1]);
	m.dir = mkdir(path, 0750) < 0 ? -1 : open(path, O_RDONLY | O_DIRECTORY);
	if (m.dir < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return 73;
	}
	while (m.events < wanted) {
		journal_file_make(&m.file, m.dir, ++number, m.time_us);
		while (m.file.off < FILE_BYTES && m.events < wanted) {
			if (!is_planted && m.events >= wanted / 2) {
				struct uuid u =
				    add_message(&m, "needle@haystack.example");

				uuid_print(&u, id);
				is_planted = true;
			}
			add_batch(&m);
			(void)journal_file_commit(&m.file, m.time_us);
		}
		end_file(&m);
	}
	printf("id=%s\nrecipient=needle@haystack.example\n", id);
	return 0;
}
