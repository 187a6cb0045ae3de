#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "bounce_cf.h"
#include "client.h"
#include "pblog_match.h"
#include "pblog_read.h"
#include "pblog_show.h"
#include "pblog_skip.h"
#include "pblog_trace.h"
#include "pblog_unknown.h"
#include "time_parse.h"

static const char usage[] =
    "usage: pblog [-c dir] [--json] [--count] [--follow] [--limit n]\n"
    "             [--stats]\n"
    "             [--id id] [--from text] [--to text] [--domain name]\n"
    "             [--subject text] [--account name[/sub]] [--key id]\n"
    "             [--tag tag] [--kind kind[,kind]] [--reply text]\n"
    "             [--source-ip ip] [--dest-ip ip] [--client-ip ip]\n"
    "             [--since time] [--until time]\n"
    "       pblog [-c dir] [--json] [condition ...] submissions\n"
    "             [--verdict accepted|refused] [--helo text]\n"
    "       pblog [-c dir] [--json] trace id\n"
    "       pblog [-c dir] [--json] [condition ...] [--limit n] unknown\n";

/* Written when so much is collected. */
#define OUT_BYTES (64 * 1024)
#define FOLLOW_MS 200
/* A message's events cannot be older than its id, but for clocks. */
#define CLOCK_SLACK_US (60 * 1000000ULL)

enum option_id {
	OPT_ID = 256,
	OPT_FROM,
	OPT_TO,
	OPT_DOMAIN,
	OPT_SUBJECT,
	OPT_ACCOUNT,
	OPT_KEY,
	OPT_TAG,
	OPT_KIND,
	OPT_REPLY,
	OPT_SOURCE_IP,
	OPT_DEST_IP,
	OPT_CLIENT_IP,
	OPT_HELO,
	OPT_VERDICT,
	OPT_SINCE,
	OPT_UNTIL,
	OPT_COUNT,
	OPT_FOLLOW,
	OPT_LIMIT,
	OPT_STATS,
};

static const struct option options[] = {
	{ "id", required_argument, NULL, OPT_ID },
	{ "from", required_argument, NULL, OPT_FROM },
	{ "to", required_argument, NULL, OPT_TO },
	{ "domain", required_argument, NULL, OPT_DOMAIN },
	{ "subject", required_argument, NULL, OPT_SUBJECT },
	{ "account", required_argument, NULL, OPT_ACCOUNT },
	{ "key", required_argument, NULL, OPT_KEY },
	{ "tag", required_argument, NULL, OPT_TAG },
	{ "kind", required_argument, NULL, OPT_KIND },
	{ "reply", required_argument, NULL, OPT_REPLY },
	{ "source-ip", required_argument, NULL, OPT_SOURCE_IP },
	{ "dest-ip", required_argument, NULL, OPT_DEST_IP },
	{ "client-ip", required_argument, NULL, OPT_CLIENT_IP },
	{ "helo", required_argument, NULL, OPT_HELO },
	{ "verdict", required_argument, NULL, OPT_VERDICT },
	{ "since", required_argument, NULL, OPT_SINCE },
	{ "until", required_argument, NULL, OPT_UNTIL },
	{ "count", no_argument, NULL, OPT_COUNT },
	{ "follow", no_argument, NULL, OPT_FOLLOW },
	{ "limit", required_argument, NULL, OPT_LIMIT },
	{ "stats", no_argument, NULL, OPT_STATS },
	{ NULL, 0, NULL, 0 },
};

struct job {
	struct pblog_filter filter;
	uint64_t limit; /* 0: none */
	bool counts;
	bool follows;
	bool wants_stats;
	struct pblog_trace *trace;     /* NULL: a search */
	struct pblog_unknown *unknown; /* NULL: another command */
	struct reply_rules *rules;     /* of unknown */
	bool shows_submissions;
	const char *verdict; /* NULL: any */
	struct pblog_read *read;
	struct pblog_match *match;
	struct pblog_skip *skip;
	struct buf out;
	uint64_t found;
};

static uint64_t
now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void
write_out(struct job *j)
{
	if (j->out.len != 0 &&
	    fwrite(j->out.p, 1, j->out.len, stdout) != j->out.len) {
		client_die(EX_IOERR, "standard output: %s", strerror(errno));
	}
	if (fflush(stdout) != 0) {
		client_die(EX_IOERR, "standard output: %s", strerror(errno));
	}
	j->out.len = 0;
}

/* ---- options ------------------------------------------------------------ */

static uint64_t
number_option(const char *text, uint64_t max)
{
	uint64_t n = 0;

	if (str_u64(str_of(text), max, &n) < 0) {
		client_usage("a number is wanted");
	}
	return n;
}

static uint64_t
time_option(const char *text)
{
	uint64_t t = 0;

	if (time_parse(text, now_us(), &t) < 0) {
		client_usage("times are like 2h, 2026-11-22 or "
			     "2026-11-22T10:00:00 (UTC)");
	}
	return t;
}

