#include <openssl/evp.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "clock.h"
#include "fake_loop.h"
#include "loop.h"
#include "stream.h"

struct end {
	struct stream *s;
	struct buf got;
	unsigned readable, drained, tls_done, eof, error, timeout;
	bool is_full;  /* takes no input for now */
	bool is_owing; /* has something to say after the end */
};

struct fixture {
	struct end a, b;
	int fd; /* of a */
};

static void
on_event(void *arg, enum stream_event ev)
{
	struct end *e = arg;
	struct str in;

	switch (ev) {
	case STREAM_READABLE:
		e->readable++;
		if (e->is_full) {
			break;
		}
		in = stream_input(e->s);
		buf_add(&e->got, in.p, in.len);
		stream_consume(e->s, in.len);
		break;
	case STREAM_DRAINED:
		e->drained++;
		break;
	case STREAM_CONNECTED:
		break;
	case STREAM_TLS_DONE:
		e->tls_done++;
		break;
	case STREAM_EOF:
		e->eof++;
		if (!e->is_owing) {
			stream_free(&e->s);
		}
		break;
	case STREAM_ERROR:
		e->error++;
		stream_free(&e->s);
		break;
	case STREAM_TIMEOUT:
		e->timeout++;
		stream_free(&e->s);
		break;
	}
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int fd[2];

	loop_init();
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	f->fd = fd[0];
	f->a.s = stream_new(fd[0], on_event, &f->a);
	f->b.s = stream_new(fd[1], on_event, &f->b);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	stream_free(&f->a.s);
	stream_free(&f->b.s);
	buf_fini(&f->a.got);
	buf_fini(&f->b.got);
	free(f);
	return 0;
}

