#include "tickets.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#include "clock.h"
#include "conf.h"
#include "service.h"

#define NAME_SIZE 16
#define SECRET_SIZE 32

/* As it comes from master: the name stands in the ticket. */
struct key {
	uint8_t name[NAME_SIZE];
	uint8_t seal[SECRET_SIZE]; /* AES-256-CBC */
	uint8_t mac[SECRET_SIZE];  /* HMAC-SHA-256 */
};

_Static_assert(sizeof(struct key) == 80, "as ipc.def has it");

static struct key keys[2]; /* current, previous */
static unsigned n_keys;

static int
begin_mac(EVP_MAC_CTX *mac, const struct key *k)
{
	static char digest[] = "SHA256";
	OSSL_PARAM list[3] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY,
		    (void *)(uintptr_t)k->mac, sizeof(k->mac)),
		OSSL_PARAM_construct_utf8_string(
		    OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, list);
}

/* SSL_CTX_set_tlsext_ticket_key_evp_cb(3). */
static int
on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int is_new)
{
	const struct key *k = keys;
	unsigned i = 0;

	(void)ssl;
	if (is_new != 0) {
		if (RAND_bytes(
			iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1 ||
		    EVP_EncryptInit_ex(
			cipher, EVP_aes_256_cbc(), NULL, k->seal, iv) != 1 ||
		    begin_mac(mac, k) != 1) {
			return -1;
		}
		memcpy(name, k->name, NAME_SIZE);
		return 1;
	}
	while (i < n_keys && memcmp(name, keys[i].name, NAME_SIZE) != 0) {
		i++;
	}
	if (i == n_keys) {
		return 0; /* a full handshake */
	}
	k = &keys[i];
	if (begin_mac(mac, k) != 1 ||
	    EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, k->seal, iv) !=
		1) {
		return -1;
	}
	return i == 0 ? 1 : 2; /* 2: give a new ticket */
}

void
tickets_init(SSL_CTX *c)
{
	uint64_t time_us = conf()->smtpd_tls_ticket_time;

	if (time_us == 0) {
		(void)SSL_CTX_set_options(c, SSL_OP_NO_TICKET);
		(void)SSL_CTX_set_num_tickets(c, 0);
		return;
	}
	/* Until master's keys come: they do before the first connection. */
	n_keys = 1;
	if (RAND_bytes((uint8_t *)keys, sizeof(keys[0])) != 1 ||
	    SSL_CTX_set_tlsext_ticket_key_evp_cb(c, on_ticket) != 1) {
		n_keys = 0;
		(void)SSL_CTX_set_options(c, SSL_OP_NO_TICKET);
	}
	(void)SSL_CTX_set_num_tickets(c, n_keys);
	(void)SSL_CTX_set_timeout(c, (long)(time_us / US_PER_S));
}

void
tickets_set_keys(const struct ipc_ticket_key *m)
{
	const struct str parts[2] = { m->current, m->previous };

	n_keys = 0;
	while (n_keys < 2 && parts[n_keys].len == sizeof(struct key)) {
		memcpy(&keys[n_keys], parts[n_keys].p, sizeof(struct key));
		n_keys++;
	}
}

void
tickets_fini(void)
{
	explicit_bzero(keys, sizeof(keys));
	n_keys = 0;
}
