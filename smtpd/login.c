#include "login.h"

#include <errno.h>
#include <sasl/sasl.h>
#include <string.h>
#include <strings.h>

#include "buf.h"
#include "log.h"

/* As auth_req of ipc.def allows. */
#define USER_MAX 254
#define PASSWORD_MAX 512

struct login {
	sasl_conn_t *conn;
	sasl_callback_t callbacks[3];
	const char *mechanism;
	const char *challenge;
	unsigned challenge_len;
	bool is_captured;
	bool is_too_long;
	char user[USER_MAX + 1];
	char password[PASSWORD_MAX];
	size_t password_len;
};

static const char *hostname;

/* The library's callbacks have one type for all. */
typedef int callback_fn(void);

#define CALLBACK(fn) ((callback_fn *)(void (*)(void))(fn))

static int
on_getopt(void *context, const char *plugin, const char *option,
    const char **result, unsigned *len)
{
	static const struct {
		const char *option;
		const char *value;
	} rows[] = {
		{ "mech_list", "PLAIN LOGIN" },
		/* No second opinion: after a refusal the library would ask
		 * these, and a sasldb could let the client in. */
		{ "auxprop_plugin", "none" },
		{ "pwcheck_method", "auxprop" },
		{ "log_level", "1" },
	};

	(void)context;
	(void)plugin;
	for (size_t i = 0; i < array_len(rows); i++) {
		if (strcmp(option, rows[i].option) == 0) {
			*result = rows[i].value;
			if (len != NULL) {
				*len = (unsigned)strlen(*result);
			}
			return SASL_OK;
		}
	}
	return SASL_FAIL;
}

/* Of the installed plugins only these two are loaded. */
static int
on_verifyfile(void *context, const char *file, sasl_verify_type_t type)
{
	const char *base = strrchr(file, '/');

	(void)context;
	base = base != NULL ? base + 1 : file;
	if (type == SASL_VRFY_CONF) {
		return SASL_CONTINUE;
	}
	if (type == SASL_VRFY_PLUGIN && strncmp(base, "libplain", 8) != 0 &&
	    strncmp(base, "liblogin", 8) != 0) {
		return SASL_CONTINUE;
	}
	return SASL_OK;
}

static int
on_log(void *context, int level, const char *message)
{
	char text[256];

	(void)context;
	(void)level;
	log_debug("sasl: %s", str_safe(text, sizeof(text), str_of(message)));
	return SASL_OK;
}

int
login_init(const char *name, const char **why)
{
	static sasl_callback_t callbacks[4];
	const char *list = NULL;
	sasl_conn_t *conn = NULL;
	int r;

	hostname = name;
	callbacks[0] =
	    (sasl_callback_t){ SASL_CB_GETOPT, CALLBACK(on_getopt), NULL };
	callbacks[1] = (sasl_callback_t){ SASL_CB_VERIFYFILE,
		CALLBACK(on_verifyfile), NULL };
	callbacks[2] = (sasl_callback_t){ SASL_CB_LOG, CALLBACK(on_log), NULL };
	callbacks[3] = (sasl_callback_t){ SASL_CB_LIST_END, NULL, NULL };
	r = sasl_server_init(callbacks, NULL);
	if (r != SASL_OK) {
		*why = sasl_errstring(r, NULL, NULL);
		return -EIO;
	}
	/* Both mechanisms must be there: the EHLO reply promises them. */
	r = sasl_server_new("smtp", hostname, NULL, NULL, NULL, NULL, 0, &conn);
	if (r == SASL_OK) {
		(void)sasl_listmech(
		    conn, NULL, NULL, " ", NULL, &list, NULL, NULL);
	}
	if (list == NULL || strstr(list, "PLAIN") == NULL ||
	    strstr(list, "LOGIN") == NULL) {
		*why = "the mechanisms PLAIN and LOGIN are missing: install "
		       "libsasl2-modules";
		r = SASL_NOMECH;
	}
	sasl_dispose(&conn);
	return r == SASL_OK ? 0 : -EIO;
}