static SSL_CTX *
server_context(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();

	(void)ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	(void)X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	(void)X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	(void)X509_set_pubkey(cert, key);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	assert_int_equal(SSL_CTX_use_certificate(ctx, cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
	EVP_PKEY_free(key);
	X509_free(cert);
	return ctx;
}

static void
start_tls(struct fixture *f)
{
	SSL_CTX *server = server_context();
	SSL_CTX *client = SSL_CTX_new(TLS_client_method());

	stream_start_tls(f->b.s, SSL_new(server), true);
	stream_start_tls(f->a.s, SSL_new(client), false);
	SSL_CTX_free(server);
	SSL_CTX_free(client);
	fake_loop_settle();
}

static void
test_stream_writes_of_one_turn_arrive_together(void **state)
{
	struct fixture *f = *state;

	stream_write(f->a.s, "EHLO ", 5);
	stream_printf(f->a.s, "%s\r\n", "client");
	fake_loop_settle();
	assert_true(str_is(buf_str(&f->b.got), "EHLO client\r\n"));
	assert_int_equal(f->b.readable, 1);
}

static unsigned released;

static void
release(void *arg)
{
	(void)arg;
	released++;
}

static void
test_stream_referenced_memory_is_released_once_sent(void **state)
{
	struct fixture *f = *state;
	static char big[500000];

	released = 0;
	memset(big, 'x', sizeof(big));
	stream_write(f->a.s, "before", 6);
	stream_write_ref(f->a.s, big, sizeof(big), release, NULL);
	stream_write(f->a.s, "after", 5);
	fake_loop_settle();
	assert_int_equal(released, 1);
	assert_int_equal(f->b.got.len, 6 + sizeof(big) + 5);
	assert_memory_equal(f->b.got.p + 6 + sizeof(big), "after", 5);
	assert_int_equal(stream_output(f->a.s), 0);
}

static void
test_stream_deadline_passes_once(void **state)
{
	struct fixture *f = *state;

	stream_deadline(f->a.s, 5 * US_PER_S);
	fake_loop_pass(4 * US_PER_S);
	assert_int_equal(f->a.timeout, 0);
	stream_deadline(f->a.s, 5 * US_PER_S);
	fake_loop_pass(4 * US_PER_S);
	assert_int_equal(f->a.timeout, 0);
	fake_loop_pass(2 * US_PER_S);
	assert_int_equal(f->a.timeout, 1);
}

static void
test_stream_the_other_side_closing_is_an_eof(void **state)
{
	struct fixture *f = *state;

	stream_write(f->a.s, "bye", 3);
	stream_finish(&f->a.s, US_PER_S);
	fake_loop_settle();
	assert_null(f->a.s);
	assert_true(str_is(buf_str(&f->b.got), "bye"));
	assert_int_equal(f->b.eof, 1);
}

/* f->a says no more, and listens on. */
static void
close_half(struct fixture *f)
{
	stream_flush(f->a.s);
	if (stream_ssl(f->a.s) != NULL) {
		(void)SSL_shutdown(stream_ssl(f->a.s));
		stream_flush(f->a.s);
	}
	(void)shutdown(f->fd, SHUT_WR);
	fake_loop_settle();
}

static void
end_of_input_is_no_end_of_output(struct fixture *f)
{
	static char big[400000];

	f->b.is_owing = true;
	stream_write(f->a.s, "QUIT", 4);
	close_half(f);
	assert_true(str_is(buf_str(&f->b.got), "QUIT"));
	assert_int_equal(f->b.eof, 1);
	stream_write(f->b.s, "late ", 5);
	fake_loop_settle();
	stream_write(f->b.s, big, sizeof(big));
	stream_finish(&f->b.s, US_PER_S);
	fake_loop_settle();
	assert_int_equal(f->a.got.len, 5 + sizeof(big));
	assert_int_equal(f->a.eof, 1);
	assert_int_equal(f->b.eof, 1);
}

static void
test_stream_output_goes_on_after_the_end_of_input(void **state)
{
	end_of_input_is_no_end_of_output(*state);
}

static void
test_stream_tls_output_goes_on_after_the_end_of_input(void **state)
{
	start_tls(*state);
	end_of_input_is_no_end_of_output(*state);
}

static void
test_stream_tls_end_is_told_behind_all_input(void **state)
{
	struct fixture *f = *state;
	static char big[100000];

	start_tls(f);
	f->b.is_full = true;
	stream_set_input_max(f->b.s, 1000);
	stream_write(f->a.s, big, sizeof(big));
	close_half(f);
	assert_int_equal(f->b.eof, 0);
	f->b.is_full = false;
	on_event(&f->b, STREAM_READABLE);
	fake_loop_settle();
	assert_int_equal(f->b.got.len, sizeof(big));
	assert_int_equal(f->b.eof, 1);
}

static void
test_stream_finish_sends_all_that_was_written(void **state)
{
	struct fixture *f = *state;
	static char big[400000];

	stream_write(f->a.s, big, sizeof(big));
	stream_finish(&f->a.s, 60 * US_PER_S);
	fake_loop_settle();
	assert_int_equal(f->b.got.len, sizeof(big));
	assert_int_equal(f->b.eof, 1);
}

static void
test_stream_tls_carries_data_both_ways(void **state)
{
	struct fixture *f = *state;
	static char big[300000];

	start_tls(f);
	assert_int_equal(f->a.tls_done, 1);
	assert_int_equal(f->b.tls_done, 1);
	stream_write(f->a.s, "hello", 5);
	memset(big, 'y', sizeof(big));
	stream_write_ref(f->b.s, big, sizeof(big), NULL, NULL);
	fake_loop_settle();
	assert_true(str_is(buf_str(&f->b.got), "hello"));
	assert_int_equal(f->a.got.len, sizeof(big));
	assert_memory_equal(f->a.got.p, big, sizeof(big));
}

static void
test_stream_tls_close_is_an_eof(void **state)
{
	struct fixture *f = *state;

	start_tls(f);
	stream_write(f->a.s, "bye", 3);
	stream_finish(&f->a.s, US_PER_S);
	fake_loop_settle();
	assert_true(str_is(buf_str(&f->b.got), "bye"));
	assert_int_equal(f->b.eof, 1);
}

static void
test_stream_a_broken_handshake_is_an_error(void **state)
{
	struct fixture *f = *state;
	SSL_CTX *server = server_context();

	stream_start_tls(f->b.s, SSL_new(server), true);
	SSL_CTX_free(server);
	stream_write(f->a.s, "this is not a handshake\r\n", 25);
	fake_loop_settle();
	assert_int_equal(f->b.error, 1);
	assert_int_equal(f->b.tls_done, 0);
}

static void
test_stream_reads_nothing_while_paused(void **state)
{
	struct fixture *f = *state;

	stream_pause(f->b.s, true);
	stream_write(f->a.s, "held back", 9);
	fake_loop_settle();
	assert_int_equal(f->b.got.len, 0);
	stream_pause(f->b.s, false);
	fake_loop_settle();
	assert_true(str_is(buf_str(&f->b.got), "held back"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_stream_writes_of_one_turn_arrive_together),
		TEST(test_stream_referenced_memory_is_released_once_sent),
		TEST(test_stream_deadline_passes_once),
		TEST(test_stream_the_other_side_closing_is_an_eof),
		TEST(test_stream_output_goes_on_after_the_end_of_input),
		TEST(test_stream_tls_output_goes_on_after_the_end_of_input),
		TEST(test_stream_tls_end_is_told_behind_all_input),
		TEST(test_stream_finish_sends_all_that_was_written),
		TEST(test_stream_tls_carries_data_both_ways),
		TEST(test_stream_tls_close_is_an_eof),
		TEST(test_stream_a_broken_handshake_is_an_error),
		TEST(test_stream_reads_nothing_while_paused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
