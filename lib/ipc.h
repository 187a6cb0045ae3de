/*
 * The messages between the processes of one instance. ipc.def declares each
 * once: number, who may send it to whom, fields and their limits. From it come
 * the numbers, the structs and the tables here.
 */
#ifndef LIB_IPC_H
#define LIB_IPC_H

#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "rec.h"

/* Who is who; a set of roles is an OR of these. */
enum role {
	ROLE_MASTER = 1 << 0,
	ROLE_SMTPD = 1 << 1,
	ROLE_ACCOUNTD = 1 << 2,
	ROLE_SIGND = 1 << 3,
	ROLE_QMGR = 1 << 4,
	ROLE_RESOLVD = 1 << 5,
	ROLE_DELIVER = 1 << 6,
	ROLE_BOUNCER = 1 << 7,
	ROLE_WEBHOOKD = 1 << 8,
	ROLE_TOOL = 1 << 9,
	ROLE_DAEMONS = (1 << 9) - 2, /* all but master and tools */
};

const char *role_name(enum role role);

/* The largest packet, and so the largest message with its header. */
#define IPC_PACKET_MAX (128 * 1024)
#define IPC_BLOB_MAX (120 * 1024)

/* clang-format off */

/* Numbers: IPC_auth_req and so on. */
enum ipc_type {
#define IPC_BEGIN(name, number, from, to) IPC_##name = (number),
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

/* Structs: struct ipc_auth_req and so on. */
#define IPC_BEGIN(name, number, from, to) struct ipc_##name {
#define IPC_END(name)                                                          \
	}                                                                      \
	;
#include "rec_struct.h"
#include "ipc.def"
#include "rec_undef.h"
#undef IPC_BEGIN
#undef IPC_END

/* clang-format on */

struct ipc_desc {
	enum ipc_type type;
	unsigned from; /* set of roles */
	unsigned to;
	const char *name;
	const struct rec_field *fields;
	size_t size; /* of the struct */
};

/* The row of a message, or NULL. */
const struct ipc_desc *ipc_desc(unsigned type);

/* The largest struct of all, for a place to decode into. */
#define IPC_STRUCT_MAX 4096

/* A message in a packet: this header, then the record. */
struct ipc_head {
	uint16_t type;
	uint16_t zero;
	uint32_t id;  /* of the request; 0 where none is */
	uint32_t len; /* of the record, bytes */
};
#define IPC_HEAD_SIZE 12

/* Appends one message to a packet. 0 or -EMSGSIZE. */
int ipc_encode(struct buf *packet, enum ipc_type type, uint32_t id,
    const void *msg) MUST_CHECK;

/*
 * Takes the first message off *packet, which came from a process of role
 * from to one of role to. rec has IPC_STRUCT_MAX bytes; its strings point into
 * the packet. Returns 0, -EBADMSG (malformed), -EPERM (may not say that);
 * -ENODATA when the packet is used up.
 */
int ipc_decode(struct str *packet, unsigned from, unsigned to,
    struct ipc_head *head, void *rec) MUST_CHECK;

#endif
