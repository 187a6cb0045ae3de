/*
 * Functions that the core's files offer each other, by file. Included by
 * core_impl.h only.
 */
#ifndef QMGR_CORE_CALLS_H
#define QMGR_CORE_CALLS_H

/* ---- core_timer.c: one timer for whatever is blocked --------------------- */

/* Sets, moves or (UINT64_MAX) clears the timer of an object. */
void timer_set(
    struct core *core, enum timer_kind kind, uint32_t index, uint64_t at_us);
/* The next timer that has passed; it is cleared. False: none. */
bool timer_pop(struct core *core, struct timer *t);

/* ---- core_wheel.c: recipients by their due time -------------------------- */

int wheel_init(struct wheel *w, uint32_t now_s) MUST_CHECK;
void wheel_fini(struct wheel *w);
void wheel_add(struct core *core, uint32_t rcpt, uint32_t due_s);
void wheel_remove(struct core *core, uint32_t rcpt);
/* Moves what is due, as far as the budget goes; true: there is more. */
bool wheel_advance(struct core *core);
/* The second of the next slot in use; UINT32_MAX: none. */
uint32_t wheel_next(const struct core *core);

/* ---- core_message.c ------------------------------------------------------ */

/* Done when nothing of it is left. */
void message_settle(struct core *core, uint32_t msg);
void message_out(const struct core *core, uint32_t msg, struct core_out *out);
bool message_next_done(struct core *core, struct core_out *out);
/* Expires what is too old, a part in each turn; true: behind its time. */
bool message_sweep(struct core *core);
bool segment_next_empty(struct core *core, struct core_out *out);
uint64_t message_lsn(const struct msg *m);
uint32_t cost_decode(uint8_t cost);
uint8_t cost_encode(uint64_t size);

/* ---- core_rcpt.c ----------------------------------------------------------
 */

void rcpt_new(struct core *core, uint32_t msg, const struct core_rcpt *from);
/* Files those that waited for their message's LSN. */
void rcpts_are_ready(struct core *core, uint32_t msg);
void rcpt_state(struct core *core, uint32_t rcpt, enum core_rcpt_state to);
/* Out of the list that its state names. */
void rcpt_unlink(struct core *core, uint32_t rcpt);
/* Due now: to its queue, or to wait for its domain's site. */
void rcpt_ready(struct core *core, uint32_t rcpt);
/* The same, when its domain was answered; when a job gave it back. */
void rcpt_resolved(struct core *core, uint32_t rcpt);
void rcpt_return(struct core *core, uint32_t rcpt);
void rcpt_retry(struct core *core, uint32_t rcpt, uint32_t due_s);
/* Final: to be told by core_next. It is in no list. */
void rcpt_end(struct core *core, uint32_t rcpt, enum end_reason why);
bool rcpt_next_ended(struct core *core, struct core_out *out);
/* Forgets it, which is in no list. Its message may be done then. */
void rcpt_free(struct core *core, uint32_t rcpt);
/* A recipient that has not ended, or NIL. */
uint32_t rcpt_find(const struct core *core, uint32_t msg, uint16_t ordinal);
/* When it is due, 0 for now, seconds. */
uint32_t rcpt_due(const struct core *core, const struct rcpt *r);

/* ---- core_name.c ----------------------------------------------------------
 */

void site_provider(struct core *core, uint32_t site, uint32_t provider);
/* Forgets some of the names that nothing needs. */
void name_collect(struct core *core);
void name_fini(struct core *core);

/* ---- core_domain.c --------------------------------------------------------
 */

/* The site to use now, or NIL: the recipient must wait or has failed. */
uint32_t domain_site(struct core *core, uint32_t domain);
void domain_wait(struct core *core, uint32_t rcpt);
/* Out of that list. */
void domain_unwait(struct core *core, uint32_t rcpt);
void domain_ask(struct core *core, uint32_t domain);
bool domain_next_question(struct core *core, struct core_out *out);
void domain_timer(struct core *core, uint32_t domain);
/* Moves recipients on whose domain was answered; true: there is more. */
bool domain_move(struct core *core);
void site_unref(struct core *core, uint32_t site);

/* ---- core_gate.c
 * --------------------------------------------------------------- */

uint32_t gate_new(struct core *core, enum core_level level, uint32_t owner);
void gate_free(struct core *core, uint32_t gate);
/* The one for a source (CORE_FROM; 0: for all) of the site's or provider's
 * gates, of which head is the first; NIL: none. */
