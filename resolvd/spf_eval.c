#include "spf_eval.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include <spf2/spf.h>
#include <spf2/spf_log.h>

/* What the callbacks share. */
struct eval {
	const struct spf_job *job;
	struct spf_outcome *out;
	bool is_missing;
	bool is_temporary; /* an answer it saw had failed */
};

/* ---- libspf2's words, which nobody reads -------------------------------- */

static void NORETURN
on_error(const char *file, int line, const char *text)
{
	(void)file;
	(void)line;
	(void)text;
	_exit(1);
}

static void
on_word(const char *file, int line, const char *text)
{
	(void)file;
	(void)line;
	(void)text;
}

static void
silence(void)
{
	SPF_error_handler = on_error;
	SPF_warning_handler = on_word;
	SPF_info_handler = on_word;
	SPF_debug_handler = on_word;
}

/* ---- answers ------------------------------------------------------------ */

static int
error_of(const struct spf_entry *e)
{
	switch (e->status) {
	case ANSWER_DATA:
		return NETDB_SUCCESS;
	case ANSWER_NODATA:
		return NO_DATA;
	case ANSWER_NXDOMAIN:
		return HOST_NOT_FOUND;
	case ANSWER_TEMPORARY:
		break;
	}
	return TRY_AGAIN;
}

static void
set_record(SPF_dns_rr_data_t *to, ns_type type, struct str data)
{
	if (type == ns_t_a) {
		memcpy(&to->a, data.p, sizeof(to->a));
	} else if (type == ns_t_aaaa) {
		memcpy(&to->aaaa, data.p, sizeof(to->aaaa));
	} else {
		char *text = to->txt; /* as well as mx and ptr */

		memcpy(text, data.p, data.len);
		text[data.len] = '\0';
	}
}

static void
fill(SPF_dns_rr_t *rr, ns_type type, const struct spf_entry *e)
{
	for (unsigned i = 0; i < e->n; i++) {
		if (SPF_dns_rr_buf_realloc(rr, (int)i,
			e->records[i].len + sizeof(SPF_dns_rr_data_t)) !=
		    SPF_E_SUCCESS) {
			_exit(1);
		}
		set_record(rr->rr[i], type, e->records[i]);
		rr->num_rr++;
	}
}

static bool
is_asked(ns_type type)
{
	return type == ns_t_a || type == ns_t_aaaa || type == ns_t_mx ||
	    type == ns_t_ptr || type == ns_t_txt;
}

static SPF_dns_rr_t *
lookup(SPF_dns_server_t *s, const char *name, ns_type type, int should_cache)
{
	struct eval *v = s->hook;
	const struct spf_entry *e;
	SPF_dns_rr_t *rr;

	(void)should_cache;
	if (!is_asked(type) || strlen(name) > DOMAIN_NAME_MAX) {
		/* the type SPF is no more: RFC 7208 section 3.1 */
		return SPF_dns_rr_new_init(s, name, type, 0, NO_DATA);
	}
	e = spf_table_find(v->job->table, name, (uint16_t)type);
	if (e == NULL) {
		if (!v->is_missing) {
			v->is_missing = true;
			v->out->type = (uint16_t)type;
			(void)snprintf(
			    v->out->name, sizeof(v->out->name), "%s", name);
		}
		return SPF_dns_rr_new_init(s, name, type, 0, TRY_AGAIN);
	}
	v->is_temporary = v->is_temporary || e->status == ANSWER_TEMPORARY;
	rr = SPF_dns_rr_new_init(s, name, type, 0, error_of(e));
	if (rr != NULL) {
		fill(rr, type, e);
	}
	return rr;
}

/* Never an explanation: its expansion overflows the stack (CVE-2023-42118). */
static SPF_errcode_t
no_explanation(
    SPF_server_t *server, const char *domain, char **text, size_t *size)
{
	(void)server;
	(void)domain;
	if (*text == NULL || *size == 0) {
		*text = calloc(1, 1);
		*size = 1;
	}
	if (*text != NULL) {
		(*text)[0] = '\0';
	}
	return SPF_E_SUCCESS;
}