void
login_fini(void)
{
	sasl_done();
}

/* The library asks whether the password is right: it is noted, no more. */
static int
on_password(sasl_conn_t *conn, void *context, const char *user,
    const char *password, unsigned len, struct propctx *propctx)
{
	struct login *l = context;
	size_t user_len = strlen(user);

	(void)conn;
	(void)propctx;
	if (user_len > USER_MAX || len > PASSWORD_MAX) {
		l->is_too_long = true;
		return SASL_BADAUTH;
	}
	memcpy(l->user, user, user_len + 1);
	memcpy(l->password, password, len);
	l->password_len = len;
	l->is_captured = true;
	return SASL_OK;
}

static enum login_result
result_of(const struct login *l, int r)
{
	switch (r) {
	case SASL_OK:
		return l->is_captured ? LOGIN_DONE : LOGIN_REFUSED;
	case SASL_CONTINUE:
		return LOGIN_MORE;
	case SASL_BADPROT:
	case SASL_BADPARAM:
	case SASL_BUFOVER:
		return LOGIN_BAD;
	default:
		return LOGIN_REFUSED;
	}
}

static int
open_conn(struct login *l)
{
	sasl_security_properties_t props = { .security_flags =
						 SASL_SEC_NOANONYMOUS };
	int r;

	l->callbacks[0] = (sasl_callback_t){ SASL_CB_SERVER_USERDB_CHECKPASS,
		CALLBACK(on_password), l };
	l->callbacks[1] = (sasl_callback_t){ SASL_CB_LIST_END, NULL, NULL };
	r = sasl_server_new(
	    "smtp", hostname, NULL, NULL, NULL, l->callbacks, 0, &l->conn);
	return r == SASL_OK ? sasl_setprop(l->conn, SASL_SEC_PROPS, &props) : r;
}

static const char *
find_mechanism(struct str name)
{
	static const char *const known[] = { "PLAIN", "LOGIN" };

	for (size_t i = 0; i < array_len(known); i++) {
		if (str_eq_case(name, str_of(known[i]))) {
			return known[i];
		}
	}
	return NULL;
}

enum login_result
login_begin(
    struct login **out, struct str mechanism, bool has_first, struct str first)
{
	const char *name = find_mechanism(mechanism);
	enum login_result result;
	struct login *l;
	int r;

	*out = NULL;
	if (name == NULL) {
		return LOGIN_UNKNOWN;
	}
	l = mem_alloc(sizeof(*l));
	l->mechanism = name;
	r = open_conn(l);
	if (r == SASL_OK) {
		const char *in = first.len != 0 ? first.p : "";

		r = sasl_server_start(l->conn, name, has_first ? in : NULL,
		    (unsigned)first.len, &l->challenge, &l->challenge_len);
	}
	result = result_of(l, r);
	if (result != LOGIN_MORE && result != LOGIN_DONE) {
		login_end(&l);
	}
	*out = l;
	return result;
}

enum login_result
login_step(struct login *l, struct str response)
{
	int r = sasl_server_step(l->conn, response.len != 0 ? response.p : "",
	    (unsigned)response.len, &l->challenge, &l->challenge_len);

	return result_of(l, r);
}

struct str
login_challenge(const struct login *l)
{
	return (struct str){ l->challenge,
		l->challenge != NULL ? l->challenge_len : 0 };
}

const char *
login_mechanism(const struct login *l)
{
	return l->mechanism;
}

struct str
login_user(const struct login *l)
{
	return str_of(l->user);
}

struct str
login_password(const struct login *l)
{
	return (struct str){ l->password, l->password_len };
}

void
login_end(struct login **lp)
{
	struct login *l = *lp;

	*lp = NULL;
	if (l != NULL) {
		sasl_dispose(&l->conn);
		explicit_bzero(l, sizeof(*l));
		free(l);
	}
}