uint32_t gate_from(const struct core *core, uint32_t head, uint32_t from);
/* The bit that stands for the gate among those a path passes. */
uint8_t gate_ticket(const struct core *core, uint32_t gate);
/* Nothing would be forgotten with the gates of a site or provider. */
bool gates_are_idle(const struct core *core, uint32_t head);
void gates_free(struct core *core, uint32_t head);
const struct core_limits *gate_limits(
    const struct core *core, const struct gate *g);
/* Whether it lets one more through; else *until_us is when to look again
 * (UINT64_MAX: not by time) and *on_quota whether the quota stops it. */
bool gate_is_open(
    struct core *core, uint32_t gate, uint64_t *until_us, bool *on_quota);
/* Whether it has a rate of messages or recipients. */
bool gate_is_paced(const struct core *core, uint32_t gate);
/* Why it lets nobody through now, quotas aside. */
enum core_stop gate_stop(const struct core *core, uint32_t gate);
/* One job goes through, or is over. */
void gate_enter(struct core *core, uint32_t gate);
/* The job that has entered takes one more recipient. */
void gate_take(struct core *core, uint32_t gate);
void gate_leave(struct core *core, uint32_t gate);
/* It may be open: what waits there will be looked at. */
void gate_wake(struct core *core, uint32_t gate);
/* Lets one waiter of an open gate go on; false: no gate has any. */
bool gate_admit(struct core *core);
/* Waits there until it opens or time passes. */
void gate_wait(struct core *core, uint32_t gate, uint64_t until_us);

/* ---- core_tenant.c
 * ------------------------------------------------------------ */

uint32_t tenant_get(struct core *core, uint32_t account, uint32_t sub);
uint32_t tenant_find(const struct core *core, uint32_t account, uint32_t sub);
uint32_t flow_get(struct core *core, uint32_t tenant, uint32_t pool);
/* Nothing is left of its quota; *until_us is when there is again. */
bool tenant_is_used_up(
    const struct core *core, uint32_t tenant, uint64_t *until_us);
/* Recipients that the quotas of tenant and account still allow. */
uint32_t tenant_quota_left(const struct core *core, uint32_t tenant);
void tenant_use(struct core *core, uint32_t tenant, uint32_t n);
/* Gives back what was not used, if that hour still is. */
void tenant_unuse(struct core *core, uint32_t tenant, uint32_t hour);
void tenant_queued(struct core *core, uint32_t tenant, int n);

/* ---- core_queue.c: queues of tenants at a ring -------------------------- */

void fq_push(struct core *core, uint32_t ring, uint32_t rcpt, bool is_front);
void fq_remove(struct core *core, uint32_t rcpt);
/* The account queue at a ring. */
uint32_t fq_account(struct core *core, uint32_t ring, uint32_t tenant);
/* In or out of its parent's list as its work says; frees the unused. */
void fq_settle(struct core *core, uint32_t fq);
/* Out of the list, to wait at its tenant's gate. */
void fq_park(struct core *core, uint32_t fq, uint64_t until_us, bool on_quota);
/* It left its gate with a ticket. */
void fq_admit(struct core *core, uint32_t fq);
/* The first waiter learns that it waits for its quota now; false: it did. */
bool fq_wait_for_quota(struct core *core, uint32_t *waiters);
bool fq_next_note(struct core *core, struct core_out *out);

/* ---- core_share.c: whose turn it is ----------------------------------------
 */

/* The leaf and class whose turn it is at the ring, paid for; false: nobody
 * can go. */
bool share_pick(
    struct core *core, uint32_t ring, uint32_t *leaf, uint32_t *class);

/* ---- core_ring.c ----------------------------------------------------------
 */

uint32_t ring_get(struct core *core, uint32_t site, uint32_t pool);
/* It may have a job to give. */
void ring_wake(struct core *core, uint32_t ring);
void ring_stop(struct core *core, uint32_t ring);
bool ring_is_idle(const struct core *core, uint32_t ring);
void ring_free(struct core *core, uint32_t ring);
uint32_t path_get(struct core *core, uint32_t ring, uint32_t source);

/* ---- core_path.c: windows and dead sites -------------------------------- */

void path_new(struct core *core, uint32_t path);
/* Out of what it is in, for good. */
void path_free(struct core *core, uint32_t path);
/* The limits of source, site and provider that it passes, at most PATH_GATES;
 * returns how many they are. */