static void
id_option(struct pblog_filter *f, const char *text)
{
	uint64_t ms;

	if (uuid_parse(str_of(text), &f->id) < 0) {
		client_usage("an id is like "
			     "01935011-2233-7044-8055-66778899aabb");
	}
	f->has_id = true;
	ms = uuid_wall_ms(&f->id);
	if (ms * 1000 > f->since_us + CLOCK_SLACK_US) {
		f->since_us = ms * 1000 - CLOCK_SLACK_US;
	}
}

static void
kind_option(struct pblog_filter *f, const char *text)
{
	struct str rest = str_of(text);
	struct str word;

	while (str_split(&rest, ',', &word)) {
		if (!pblog_filter_kind(f, word)) {
			client_usage("no such kind: see packetboat-events(7)");
		}
	}
}

static void
take_option(struct job *j, int option, const char *arg)
{
	struct pblog_filter *f = &j->filter;
	const char **texts[] = { [OPT_FROM - OPT_ID] = &f->from,
		[OPT_TO - OPT_ID] = &f->to,
		[OPT_DOMAIN - OPT_ID] = &f->domain,
		[OPT_SUBJECT - OPT_ID] = &f->subject,
		[OPT_ACCOUNT - OPT_ID] = &f->account,
		[OPT_TAG - OPT_ID] = &f->tag,
		[OPT_REPLY - OPT_ID] = &f->reply,
		[OPT_SOURCE_IP - OPT_ID] = &f->source_ip,
		[OPT_DEST_IP - OPT_ID] = &f->dest_ip,
		[OPT_CLIENT_IP - OPT_ID] = &f->client_ip,
		[OPT_HELO - OPT_ID] = &f->helo,
		[OPT_VERDICT - OPT_ID] = &j->verdict,
		[OPT_LIMIT - OPT_ID] = NULL };

	switch (option) {
	case OPT_ID:
		id_option(f, arg);
		break;
	case OPT_KEY:
		f->key = (uint32_t)number_option(arg, UINT32_MAX);
		break;
	case OPT_KIND:
		kind_option(f, arg);
		break;
	case OPT_SINCE:
		f->since_us = time_option(arg);
		break;
	case OPT_UNTIL:
		f->until_us = time_option(arg);
		break;
	case OPT_COUNT:
		j->counts = true;
		break;
	case OPT_FOLLOW:
		j->follows = true;
		break;
	case OPT_LIMIT:
		j->limit = number_option(arg, UINT64_MAX);
		break;
	case OPT_STATS:
		j->wants_stats = true;
		break;
	default:
		if (option < OPT_ID || texts[option - OPT_ID] == NULL) {
			client_usage(NULL);
		}
		*texts[option - OPT_ID] = arg;
	}
}

/* What clients have asked for, and what they were told. */
static void
take_submissions(struct job *j)
{
	bool wants_all = j->verdict == NULL;
	bool accepted = wants_all || strcmp(j->verdict, "accepted") == 0;
	bool refused = wants_all || strcmp(j->verdict, "refused") == 0;

	if (!accepted && !refused) {
		client_usage("a verdict is accepted or refused");
	}
	if ((j->filter.kinds[0] | j->filter.kinds[1]) != 0) {
		client_usage("submissions have no --kind: use --verdict");
	}
	j->shows_submissions = true;
	if (accepted) {
		(void)pblog_filter_kind(&j->filter, STR("accepted"));
	}
	if (refused) {
		(void)pblog_filter_kind(&j->filter, STR("refused"));
	}
}

/* "unknown": failures, those that are tried again too. */
static void
begin_unknown(struct job *j)
{
	static const char *const kinds[] = { "deferral", "bounce",
		"soft_bounce" };
	struct buf error = { 0 };

	if (j->follows) {
		client_usage("unknown ends: not with --follow");
	}
	if (bounce_cf_load(client_conf()->dir, &j->rules, &error) < 0) {
		client_die(EX_CONFIG, "%.*s", STR_ARG(buf_str(&error)));
	}
	buf_fini(&error);
	for (size_t i = 0; i < array_len(kinds); i++) {
		(void)pblog_filter_kind(&j->filter, str_of(kinds[i]));
	}
	j->unknown = pblog_unknown_new(j->rules);
}

/* "trace ID" shows everything about one message. */
static void
take_command(struct job *j, int argc, char **argv)
{
	size_t n;
	const struct event_desc *const *all = event_descs(&n);

	if (argc == 1 && strcmp(argv[0], "submissions") == 0) {
		take_submissions(j);
		return;
	}
	if (j->verdict != NULL) {
		client_usage("--verdict is for submissions");
	}
	if (argc == 0) {
		return;
	}
	if (strcmp(argv[0], "unknown") == 0 && argc == 1) {
		begin_unknown(j);
		return;
	}
	if (strcmp(argv[0], "trace") != 0 || argc != 2) {
		client_usage(strcmp(argv[0], "trace") == 0 && argc == 1
			? "trace which message?"
			: NULL);
	}
	id_option(&j->filter, argv[1]);
	for (size_t i = 0; i < n; i++) {
		if (all[i]->has_common || all[i]->type == EVENT_stored) {
			(void)pblog_filter_kind(
			    &j->filter, str_of(all[i]->name));
		}
	}
	j->trace = pblog_trace_new();
}

