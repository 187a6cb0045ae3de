#include "bouncer.h"
#include "buf.h"
#include "clock.h"
#include "conf.h"
#include "loop.h"
#include "service.h"

/* What could not be asked is asked again after this time. */
#define AGAIN_US (5 * US_PER_S)

/* One report on its way: qmgr knows whose the message was, accountd where its
 * account wants what comes back. */
struct work {
	struct message_place place; /* of the report */
	uint64_t run;		    /* of the qmgr that gave it */
	struct uuid msgid;	    /* of the original */
	uint64_t accept_lsn;
	bool is_known; /* whose it was */
	uint32_t account;
	uint32_t subaccount;
	struct loop_timer *again;
	own_mail_fn *fn;
	void *arg;
};

static void
finish(struct work *w)
{
	own_mail_fn *fn = w->fn;
	void *arg = w->arg;

	loop_timer_free(&w->again);
	free(w);
	fn(arg, 0);
}

static void
on_forward(void *arg, enum ipc_type type, const void *m)
{
	struct work *w = arg;
	const struct ipc_forward_rep *rep = m;
	struct forward f;

	if (type != IPC_forward_rep || rep == NULL) {
		loop_timer_arm(w->again, AGAIN_US);
		return;
	}
	if (rep->address.len == 0) {
		finish(w);
		return;
	}
	f = (struct forward){ .to = rep->address,
		.account = w->account,
		.subaccount = w->subaccount,
		.account_name = rep->name };
	forward_send(&w->place, &f, w->fn, w->arg);
	loop_timer_free(&w->again);
	free(w);
}

static void
ask_accountd(struct work *w)
{
	struct ipc_forward_req req = { .account = w->account,
		.subaccount = w->subaccount };

	if (peer_call(service_peer(ROLE_ACCOUNTD, 0), IPC_forward_req, &req, -1,
		conf()->bouncer_service_timeout, on_forward, w, NULL) < 0) {
		loop_timer_arm(w->again, AGAIN_US);
	}
}

static void
on_owner(void *arg, enum ipc_type type, const void *m)
{
	struct work *w = arg;
	const struct ipc_owner_rep *rep = m;

	if (type != IPC_owner_rep || rep == NULL) {
		loop_timer_arm(w->again, AGAIN_US);
	} else if (rep->status != 0) {
		finish(w); /* its record is not kept any more */
	} else {
		w->account = rep->account;
		w->subaccount = rep->subaccount;
		w->is_known = true;
		ask_accountd(w);
	}
}

static void
ask_qmgr(struct work *w)
{
	struct ipc_owner_req req = { .msgid = w->msgid,
		.accept_lsn = w->accept_lsn };

	if (peer_call(service_peer(ROLE_QMGR, 0), IPC_owner_req, &req, -1,
		conf()->bouncer_service_timeout, on_owner, w, NULL) < 0) {
		loop_timer_arm(w->again, AGAIN_US);
	}
}

static void
ask(void *arg)
{
	struct work *w = arg;

	if (w->run != bouncer_qmgr_run()) {
		finish(w); /* the new qmgr gives out every report anew */
	} else if (w->is_known) {
		ask_accountd(w);
	} else {
		ask_qmgr(w);
	}
}

void
owner_forward(const struct message_place *p, const struct uuid *msgid,
    uint64_t accept_lsn, own_mail_fn *fn, void *arg)
{
	struct work *w = mem_alloc(sizeof(*w));

	w->place = *p;
	w->msgid = *msgid;
	w->accept_lsn = accept_lsn;
	w->run = bouncer_qmgr_run();
	w->fn = fn;
	w->arg = arg;
	w->again = loop_timer_new(ask, w);
	ask_qmgr(w);
}
