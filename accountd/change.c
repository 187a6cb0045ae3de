#include "change.h"

#include <errno.h>
#include <string.h>

struct op {
	struct op *next;
	enum schema_kind kind;
	bool is_delete;
	struct buf key;
	struct buf stored;
};

struct change {
	struct model *model;
	struct op *first;
	struct op **last;
	uint32_t next_id; /* 0: none was taken */
};

struct change *
change_begin(struct model *m)
{
	struct change *c = mem_alloc(sizeof(*c));

	c->model = m;
	c->last = &c->first;
	return c;
}

uint32_t
change_new_id(struct change *c)
{
	if (c->next_id == 0) {
		c->next_id = c->model->instance.next_id;
		c->next_id += c->next_id == 0; /* 0 names nothing */
	}
	return c->next_id++;
}

static void
make_key(enum schema_kind kind, const void *rec, struct buf *key)
{
	const struct schema_domain *domain = rec;
	const struct schema_source *source = rec;

	switch (kind) {
	case SCHEMA_account:
		model_key_u32(key, ((const struct schema_account *)rec)->id);
		break;
	case SCHEMA_key:
		model_key_u32(key, ((const struct schema_key *)rec)->id);
		break;
	case SCHEMA_hook:
		model_key_u32(key, ((const struct schema_hook *)rec)->id);
		break;
	case SCHEMA_domain:
		model_key_u32(key, domain->account);
		buf_add(key, domain->name.p, domain->name.len);
		break;
	case SCHEMA_source:
		buf_add(key, source->ip.p, source->ip.len);
		break;
	case SCHEMA_instance:
		break; /* there is only one */
	case SCHEMA_warm:
	case SCHEMA_warm_sent:
	case SCHEMA_key_use:
	case SCHEMA_suppression:
	case SCHEMA_tally:
	case SCHEMA_notice:
	case SCHEMA_cursor:
	case SCHEMA_KINDS:
		bug_on("not a record of the model" != NULL);
	}
}

static struct op *
add_op(struct change *c, enum schema_kind kind, const void *rec)
{
	struct op *op = mem_alloc(sizeof(*op));

	op->kind = kind;
	make_key(kind, rec, &op->key);
	*c->last = op;
	c->last = &op->next;
	return op;
}

int
change_put(struct change *c, enum schema_kind kind, const void *rec)
{
	struct buf stored = { 0 };
	int r = schema_encode(&stored, kind, rec);

	if (r == 0) {
		buf_move(&add_op(c, kind, rec)->stored, &stored);
	}
	buf_fini(&stored);
	return r;
}

void
change_del(struct change *c, enum schema_kind kind, const void *rec)
{
	add_op(c, kind, rec)->is_delete = true;
}

void
change_abort(struct change **cp)
{
	struct change *c = *cp;

	if (c == NULL) {
		return;
	}
	while (c->first != NULL) {
		struct op *op = c->first;

		c->first = op->next;
		buf_fini(&op->key);
		if (op->stored.p != NULL) {
			explicit_bzero(op->stored.p, op->stored.cap);
		}
		buf_fini(&op->stored);
		free(op);
	}
	free(c);
	*cp = NULL;
}

static int
write_ops(struct change *c)
{
	struct store_txn *t = NULL;
	int r = store_begin(c->model->store, &t);

	if (r < 0) {
		return r;
	}
	for (struct op *op = c->first; r == 0 && op != NULL; op = op->next) {
		enum store_table table = model_table(op->kind);
		struct str key = buf_str(&op->key);

		r = op->is_delete
		    ? store_del(t, table, key)
		    : store_put(t, table, key, buf_str(&op->stored));
	}
	if (r < 0) {
		store_abort(&t);
		return r;
	}
	return store_commit(&t);
}

/* What was just encoded decodes: only memory could fail, and that ends us. */
static void
apply_ops(struct change *c)
{
	for (struct op *op = c->first; op != NULL; op = op->next) {
		struct str key = buf_str(&op->key);

		if (op->is_delete) {
			model_remove(c->model, op->kind, key);
		} else {
			bug_on(model_apply(c->model, op->kind, key,
				   buf_str(&op->stored)) != 0);
		}
	}
}

int
change_commit(struct change **cp)
{
	struct change *c = *cp;
	int r = 0;

	if (c->next_id != 0) {
		struct schema_instance i = c->model->instance;

		i.next_id = c->next_id;
		r = change_put(c, SCHEMA_instance, &i);
	}
	if (r == 0) {
		r = write_ops(c);
	}
	if (r == 0) {
		apply_ops(c);
	}
	change_abort(cp);
	return r;
}