uint32_t path_gates(
    const struct core *core, const struct path *p, uint32_t *gates);
bool path_is_at(const struct core *core, const struct path *p, uint32_t gate);
/* Connections it may have now. */
uint32_t path_connections(const struct path *p);
/* Available or full, as its jobs say. */
void path_settle(struct core *core, uint32_t path);
/* The same for all paths to a site. */
void paths_settle(struct core *core, uint32_t site);
/* Waits at the gate; until_us 0: it is open, but others are before. */
void path_park(
    struct core *core, uint32_t path, uint32_t gate, uint64_t until_us);
/* No more, if it waits at that one. */
void path_unpark(struct core *core, uint32_t path, uint32_t gate);
void path_admit(struct core *core, uint32_t path);
void path_feedback(
    struct core *core, uint32_t path, enum core_feedback feedback);
void path_probe(struct core *core, uint32_t path);
void path_timer(struct core *core, uint32_t path);
bool path_next_cancel(struct core *core, struct core_out *out);

/* ---- core_conn.c: open connections ---------------------------------------
 */

/* A connection counts at the gate. */
bool conn_counts_at(const struct core *core, uint32_t gate);
/* Whether the path has a use for one more job, as its connections are. */
bool conn_has_room(const struct core *core, const struct path *p);
/* In or out of the list of those with connections to spare. */
void conn_settle(struct core *core, uint32_t path);
/* It does not wait with the others at a gate without a rate: it has
 * connections, and had its share of them only if nobody lacks their place. */
bool conn_goes_first(
    const struct core *core, const struct path *p, uint32_t gate);
/* Whether it may go, with a connection that it has or (may_open) a new one;
 * else it waits: for a result, if it has jobs out, or at the gate that allows
 * no connection. */
bool conn_passes(
    struct core *core, uint32_t path, const uint32_t *gates, uint32_t n);
/* It opens one. */
void conn_open(struct core *core, uint32_t path);
/* The first of the gate's next waiters that has a connection or may open one
 * here; NIL: none, *until_us is when to look again. */
uint32_t conn_next_waiter(struct core *core, uint32_t gate, uint64_t *until_us);
/* Those beyond the gate's limit are closed, when they are idle. */
void conn_trim(struct core *core, uint32_t gate);
/* Why the gate allows no more; CORE_STOP_NONE: it does. */
enum core_stop conn_stop(const struct core *core, uint32_t gate);
/* Connections of a path count at the gates of now, or (sign -1) no more. */
void conn_count(struct core *core, uint32_t path, int sign);
/* The same at this gate only. */
void conn_count_at(struct core *core, uint32_t path, uint32_t gate);
/* An earlier run may have used up the rate. */
void conn_assume_used(const struct core *core, struct gate *g);
bool conn_next_close(struct core *core, struct core_out *out);

/* ---- core_schedule.c -------------------------------------------------------
 */

/* A job of the next ring that has one, or a recipient found too old. */
bool schedule_next(struct core *core, struct core_out *out);

/* ---- core_warm.c: ceilings of source addresses ------------------------- */

uint64_t warm_hash(const void *elem, uint64_t seed);
/* The count of the path's address and provider is there, if it needs one. */
void warm_prepare(struct core *core, const struct path *p);
/* Its gate, or NIL. */
uint32_t warm_gate(const struct core *core, const struct path *p);
/* Recipients that may still be tried today. */
uint32_t warm_left(const struct core *core, uint32_t warm);
/* None; *until_us is when there are again. */
bool warm_is_used_up(
    const struct core *core, uint32_t warm, uint64_t *until_us);
/* One is tried; has its result; was not tried after all. day: when it was. */
void warm_use(struct core *core, uint32_t warm);
void warm_answered(struct core *core, uint32_t warm, uint32_t day);
void warm_unuse(struct core *core, uint32_t warm, uint32_t day);
/* Forgets some of those of other days. */
void warm_collect(struct core *core);

/* ---- core_job.c -------------------------------------------------------------
 */

uint32_t job_new(struct core *core, uint32_t msg, uint32_t path);
void job_take(struct core *core, uint32_t job, uint32_t rcpt);

/* ---- core_admin.c
 * --------------------------------------------------------------- */

/* What a command has changed; before all else, while it is so. */
bool admin_tell(struct core *core, struct core_out *out);
bool admin_next(struct core *core, struct core_out *out);

#endif