/* ---- reading ------------------------------------------------------------ */

static void
show(struct job *j, const struct event_view *v)
{
	if (j->counts) {
		return;
	}
	if (client_wants_json()) {
		event_json_line(&j->out, v);
		buf_u8(&j->out, '\n');
	} else if (j->trace != NULL) {
		pblog_trace_add(j->trace, &j->out, v);
	} else if (j->shows_submissions) {
		pblog_show_submission(&j->out, v);
		buf_u8(&j->out, '\n');
	} else {
		pblog_show_line(&j->out, v);
		buf_u8(&j->out, '\n');
	}
	if (j->out.len >= OUT_BYTES) {
		write_out(j);
	}
}

/* Mail that came in by the mx role, or that we wrote, nobody submitted. */
static bool
is_submission(const struct event_view *v)
{
	const struct event_accepted *a = v->event;

	return v->type != EVENT_accepted ||
	    (a->inbound == 0 && (a->flags & MESSAGE_OWN_DSN) == 0);
}

/* Everything that is there now. False: no more is wanted. */
static bool
scan(struct job *j)
{
	uint64_t until = j->filter.until_us;
	struct pblog_record rec;
	struct event_view v;

	while (pblog_next(j->read, &rec) == 1) {
		if (until != 0 && rec.batch_time_us > until + CLOCK_SLACK_US) {
			return false;
		}
		if (!pblog_match(j->match, &rec, &v)) {
			continue;
		}
		if (j->shows_submissions && !is_submission(&v)) {
			continue;
		}
		if (j->unknown != NULL) {
			j->found += pblog_unknown_add(j->unknown, &v);
			continue;
		}
		j->found++;
		show(j, &v);
		if (j->limit != 0 && j->found >= j->limit) {
			return false;
		}
	}
	return true;
}

static bool
wants_stretch(void *arg, uint32_t number, const struct journal_stretch *s)
{
	const struct job *j = arg;

	return pblog_skip_wants(j->skip, number, s);
}

static bool
wants_batch(void *arg, struct str records)
{
	const struct job *j = arg;

	return pblog_match_batch(j->match, records);
}

static void
open_log(struct job *j)
{
	const struct pblog_wishes wishes = { wants_stretch, wants_batch, j };
	const char *spool = client_conf()->spool_directory;
	int r = pblog_open(spool, &j->read);

	if (r == -EACCES || r == -EPERM) {
		client_die(EX_NOPERM, "%s/jrn: %s", spool, strerror(-r));
	}
	if (r < 0) {
		client_die(EX_NOINPUT, "%s/jrn: %s", spool, strerror(-r));
	}
	j->match = pblog_match_new(&j->filter, j->read);
	j->skip = pblog_skip_new(pblog_match_filter(j->match), j->read);
	pblog_wish(j->read, &wishes);
	if (j->filter.since_us > CLOCK_SLACK_US) {
		pblog_seek_time(j->read, j->filter.since_us - CLOCK_SLACK_US);
	}
}

static void
say_stats(const struct pblog_stats *s)
{
	fprintf(stderr,
	    "pblog: files=%llu indexed=%llu opened=%llu joined=%llu "
	    "bytes=%llu\n",
	    (unsigned long long)s->files, (unsigned long long)s->indexed,
	    (unsigned long long)s->opened, (unsigned long long)s->joined,
	    (unsigned long long)s->bytes);
}

static void
finish(struct job *j)
{
	if (j->counts) {
		buf_printf(&j->out, "%llu\n", (unsigned long long)j->found);
	} else if (j->unknown != NULL) {
		pblog_unknown_show(
		    j->unknown, j->limit, client_wants_json(), &j->out);
	} else if (j->trace != NULL && !client_wants_json()) {
		pblog_trace_end(j->trace, &j->out);
	}
	write_out(j);
	if (pblog_damaged(j->read) != 0) {
		fprintf(stderr, "pblog: %llu damaged bytes were skipped\n",
		    (unsigned long long)pblog_damaged(j->read));
	}
	if (j->wants_stats) {
		say_stats(pblog_stats(j->read));
	}
	pblog_trace_free(&j->trace);
	pblog_unknown_free(&j->unknown);
	reply_rules_free(&j->rules);
	pblog_skip_free(&j->skip);
	pblog_match_free(&j->match);
	pblog_close(&j->read);
	buf_fini(&j->out);
}

int
main(int argc, char **argv)
{
	struct job j = { .limit = 0 };
	int c;

	client_init(&argc, argv, usage);
	opterr = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		take_option(&j, c, optarg);
	}
	take_command(&j, argc - optind, argv + optind);
	open_log(&j);
	while (scan(&j) && j.follows) {
		write_out(&j);
		(void)poll(NULL, 0, FOLLOW_MS);
	}
	finish(&j);
	return j.found != 0 ? EX_OK : 1;
}
