#include "suppress_change.h"

#include <errno.h>
#include <string.h>

#include "clock.h"
#include "commands.h"
#include "csv.h"
#include "expiry.h"
#include "suppress_row.h"
#include "suppressions.h"

struct changing {
	struct tool *tool;
	struct csv csv;
	struct suppress_header header;
	bool is_delete;
	bool may_have_header;
	uint32_t account;
	uint32_t sub;
	char *full_name;	   /* of the account */
	struct suppress_row usual; /* what columns that are missing have */
	struct store_txn *txn;
	uint64_t done, kept, missing, refused;
	size_t first_refused; /* its row, from 1 */
	const char *why;
};

static void
changing_free(struct changing *c)
{
	store_abort(&c->txn);
	csv_fini(&c->csv);
	free(c->full_name);
	free(c);
}

static int
refuse(struct changing *c, const char *why)
{
	if (c->refused++ == 0) {
		c->first_refused = c->csv.rows;
		c->why = why;
	}
	return 0;
}

static bool
find_sub(struct changing *c, struct str name, uint32_t *sub)
{
	const struct account *a;
	struct buf full = { 0 };

	*sub = c->sub;
	if (name.len == 0) {
		return true;
	}
	buf_printf(&full, "%s/%.*s", c->full_name, STR_ARG(name));
	a = model_account_named(accountd.model, buf_str(&full));
	buf_fini(&full);
	if (a == NULL || (c->sub != 0 && c->sub != a->r.id)) {
		return false;
	}
	*sub = a->r.id;
	return true;
}

static int
delete_row(struct changing *c, uint32_t sub, const struct suppress_row *row)
{
	struct schema_suppression old;
	struct buf value = { 0 };
	int r = suppressions_get(accountd.store, c->txn, c->account, sub,
	    row->address, &value, &old);

	buf_fini(&value);
	if (r == -ENOENT) {
		c->missing++;
		return 0;
	}
	c->done += r == 0;
	return r < 0 ? r
		     : suppressions_del(c->txn, c->account, sub, row->address);
}

/* An address that is allowed stays so, until that is deleted. */
static int
put_row(struct changing *c, uint32_t sub, const struct suppress_row *row)
{
	bool is_allow = str_is(row->e.reason, SUPPRESSION_ALLOW);
	struct schema_suppression old;
	struct buf value = { 0 };
	int r = suppressions_get(accountd.store, c->txn, c->account, sub,
	    row->address, &value, &old);
	bool is_kept =
	    r == 0 && !is_allow && str_is(old.reason, SUPPRESSION_ALLOW);

	buf_fini(&value);
	if (r == -EIO || is_kept) {
		c->kept += is_kept;
		return is_kept ? 0 : r;
	}
	c->done++;
	return suppressions_put(c->txn, c->account, sub, row->address, &row->e);
}

static int
on_row(void *arg, const struct str *fields, size_t n)
{
	struct changing *c = arg;
	struct suppress_row row = c->usual;
	const char *why;
	uint32_t sub;

	if (n == 0) {
		return refuse(c, "not a row of comma separated values");
	}
	if (c->may_have_header) {
		c->may_have_header = false;
		if (suppress_header_parse(fields, n, &c->header)) {
			return 0;
		}
	}
	why = suppress_row_parse(&c->header, fields, n, &row);
	if (why != NULL) {
		return refuse(c, why);
	}
	if (!find_sub(c, row.sub, &sub)) {
		return refuse(c, "no such subaccount");
	}
	return c->is_delete ? delete_row(c, sub, &row) : put_row(c, sub, &row);
}

static void
finish(struct changing *c)
{
	struct tool *t = c->tool;
	json_t *line = json_pack("{s:I, s:I, s:I, s:I}",
	    c->is_delete ? "deleted" : "added", (json_int_t)c->done, "kept",
	    (json_int_t)c->kept, "missing", (json_int_t)c->missing, "refused",
	    (json_int_t)c->refused);

	if (c->refused > 0) {
		(void)json_object_set_new(line, "first_refused",
		    json_integer((json_int_t)c->first_refused));
		(void)json_object_set_new(line, "why", json_string(c->why));
	}
	changing_free(c);
	tool_read(t, NULL, NULL);
	command_done(t, line);
}

static void
on_data(struct tool *t, struct str data, int is_last, void *arg)
{
	struct changing *c = arg;
	int r = store_begin(accountd.store, &c->txn);

	if (r == 0) {
		r = csv_feed(&c->csv, data, on_row, c);
	}
	if (r == 0 && is_last) {
		r = csv_end(&c->csv, on_row, c);
	}
	if (r == 0) {
		r = store_commit(&c->txn);
	}
	if (r < 0) {
		changing_free(c);
		tool_async(t, NULL, NULL, NULL);
		tool_read(t, NULL, NULL);
		command_write_failed(t, r);
	} else if (is_last) {
		finish(c);
	}
}

static void
on_gone(struct tool *t, void *arg)
{
	(void)t;
	changing_free(arg);
}

/* What the tool's options say. False: the tool has been told. */
static bool
take_usual(struct tool *t, struct schema_suppression *e)
{
	struct str reason = str_of(tool_arg(t, "reason"));
	struct str expires = str_of(tool_arg(t, "expires"));
	enum suppression_reason known;

	*e = (struct schema_suppression){
		.reason = reason.len > 0 ? reason : STR("custom"),
		.detail = str_of(tool_arg(t, "detail")),
		.created_us = clock_wall_us(),
		.count = 1,
	};
	if (!str_is(e->reason, SUPPRESSION_ALLOW) &&
	    suppression_parse(e->reason, &known) < 0) {
		tool_end(t, EX_DATAERR,
		    "the reasons are custom, hard-bounce, soft-bounce, spam, "
		    "unsub and allow");
		return false;
	}
	if (expires.len > 0 &&
	    expiry_parse(expires, clock_wall_us(), &e->expires_us) < 0) {
		tool_end(t, EX_DATAERR,
		    "the end is a time to come: use 30d, or a date as "
		    "2030-12-31");
		return false;
	}
	return true;
}

void
suppress_change(struct tool *t)
{
	const struct account *a = command_account(t);
	const struct account *main_account;
	struct schema_suppression usual;
	struct changing *c;

	if (a == NULL || !take_usual(t, &usual)) {
		return;
	}
	c = mem_alloc(sizeof(*c));
	c->tool = t;
	c->usual.e = usual; /* its texts are the tool's */
	c->is_delete = strcmp(tool_arg(t, "mode"), "delete") == 0;
	c->may_have_header = strcmp(tool_arg(t, "mode"), "import") == 0;
	suppress_header_none(&c->header);
	command_ids(a, &c->account, &c->sub);
	main_account = model_account(accountd.model, c->account);
	c->full_name = mem_strdup(main_account->full_name);
	tool_async(t, on_gone, NULL, c);
	tool_read(t, on_data, c);
}
