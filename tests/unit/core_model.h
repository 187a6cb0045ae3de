/*
 * A reference for the scheduling core, written without looking at how it
 * works: plain arrays, plain loops over all of them, every rule as its
 * definition says. It follows the core's inputs and judges each output; when
 * the core says that there is nothing to do, it looks for something.
 */
#ifndef TESTS_CORE_MODEL_H
#define TESTS_CORE_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "core.h"
#include "core_limits.h"
#include "core_name.h"
#include "core_out.h"
#include "core_view.h"

#define M_DOMAINS 6
#define M_SITES 4
#define M_PROVIDERS 2
#define M_SOURCES 3
#define M_POOLS 2
#define M_ACCOUNTS 4 /* 0 holds the anchors: held for ever, one per domain */
#define M_SUBS 3     /* 0: the account itself */
#define M_MESSAGES 24
#define M_RCPTS 6 /* of a message */
#define M_JOBS 256
#define M_SEGMENTS 8
#define M_GATES 7

enum m_state { M_NONE, M_WAIT, M_RESOLVE, M_READY, M_FLIGHT, M_HELD };

struct m_rcpt {
	enum m_state state;
	uint32_t domain; /* index here */
	uint32_t attempts;
	uint32_t due_s;
	int site;     /* READY: where it queues */
	int64_t turn; /* READY: lower goes first */
	uint64_t job; /* FLIGHT */
	bool to_hold;
	bool to_delete;
};

struct m_message {
	bool is_used;
	bool is_noted;
	bool is_pinned;
	uint32_t handle;
	struct core_message m;
	struct m_rcpt rcpts[M_RCPTS];
};

struct m_gate {
	struct core_limits base;
	struct core_limits over;
	uint64_t over_until_us;
	uint64_t tat_us;
	uint64_t rcpt_tat_us;
	uint64_t conn_tat_us;
	uint32_t inflight;
	bool is_out; /* a source taken out */
};

struct m_tenant {
	struct m_gate gate;
	uint32_t weight;
	uint32_t quota;
	uint32_t used;
	uint32_t hour;
	uint32_t queue_limit;
};

enum m_path_state { M_OPEN, M_DEAD, M_PROBING, M_SUSPENDED };

struct m_path {
	bool is_seen; /* there was a job: number is known */
	uint32_t number;
	enum m_path_state state;
	bool was_dead; /* before it was suspended */
	uint64_t until_us;
	double window;
	double cohorts;
	uint32_t inflight;
	uint32_t failures;
	uint32_t conns; /* as core_conns_changed was told */
	uint32_t usable;
	uint32_t ready;
	uint32_t closing;
};

struct m_domain {
	enum core_domain_state state; /* never ASKING */
	bool is_asking;
	uint32_t number;
	int site;
	uint64_t until_us;
	uint32_t fails;
};

struct m_job {
	uint64_t id; /* 0: free */
	uint32_t message;
	int site;
	int source;
	int provider; /* counted at this one; -1: none */
	uint32_t left;
	uint32_t hour;
	int feedback; /* worst, -1: none */
};

struct model {
	struct core *core;
	struct core_config conf;
	uint64_t now_us;
	uint64_t serial;
	int64_t front; /* turns given back, downwards */
	int64_t back;
	struct m_message messages[M_MESSAGES];
	struct m_domain domains[M_DOMAINS];
	struct m_gate sites[M_SITES];
	struct m_gate sites_from[M_SITES][M_SOURCES];
	uint32_t site_number[M_SITES];
	int site_provider[M_SITES];
	struct m_gate providers[M_PROVIDERS];
	struct m_gate providers_from[M_PROVIDERS][M_SOURCES];
	uint32_t provider_number[M_PROVIDERS];
	struct m_gate sources[M_SOURCES];
	struct m_tenant tenants[M_ACCOUNTS][M_SUBS];
	struct m_path paths[M_SITES][M_SOURCES];
	struct m_job jobs[M_JOBS];
	/* The command under way: */
	uint32_t command;
	enum core_command cmd;
	struct core_selector sel;
	bool is_retrying; /* domains may be asked before their time */
	uint64_t changed;
	uint64_t unsure; /* ended, perhaps by being let go */
	uint64_t counts[CORE_ADMIN_DONE + 1]; /* outputs by kind */
};

extern const int m_pool_of[M_SOURCES];

/* Fails the test. */
#define M_CHECK(m, cond)                                                       \
	do {                                                                   \
		if (!(cond)) {                                                 \
			model_fail(m, #cond, __FILE__, __LINE__);              \
		}                                                              \
	} while (0)
void model_fail(const struct model *m, const char *what, const char *file,
    int line) __attribute__((noreturn));

/* core_model.c: the state and what inputs do to it */
void model_init(struct model *m, uint64_t seed);
/* Sets up a new core as the old one was told to be. */
void model_set_up(struct model *m);
uint32_t m_now_s(const struct model *m);
struct m_message *m_find(struct model *m, uint32_t handle);
unsigned m_live(const struct m_message *msg);
bool m_is_expired(const struct model *m, const struct m_message *msg);
/* Moves what is due and resolved, as the core must have. */
void model_settle(struct model *m);
void m_need(struct model *m, struct m_domain *d);
/* One recipient is back from its job. */
void model_result(struct model *m, struct m_job *j, struct m_message *msg,
    uint16_t ordinal, const struct core_result *r,
    const struct core_verdict *v);
void model_late(struct model *m, struct m_message *msg, uint16_t ordinal,
    const struct core_result *r, const struct core_verdict *v);
struct m_job *m_job(struct model *m, uint64_t id);
/* The limits that a job counts at, at most M_GATES; how many they are. */
unsigned m_gates(struct model *m, const struct m_job *j, struct m_gate **out);
/* It has n recipients. */
void m_take(struct model *m, const struct m_job *j, uint32_t n);
struct m_job *m_enter(
    struct model *m, uint64_t id, struct m_message *msg, int site, int source);
void model_answer(struct model *m, struct m_domain *d, enum core_answer answer,
    int site, int provider, uint32_t ttl_s);
void m_probe(struct m_path *p);

/* core_model_rules.c: what may go now */
bool m_gate_open(const struct model *m, const struct m_gate *g);
const struct core_limits *m_limits(
    const struct model *m, const struct m_gate *g);
uint32_t m_used(const struct model *m, const struct m_tenant *t);
bool m_tenant_open(const struct model *m, uint32_t account, uint32_t sub);
bool m_path_open(const struct model *m, int site, int source);
/* A connection more is allowed by this limit, of a site, provider or source. */
bool m_conn_open(const struct model *m, const struct m_gate *g);
/* ... by all of them. */
bool m_may_open(const struct model *m, int site, int source);
/* Limits of connections that a path passes, at most M_GATES. */
unsigned m_conn_gates(
    const struct model *m, int site, int source, const struct m_gate **out);
uint32_t m_kept(const struct m_path *p);
uint32_t m_capacity(const struct model *m, const struct m_path *p);
/* Whether it could be in a job now, by every rule. */
bool m_could_go(
    const struct model *m, const struct m_message *msg, const struct m_rcpt *r);

/* core_model_judge.c: outputs */
void model_judge(struct model *m, const struct core_out *out);
/* The core has nothing more to do: neither must the model see anything. */
void model_quiet(struct model *m);
/* Every state, compared. */
void model_compare(struct model *m);
bool m_selected(
    const struct model *m, const struct m_message *msg, uint16_t ordinal);

#endif
