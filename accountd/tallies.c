#include "tallies.h"

#include <errno.h>

#include "map.h"
#include "model.h"

struct tallies {
	struct store *store;
	struct map *by_id;
	struct tallied *changed;
};

static int
load_one(void *arg, struct str key, struct str value)
{
	struct tallies *t = arg;
	struct tallied *x = mem_alloc(sizeof(*x));

	if (key.len != 4 || tally_parse(value, &x->t) < 0) {
		free(x);
		return -EBADMSG;
	}
	for (size_t i = 0; i < key.len; i++) {
		x->id = x->id << 8 | (uint8_t)key.p[i];
	}
	(void)map_put_u64(t->by_id, x->id, x); /* keys are different */
	return 0;
}

int
tallies_load(struct store *s, struct tallies **out)
{
	struct tallies *t = mem_alloc(sizeof(*t));
	int r;

	t->store = s;
	t->by_id = map_new();
	r = store_each(s, STORE_TALLY, (struct str){ 0 }, load_one, t);
	if (r < 0) {
		tallies_free(&t);
		return r;
	}
	*out = t;
	return 0;
}

void
tallies_free(struct tallies **tp)
{
	struct tallies *t = *tp;

	if (t != NULL) {
		map_free(&t->by_id, free);
		free(t);
		*tp = NULL;
	}
}

struct tallied *
tallies_find(const struct tallies *t, uint32_t id)
{
	return map_get_u64(t->by_id, id);
}

struct tallied *
tallies_change(struct tallies *t, uint32_t id)
{
	struct tallied *x = tallies_find(t, id);

	if (x == NULL) {
		x = mem_alloc(sizeof(*x));
		x->id = id;
		(void)map_put_u64(t->by_id, id, x); /* was not there */
	}
	if (!x->is_changed) {
		x->is_changed = true;
		x->next_changed = t->changed;
		t->changed = x;
	}
	return x;
}

struct tallied *
tallies_next(const struct tallies *t, size_t *at)
{
	struct str key;
	void *value;

	return map_next(t->by_id, at, &key, &value) ? value : NULL;
}

struct tallied *
tallies_changed(const struct tallies *t)
{
	return t->changed;
}

int
tallies_write(struct tallies *t, struct store_txn *txn)
{
	int r = 0;

	for (struct tallied *x = t->changed; r == 0 && x != NULL;
	     x = x->next_changed) {
		struct buf key = { 0 };
		struct buf value = { 0 };

		model_key_u32(&key, x->id);
		tally_print(&x->t, &value);
		r = store_put(txn, STORE_TALLY, buf_str(&key), buf_str(&value));
		buf_fini(&key);
		buf_fini(&value);
	}
	return r;
}

void
tallies_written(
    struct tallies *t, void (*fn)(struct tallied *x, void *arg), void *arg)
{
	while (t->changed != NULL) {
		struct tallied *x = t->changed;

		t->changed = x->next_changed;
		x->next_changed = NULL;
		x->is_changed = false;
		fn(x, arg);
	}
}

static void
forget(struct tallies *t, struct tallied *x)
{
	struct tallied **at = &t->changed;

	while (*at != NULL && *at != x) {
		at = &(*at)->next_changed;
	}
	if (*at == x) {
		*at = x->next_changed;
	}
	(void)map_del_u64(t->by_id, x->id);
	free(x);
}

int
tallies_delete(struct tallies *t, uint32_t id)
{
	struct tallied *x = tallies_find(t, id);
	struct store_txn *txn = NULL;
	struct buf key = { 0 };
	int r;

	if (x != NULL) {
		forget(t, x);
	}
	r = store_begin(t->store, &txn);
	if (r < 0) {
		return r;
	}
	model_key_u32(&key, id);
	r = store_del(txn, STORE_TALLY, buf_str(&key));
	buf_fini(&key);
	if (r < 0) {
		store_abort(&txn);
		return r;
	}
	return store_commit(&txn);
}