/* ---- results ------------------------------------------------------------ */

static enum spf_verdict
verdict_of(SPF_response_t *r)
{
	switch (SPF_response_result(r)) {
	case SPF_RESULT_PASS:
		return SPF_PASS;
	case SPF_RESULT_FAIL:
		return SPF_FAIL;
	case SPF_RESULT_SOFTFAIL:
		return SPF_SOFTFAIL;
	case SPF_RESULT_NEUTRAL:
		return SPF_NEUTRAL;
	case SPF_RESULT_NONE:
		return SPF_NONE;
	case SPF_RESULT_TEMPERROR:
		return SPF_TEMPERROR;
	case SPF_RESULT_PERMERROR:
		return SPF_PERMERROR;
	case SPF_RESULT_INVALID:
		break;
	}
	/* Errors on the way to the record have no result. */
	return SPF_response_errcode(r) == SPF_E_NOT_SPF ? SPF_NONE
							: SPF_PERMERROR;
}

static void
read_response(SPF_response_t *r, struct spf_outcome *out)
{
	out->verdict = verdict_of(r);
	if (out->verdict != SPF_PERMERROR && out->verdict != SPF_TEMPERROR) {
		return;
	}
	for (int i = 0; i < SPF_response_messages(r); i++) {
		SPF_error_t *e = SPF_response_message(r, i);

		if (SPF_error_errorp(e)) {
			(void)snprintf(out->text, sizeof(out->text), "%s",
			    SPF_error_message(e));
			return;
		}
	}
	(void)snprintf(out->text, sizeof(out->text), "%s",
	    SPF_strerror(SPF_response_errcode(r)));
}

static void
set_ip(SPF_request_t *request, const struct plan_address *ip)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct in6_addr v6;
	struct in_addr v4;

	if (ip->family == 4) {
		memcpy(&v4, ip->b, sizeof(v4));
		(void)SPF_request_set_ipv4(request, v4);
	} else if (memcmp(ip->b, mapped, sizeof(mapped)) == 0) {
		/* IPv4 in IPv6's clothes: RFC 7208 section 5 */
		memcpy(&v4, ip->b + sizeof(mapped), sizeof(v4));
		(void)SPF_request_set_ipv4(request, v4);
	} else {
		memcpy(&v6, ip->b, sizeof(v6));
		(void)SPF_request_set_ipv6(request, v6);
	}
}

void
spf_eval(const struct spf_job *job, struct spf_outcome *out)
{
	struct eval v = { .job = job, .out = out };
	SPF_dns_server_t dns = { .lookup = lookup,
		.get_exp = no_explanation,
		.name = "table",
		.hook = &v };
	SPF_response_t *response = NULL;
	SPF_server_t *server;
	SPF_request_t *request;

	*out = (struct spf_outcome){ .verdict = SPF_TEMPERROR };
	silence();
	server = SPF_server_new_dns(&dns, 0);
	if (server == NULL) {
		return;
	}
	(void)SPF_server_set_rec_dom(server, job->own);
	request = SPF_request_new(server);
	if (request != NULL) {
		set_ip(request, &job->ip);
		(void)SPF_request_set_helo_dom(request, job->own);
		(void)SPF_request_set_env_from(request, job->sender);
		(void)SPF_request_query_mailfrom(request, &response);
		if (v.is_missing) {
			out->verdict = SPF_QUESTION;
		} else if (response != NULL) {
			read_response(response, out);
		}
		/* Not each lookup that failed ends in a temporary error. */
		if (v.is_temporary && out->verdict != SPF_QUESTION &&
		    out->verdict != SPF_PASS) {
			out->verdict = SPF_TEMPERROR;
		}
		SPF_response_free(response);
		SPF_request_free(request);
	}
	SPF_server_free(server);
}
