#include "ipc.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

/* clang-format off */
#define IPC_BEGIN(name, number, from, to)                                      \
	static const struct rec_field *fields_##name(void)                     \
	{                                                                      \
		typedef struct ipc_##name self __attribute__((unused));        \
		static const struct rec_field f[] = {
#define IPC_END(name)                                                          \
			{ .type = REC_T_END }                                  \
		};                                                             \
		return f;                                                      \
	}
#include "rec_table.h"
#include "ipc.def"
#include "rec_undef.h"
#undef IPC_BEGIN
#undef IPC_END

static struct ipc_desc descs[] = {
#define IPC_BEGIN(name, number, from, to)                                      \
	{ IPC_##name, from, to, #name, NULL, sizeof(struct ipc_##name) },
#define IPC_END(name)
#define REC_NONE
#define REC_U8(f)
#define REC_U16(f)
#define REC_U32(f)
#define REC_U64(f)
#define REC_UUID(f)
#define REC_STR(f, max)
#define REC_SECRET(f, max)
#define REC_BLOB(f, max)
#include "ipc.def"
#include "rec_undef.h"
#undef IPC_BEGIN
#undef IPC_END
};

static const struct rec_field *(*const field_tables[])(void) = {
#define IPC_BEGIN(name, number, from, to) fields_##name,
#define IPC_END(name)
#define REC_NONE
#define REC_U8(f)
#define REC_U16(f)
#define REC_U32(f)
#define REC_U64(f)
#define REC_UUID(f)
#define REC_STR(f, max)
#define REC_SECRET(f, max)
#define REC_BLOB(f, max)
#include "ipc.def"
#include "rec_undef.h"
#undef IPC_BEGIN
#undef IPC_END
};
/* clang-format on */

#define TYPE_MAX 0x1000

static const struct ipc_desc *by_type[TYPE_MAX];

/* Before main, so that lookups need no check; the tables are constant. */
static void __attribute__((constructor)) index_descs(void)
{
	for (size_t i = 0; i < array_len(descs); i++) {
		descs[i].fields = field_tables[i]();
		bug_on(descs[i].type >= TYPE_MAX);
		bug_on(by_type[descs[i].type] != NULL);
		bug_on(descs[i].size > IPC_STRUCT_MAX);
		by_type[descs[i].type] = &descs[i];
	}
}

const struct ipc_desc *
ipc_desc(unsigned type)
{
	return type < TYPE_MAX ? by_type[type] : NULL;
}

const char *
role_name(enum role role)
{
	static const char *const names[] = { "master", "smtpd", "accountd",
		"signd", "qmgr", "resolvd", "deliver", "bouncer", "webhookd",
		"tool" };

	for (size_t i = 0; i < array_len(names); i++) {
		if ((unsigned)role == 1u << i) {
			return names[i];
		}
	}
	return "nobody";
}

int
ipc_encode(struct buf *packet, enum ipc_type type, uint32_t id, const void *msg)
{
	const struct ipc_desc *d = ipc_desc(type);
	size_t start = packet->len;
	uint32_t len;
	int r;

	bug_on(d == NULL);
	buf_u16(packet, (uint16_t)type);
	buf_u16(packet, 0);
	buf_u32(packet, id);
	buf_u32(packet, 0);
	r = rec_encode(packet, d->fields, msg);
	if (r == 0 && packet->len - start > IPC_PACKET_MAX) {
		r = -EMSGSIZE;
	}
	if (r < 0) {
		packet->len = start;
		return r;
	}
	len = (uint32_t)(packet->len - start - IPC_HEAD_SIZE);
	memcpy(packet->p + start + 8, &len, sizeof(len));
	return 0;
}

int
ipc_decode(struct str *packet, unsigned from, unsigned to,
    struct ipc_head *head, void *rec)
{
	const struct ipc_desc *d;
	struct ipc_head h;

	_Static_assert(sizeof(h) == IPC_HEAD_SIZE, "no padding");
	if (packet->len == 0) {
		return -ENODATA;
	}
	if (packet->len < sizeof(h)) {
		return -EBADMSG;
	}
	memcpy(&h, packet->p, sizeof(h));
	if (h.zero != 0 || h.len > packet->len - sizeof(h)) {
		return -EBADMSG;
	}
	d = ipc_desc(h.type);
	if (d == NULL) {
		return -EBADMSG;
	}
	if ((d->from & from) == 0 || (d->to & to) == 0) {
		return -EPERM;
	}
	if (rec_decode(d->fields, REC_EXACT, packet->p + sizeof(h), h.len, rec,
		d->size) < 0) {
		return -EBADMSG;
	}
	*head = h;
	packet->p += sizeof(h) + h.len;
	packet->len -= sizeof(h) + h.len;
	return 0;
}
