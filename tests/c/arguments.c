/*
 * Every argument of every function as it must not be: NULL, not UTF-8, empty, out of range. None of it
 * is a crash, and each function says so in its own way.
 *
 * With "list" it prints the names of the functions that it tries; otherwise it tries them, with a folder
 * that is empty and must stay so.
 */
#include <evrim.h>

#include <dirent.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* NULL, a byte that is never UTF-8, half a character, a lone surrogate, and NUL too long. */
static const char *const NOT_TEXT[] = {NULL, "\xff\xfe", "caf\xc3", "\xed\xa0\x80", "\xc0\x80"};
#define KINDS (sizeof NOT_TEXT / sizeof NOT_TEXT[0])
/* From here on where NULL is allowed. */
#define NOT_NULL 1

#define INVALID EVRIM_ERROR_INVALID_ARGUMENT

static const char *url;
static const char *folder;
static evrim_options *options;
static evrim_request_options *extras;
static evrim_client *client;
static evrim_response *response;
static evrim_error *some_error;
static int failures;

/* Where results go. Each is poisoned first, so that a result that is not cleared is seen. */
static evrim_error *error;
static evrim_client *made;
static evrim_response *answer;
static char *token;
static const char *borrowed;
static bool flag;
static int64_t integer;
static double real;
static size_t length;
static int poison;

static evrim_error **before(int pass)
{
    made = (evrim_client *)(void *)&poison;
    answer = (evrim_response *)(void *)&poison;
    token = (char *)&poison;
    borrowed = (const char *)&poison;
    flag = true;
    integer = 7;
    real = 7;
    /* The second time without a place for the error, which is just as good. */
    error = (evrim_error *)(void *)&poison;
    return pass == 0 ? &error : NULL;
}

static void blame(const char *what, const char *why)
{
    failures++;
    printf("%s: %s\n", what, why);
}

static void after(const char *what, evrim_status status, evrim_status want, bool cleared, int pass)
{
    if (status != want)
        blame(what, evrim_status_name((int32_t)status));
    if (!cleared)
        blame(what, "the result is not cleared");
    if (pass != 0)
        return;
    if (error == NULL || error == (evrim_error *)(void *)&poison) {
        blame(what, "no error was set");
        return;
    }
    if (evrim_error_status(error) != status)
        blame(what, "the error has another status than the call");
    if (evrim_error_message(error)[0] == '\0')
        blame(what, "the error says nothing");
    if (evrim_error_may_have_been_sent(error) || evrim_error_is_retryable(error))
        blame(what, "the error speaks of a request that never was");
    evrim_error_free(error);
}

#define REFUSED(want, cleared, call)                                                               \
    do {                                                                                           \
        int pass;                                                                                  \
        for (pass = 0; pass < 2; pass++) {                                                         \
            evrim_error **place = before(pass);                                                    \
            evrim_status status = (call);                                                          \
            after(#call, status, want, cleared, pass);                                             \
        }                                                                                          \
    } while (0)

#define STATUS(want, call)                                                                         \
    do {                                                                                           \
        evrim_status status = (call);                                                              \
        if (status != (want))                                                                      \
            blame(#call, evrim_status_name((int32_t)status));                                      \
    } while (0)

#define HOLDS(what)                                                                                \
    do {                                                                                           \
        if (!(what))                                                                               \
            blame(#what, "does not hold");                                                         \
    } while (0)

/* One line for each kind of text that is none: the argument stands as `bad` in the call. */
#define EACH_BAD_TEXT(from, statement)                                                             \
    do {                                                                                           \
        size_t kind;                                                                               \
        for (kind = (from); kind < KINDS; kind++) {                                                \
            const char *bad = NOT_TEXT[kind];                                                      \
            statement;                                                                             \
        }                                                                                          \
    } while (0)

static void try_version(void)
{
    HOLDS(strcmp(evrim_version(), EVRIM_VERSION) == 0);
}

static void try_string_free(void)
{
    evrim_string_free(NULL);
}

static void try_status_name(void)
{
    static const int32_t unknown[] = {-1, 8, 19, 27, 39, 1000, INT32_MAX, INT32_MIN};
    size_t at;
    for (at = 0; at < sizeof unknown / sizeof unknown[0]; at++)
        HOLDS(strcmp(evrim_status_name(unknown[at]), "EVRIM_ERROR_UNKNOWN") == 0);
}

static void try_error_status(void)
{
    HOLDS(evrim_error_status(NULL) == EVRIM_OK);
}

static void try_error_message(void)
{
    HOLDS(strcmp(evrim_error_message(NULL), "no error") == 0);
}

static void try_error_http_status(void)
{
    HOLDS(evrim_error_http_status(NULL) == 0);
    HOLDS(evrim_error_http_status(some_error) == 0);
}

static void try_error_server_code(void)
{
    HOLDS(evrim_error_server_code(NULL) == NULL);
    HOLDS(evrim_error_server_code(some_error) == NULL);
}

static void try_error_request_id(void)
{
    HOLDS(evrim_error_request_id(NULL) == NULL);
    HOLDS(evrim_error_request_id(some_error) == NULL);
}

static void try_error_retry_after_ms(void)
{
    HOLDS(evrim_error_retry_after_ms(NULL) == -1);
    HOLDS(evrim_error_retry_after_ms(some_error) == -1);
}

static void try_error_is_retryable(void)
{
    HOLDS(!evrim_error_is_retryable(NULL));
}

static void try_error_may_have_been_sent(void)
{
    HOLDS(!evrim_error_may_have_been_sent(NULL));
}

static void try_error_body(void)
{
    length = 7;
    HOLDS(evrim_error_body(NULL, &length) == NULL && length == 0);
    length = 7;
    HOLDS(evrim_error_body(some_error, &length) == NULL && length == 0);
    HOLDS(evrim_error_body(NULL, NULL) == NULL);
    HOLDS(evrim_error_body(some_error, NULL) == NULL);
}

static void try_error_free(void)
{
    evrim_error_free(NULL);
}

static void try_options_new(void)
{
    evrim_options *more = evrim_options_new();
    HOLDS(more != NULL);
    evrim_options_free(more);
}

static void try_options_free(void)
{
    evrim_options_free(NULL);
}

static void try_set_timeout_ms(void)
{
    STATUS(INVALID, evrim_options_set_timeout_ms(NULL, 1000));
    STATUS(INVALID, evrim_options_set_timeout_ms(options, 0));
    STATUS(EVRIM_OK, evrim_options_set_timeout_ms(options, UINT32_MAX));
}

static void try_set_connect_timeout_ms(void)
{
    STATUS(INVALID, evrim_options_set_connect_timeout_ms(NULL, 1000));
    STATUS(INVALID, evrim_options_set_connect_timeout_ms(options, 0));
    STATUS(EVRIM_OK, evrim_options_set_connect_timeout_ms(options, UINT32_MAX));
}

static void try_set_total_timeout_ms(void)
{
    STATUS(INVALID, evrim_options_set_total_timeout_ms(NULL, 1000));
    STATUS(INVALID, evrim_options_set_total_timeout_ms(options, 0));
    STATUS(EVRIM_OK, evrim_options_set_total_timeout_ms(options, UINT32_MAX));
}

static void try_set_crl_file(void)
{
    STATUS(INVALID, evrim_options_set_crl_file(NULL, "/dev/null"));
    EACH_BAD_TEXT(0, STATUS(INVALID, evrim_options_set_crl_file(options, bad)));
    STATUS(INVALID, evrim_options_set_crl_file(options, ""));
    STATUS(EVRIM_ERROR_IO, evrim_options_set_crl_file(options, "/no/such/file"));
    STATUS(EVRIM_ERROR_IO, evrim_options_set_crl_file(options, "/"));
    STATUS(EVRIM_ERROR_TLS, evrim_options_set_crl_file(options, "/dev/null"));
}

static void try_set_ca_file(void)
{
    STATUS(INVALID, evrim_options_set_ca_file(NULL, "/dev/null"));
    EACH_BAD_TEXT(0, STATUS(INVALID, evrim_options_set_ca_file(options, bad)));
    STATUS(INVALID, evrim_options_set_ca_file(options, ""));
    STATUS(EVRIM_ERROR_IO, evrim_options_set_ca_file(options, "/no/such/file"));
    STATUS(EVRIM_ERROR_IO, evrim_options_set_ca_file(options, "/"));
    STATUS(EVRIM_ERROR_TLS, evrim_options_set_ca_file(options, "/dev/null"));
}

static void try_set_ca_pem(void)
{
    static const char broken[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    STATUS(INVALID, evrim_options_set_ca_pem(NULL, broken, sizeof broken - 1));
    STATUS(INVALID, evrim_options_set_ca_pem(options, NULL, 0));
    STATUS(INVALID, evrim_options_set_ca_pem(options, NULL, 5));
    STATUS(INVALID, evrim_options_set_ca_pem(options, broken, SIZE_MAX));
    STATUS(EVRIM_ERROR_TLS, evrim_options_set_ca_pem(options, "", 0));
    STATUS(EVRIM_ERROR_TLS, evrim_options_set_ca_pem(options, "\xff\xfe", 2));
    STATUS(EVRIM_ERROR_TLS, evrim_options_set_ca_pem(options, broken, sizeof broken - 1));
}

static void try_set_system_ca(void)
{
    STATUS(INVALID, evrim_options_set_system_ca(NULL, true));
}

static void try_set_client_certificate(void)
{
    STATUS(INVALID, evrim_options_set_client_certificate(NULL, "/dev/null", "/dev/null"));
    EACH_BAD_TEXT(0, STATUS(INVALID, evrim_options_set_client_certificate(options, bad, "/x")));
    EACH_BAD_TEXT(0, STATUS(INVALID, evrim_options_set_client_certificate(options, "/x", bad)));
    STATUS(INVALID, evrim_options_set_client_certificate(options, "", "/dev/null"));
    STATUS(INVALID, evrim_options_set_client_certificate(options, "/dev/null", ""));
    STATUS(EVRIM_ERROR_IO, evrim_options_set_client_certificate(options, "/no/file", "/dev/null"));
    STATUS(EVRIM_ERROR_IO, evrim_options_set_client_certificate(options, "/dev/null", "/no/file"));
    STATUS(EVRIM_ERROR_TLS, evrim_options_set_client_certificate(options, "/dev/null", "/dev/null"));
}

static void try_set_min_tls_version(void)
{
    static const int32_t unknown[] = {0, -1, 11, 14, INT32_MAX, INT32_MIN};
    size_t at;
    STATUS(INVALID, evrim_options_set_min_tls_version(NULL, EVRIM_TLS_1_2));
    for (at = 0; at < sizeof unknown / sizeof unknown[0]; at++)
        STATUS(INVALID, evrim_options_set_min_tls_version(options, unknown[at]));
}

static void try_set_proxy(void)
{
    STATUS(INVALID, evrim_options_set_proxy(NULL, NULL));
    EACH_BAD_TEXT(NOT_NULL, STATUS(INVALID, evrim_options_set_proxy(options, bad)));
    STATUS(EVRIM_ERROR_INVALID_URL, evrim_options_set_proxy(options, ""));
    STATUS(EVRIM_ERROR_INVALID_URL, evrim_options_set_proxy(options, "not a url"));
    STATUS(EVRIM_ERROR_INVALID_URL, evrim_options_set_proxy(options, "ftp://host:1"));
    STATUS(EVRIM_OK, evrim_options_set_proxy(options, NULL));
}

static void try_set_retries(void)
{
    STATUS(INVALID, evrim_options_set_retries(NULL, 1));
    STATUS(INVALID, evrim_options_set_retries(options, 11));
    STATUS(INVALID, evrim_options_set_retries(options, UINT32_MAX));
    STATUS(EVRIM_OK, evrim_options_set_retries(options, 0));
}

static void try_set_max_body_size(void)
{
    STATUS(INVALID, evrim_options_set_max_body_size(NULL, 1));
    STATUS(INVALID, evrim_options_set_max_body_size(options, 0));
    STATUS(EVRIM_OK, evrim_options_set_max_body_size(options, UINT64_MAX));
}

static void try_set_header(void)
{
    static const char *const own[] = {"Authorization", "HOST", "content-length", "Cookie:", "a b"};
    size_t at;
    STATUS(INVALID, evrim_options_set_header(NULL, "x-key", "value"));
    EACH_BAD_TEXT(0, STATUS(INVALID, evrim_options_set_header(options, bad, "value")));
    EACH_BAD_TEXT(NOT_NULL, STATUS(INVALID, evrim_options_set_header(options, "x-key", bad)));
    STATUS(INVALID, evrim_options_set_header(options, "", "value"));
    STATUS(INVALID, evrim_options_set_header(options, "x-key", "a\r\nb: c"));
    for (at = 0; at < sizeof own / sizeof own[0]; at++)
        STATUS(INVALID, evrim_options_set_header(options, own[at], "value"));
    STATUS(EVRIM_OK, evrim_options_set_header(options, "x-key", ""));
    STATUS(EVRIM_OK, evrim_options_set_header(options, "x-key", NULL));
}

static void try_set_allow_insecure_http(void)
{
    STATUS(INVALID, evrim_options_set_allow_insecure_http(NULL, true));
}

static void try_set_validate_on_start(void)
{
    STATUS(INVALID, evrim_options_set_validate_on_start(NULL, true));
}

static void try_set_auto_renew(void)
{
    STATUS(INVALID, evrim_options_set_auto_renew(NULL, true));
}

static void try_set_user_agent(void)
{
    STATUS(INVALID, evrim_options_set_user_agent(NULL, "program/1"));
    EACH_BAD_TEXT(0, STATUS(INVALID, evrim_options_set_user_agent(options, bad)));
    STATUS(INVALID, evrim_options_set_user_agent(options, ""));
    STATUS(INVALID, evrim_options_set_user_agent(options, " "));
    STATUS(INVALID, evrim_options_set_user_agent(options, "a\nb"));
    STATUS(INVALID, evrim_options_set_user_agent(options, "caf\xc3\xa9"));
}

static int destroyed;

static void on_log(void *data, int32_t level, const char *subject, const char *message)
{
    (void)data;
    (void)level;
    (void)subject;
    (void)message;
}

static void on_tokens(void *data, const char *access, const char *refresh, int64_t end)
{
    (void)data;
    (void)access;
    (void)refresh;
    (void)end;
}

static void on_destroy(void *data)
{
    (void)data;
    destroyed++;
}

static void try_set_log_callback(void)
{
    static const int32_t unknown[] = {0, -1, 5, INT32_MAX, INT32_MIN};
    size_t at;
    destroyed = 0;
    STATUS(INVALID, evrim_options_set_log_callback(NULL, EVRIM_LOG_INFO, on_log, NULL, on_destroy));
    for (at = 0; at < sizeof unknown / sizeof unknown[0]; at++)
        STATUS(INVALID, evrim_options_set_log_callback(options, unknown[at], on_log, NULL, on_destroy));
    HOLDS(destroyed == 0);
    STATUS(EVRIM_OK, evrim_options_set_log_callback(options, EVRIM_LOG_INFO, on_log, NULL, NULL));
    STATUS(EVRIM_OK, evrim_options_set_log_callback(options, EVRIM_LOG_INFO, NULL, NULL, NULL));
}

static void try_set_token_callback(void)
{
    destroyed = 0;
    STATUS(INVALID, evrim_options_set_token_callback(NULL, on_tokens, NULL, on_destroy));
    HOLDS(destroyed == 0);
    STATUS(EVRIM_OK, evrim_options_set_token_callback(options, on_tokens, NULL, NULL));
    STATUS(EVRIM_OK, evrim_options_set_token_callback(options, NULL, NULL, NULL));
}

#define NO_CLIENT (made == NULL)

static void try_new(void)
{
    EACH_BAD_TEXT(0, REFUSED(INVALID, NO_CLIENT, evrim_new(bad, "u", "p", NULL, &made, place)));
    EACH_BAD_TEXT(0, REFUSED(INVALID, NO_CLIENT, evrim_new(url, bad, "p", NULL, &made, place)));
    EACH_BAD_TEXT(0, REFUSED(INVALID, NO_CLIENT, evrim_new(url, "u", bad, NULL, &made, place)));
    REFUSED(INVALID, true, evrim_new(url, "u", "p", NULL, NULL, place));
    REFUSED(INVALID, NO_CLIENT, evrim_new(NULL, NULL, NULL, NULL, &made, place));
    REFUSED(EVRIM_ERROR_INVALID_URL, NO_CLIENT, evrim_new("", "u", "p", NULL, &made, place));
    REFUSED(EVRIM_ERROR_NO_CREDENTIALS, NO_CLIENT, evrim_new(url, "", "p", NULL, &made, place));
    REFUSED(EVRIM_ERROR_NO_CREDENTIALS, NO_CLIENT, evrim_new(url, "u", "", NULL, &made, place));
}

static void try_from_token(void)
{
    EACH_BAD_TEXT(0, REFUSED(INVALID, NO_CLIENT, evrim_from_token(bad, "t", NULL, NULL, &made, place)));
    EACH_BAD_TEXT(0, REFUSED(INVALID, NO_CLIENT, evrim_from_token(url, bad, NULL, NULL, &made, place)));
    EACH_BAD_TEXT(NOT_NULL,
                  REFUSED(INVALID, NO_CLIENT, evrim_from_token(url, "t", bad, NULL, &made, place)));
    REFUSED(INVALID, true, evrim_from_token(url, "t", NULL, NULL, NULL, place));
    REFUSED(EVRIM_ERROR_INVALID_URL, NO_CLIENT, evrim_from_token("", "t", NULL, NULL, &made, place));
    REFUSED(EVRIM_ERROR_NO_CREDENTIALS, NO_CLIENT, evrim_from_token(url, "", NULL, NULL, &made, place));
    REFUSED(INVALID, NO_CLIENT, evrim_from_token(url, "t", "", NULL, &made, place));
    REFUSED(INVALID, NO_CLIENT, evrim_from_token(url, "a b", NULL, NULL, &made, place));
    REFUSED(INVALID, NO_CLIENT, evrim_from_token(url, "t", "a\nb", NULL, &made, place));
}

static void try_from_env(void)
{
    static const char *const names[] = {"EVRIM_URL", "EVRIM_USERNAME", "EVRIM_PASSWORD"};
    size_t at;
    REFUSED(INVALID, true, evrim_from_env(NULL, NULL, place));
    /* What is in the environment is an argument too. */
    for (at = 0; at < sizeof names / sizeof names[0]; at++) {
        char *kept = getenv(names[at]) ? strdup(getenv(names[at])) : NULL;
        setenv(names[at], "\xff\xfe", 1);
        REFUSED(INVALID, NO_CLIENT, evrim_from_env(NULL, &made, place));
        if (kept != NULL)
            setenv(names[at], kept, 1);
        free(kept);
    }
}

static void try_set_token(void)
{
    REFUSED(INVALID, true, evrim_set_token(NULL, place));
}

static void try_refresh_token(void)
{
    REFUSED(INVALID, true, evrim_refresh_token(NULL, place));
}

static void try_validate_token(void)
{
    REFUSED(INVALID, !flag, evrim_validate_token(NULL, &flag, place));
    REFUSED(INVALID, true, evrim_validate_token(client, NULL, place));
    REFUSED(INVALID, true, evrim_validate_token(NULL, NULL, place));
}

static void try_copy_access_token(void)
{
    REFUSED(INVALID, token == NULL, evrim_copy_access_token(NULL, &token, place));
    REFUSED(INVALID, true, evrim_copy_access_token(client, NULL, place));
}

static void try_copy_refresh_token(void)
{
    REFUSED(INVALID, token == NULL, evrim_copy_refresh_token(NULL, &token, place));
    REFUSED(INVALID, true, evrim_copy_refresh_token(client, NULL, place));
}

static void try_token_expires_at(void)
{
    HOLDS(evrim_token_expires_at(NULL) == -1);
}

static void try_clone(void)
{
    REFUSED(INVALID, NO_CLIENT, evrim_clone(NULL, NULL, &made, place));
    REFUSED(INVALID, NO_CLIENT, evrim_clone(NULL, options, &made, place));
    REFUSED(INVALID, true, evrim_clone(client, NULL, NULL, place));

    /* By now the options hold the largest numbers that they take: a call can do with them. */
    STATUS(EVRIM_OK, evrim_clone(client, options, &made, NULL));
    STATUS(EVRIM_OK, evrim_request(made, "GET", "echo/", NULL, 0, &answer, NULL));
    evrim_response_free(answer);
    evrim_free(made);
}

static void try_cancel(void)
{
    evrim_cancel(NULL);
}

static void try_close(void)
{
    evrim_close(NULL);
}

static void try_copy_tokens(void)
{
    char *second = NULL;
    REFUSED(INVALID, token == NULL && second == NULL && integer == -1,
            (second = (char *)&poison, evrim_copy_tokens(NULL, &token, &second, &integer, place)));
    REFUSED(INVALID, second == NULL,
            (second = (char *)&poison, evrim_copy_tokens(client, NULL, &second, &integer, place)));
    REFUSED(INVALID, token == NULL, evrim_copy_tokens(client, &token, NULL, &integer, place));
}

static void try_copy_options(void)
{
    evrim_options *copy;
    REFUSED(INVALID, copy == NULL,
            (copy = (evrim_options *)(void *)&poison, evrim_copy_options(NULL, &copy, place)));
    REFUSED(INVALID, true, evrim_copy_options(client, NULL, place));
}

static void try_free(void)
{
    evrim_free(NULL);
}

#define NO_ANSWER (answer == NULL)

static void try_request(void)
{
    static const char *const methods[] = {"", "get", "GET ", "G\nT", "CONNECT", "TRACE"};
    static const char *const paths[] = {"..", "a/../../b/", "https://example.com/", "a#b", "a\nb"};
    size_t at;
    REFUSED(INVALID, NO_ANSWER, evrim_request(NULL, "GET", "reports/", NULL, 0, &answer, place));
    EACH_BAD_TEXT(0, REFUSED(INVALID, NO_ANSWER,
                             evrim_request(client, bad, "reports/", NULL, 0, &answer, place)));
    EACH_BAD_TEXT(0, REFUSED(INVALID, NO_ANSWER,
                             evrim_request(client, "GET", bad, NULL, 0, &answer, place)));
    REFUSED(INVALID, true, evrim_request(client, "GET", "reports/", NULL, 0, NULL, place));
    REFUSED(INVALID, NO_ANSWER, evrim_request(client, "POST", "echo/", NULL, 5, &answer, place));
    REFUSED(INVALID, NO_ANSWER, evrim_request(client, "POST", "echo/", "x", SIZE_MAX, &answer, place));
    for (at = 0; at < sizeof methods / sizeof methods[0]; at++)
        REFUSED(INVALID, NO_ANSWER,
                evrim_request(client, methods[at], "echo/", NULL, 0, &answer, place));
    for (at = 0; at < sizeof paths / sizeof paths[0]; at++)
        REFUSED(INVALID, NO_ANSWER, evrim_request(client, "GET", paths[at], NULL, 0, &answer, place));

    /* An empty body is a body. */
    STATUS(EVRIM_OK, evrim_request(client, "POST", "echo/", "", 0, &answer, NULL));
    evrim_response_free(answer);
}

static void try_request_options_new(void)
{
    evrim_request_options *more = evrim_request_options_new();
    HOLDS(more != NULL);
    /* Nothing in it is as good as none of it. */
    STATUS(EVRIM_OK, evrim_request_with(client, "GET", "echo/", more, &answer, NULL));
    evrim_response_free(answer);
    evrim_request_options_free(more);
}

static void try_request_options_free(void)
{
    evrim_request_options_free(NULL);
}

static void try_add_query(void)
{
    STATUS(INVALID, evrim_request_options_add_query(NULL, "name", "value"));
    EACH_BAD_TEXT(0, STATUS(INVALID, evrim_request_options_add_query(extras, bad, "value")));
    EACH_BAD_TEXT(0, STATUS(INVALID, evrim_request_options_add_query(extras, "name", bad)));
    STATUS(INVALID, evrim_request_options_add_query(extras, "", "value"));
    STATUS(EVRIM_OK, evrim_request_options_add_query(extras, "name", ""));
}

static void try_request_set_header(void)
{
    static const char *const own[] = {"Authorization", "HOST", "content-length", "Cookie:", "a b"};
    size_t at;
    STATUS(INVALID, evrim_request_options_set_header(NULL, "x-key", "value"));
    EACH_BAD_TEXT(0, STATUS(INVALID, evrim_request_options_set_header(extras, bad, "value")));
    EACH_BAD_TEXT(NOT_NULL, STATUS(INVALID, evrim_request_options_set_header(extras, "x-key", bad)));
    STATUS(INVALID, evrim_request_options_set_header(extras, "", "value"));
    STATUS(INVALID, evrim_request_options_set_header(extras, "x-key", "a\r\nb: c"));
    for (at = 0; at < sizeof own / sizeof own[0]; at++)
        STATUS(INVALID, evrim_request_options_set_header(extras, own[at], "value"));
    STATUS(EVRIM_OK, evrim_request_options_set_header(extras, "x-key", ""));
    STATUS(EVRIM_OK, evrim_request_options_set_header(extras, "x-key", NULL));
}

/* No pointer, through a number, past an array's end, no index, and too deep. */
static const char *const NOWHERE[] = {
    "a", " ", "/number/x", "/array/2", "/array/x", "/array/01", "/array/99999999999999999999",
    "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20/21/22/23/24/25/26/27/28/29/30/31/32/33/34/35/36"
    "/37/38/39/40/41/42/43/44/45/46/47/48/49/50/51/52/53/54/55/56/57/58/59/60/61/62/63/64/65/66/67/68/69"
    "/70/71/72/73/74/75/76/77/78/79/80/81/82/83/84/85/86/87/88/89/90/91/92/93/94/95/96/97/98/99/100/101"};

#define EACH_BAD_POINTER(call)                                                                     \
    do {                                                                                           \
        size_t way;                                                                                \
        EACH_BAD_TEXT(0, STATUS(INVALID, call));                                                   \
        for (way = 0; way < sizeof NOWHERE / sizeof NOWHERE[0]; way++) {                           \
            const char *bad = NOWHERE[way];                                                        \
            STATUS(INVALID, call);                                                                 \
        }                                                                                          \
    } while (0)

/* What every setter is tried on; it must be the same after all that was refused. */
static const char BODY[] = "{\"array\":[1],\"number\":2}";

static void put_body(void)
{
    STATUS(EVRIM_OK, evrim_request_options_set_json(extras, "", BODY, sizeof BODY - 1));
}

static void body_is_as_before(void)
{
    STATUS(EVRIM_OK, evrim_request_with(client, "POST", "echo/", extras, &answer, NULL));
    HOLDS(strcmp(evrim_response_string(answer, "/body"), BODY) == 0);
    evrim_response_free(answer);
}

static void try_set_string(void)
{
    put_body();
    STATUS(INVALID, evrim_request_options_set_string(NULL, "/title", "value"));
    EACH_BAD_POINTER(evrim_request_options_set_string(extras, bad, "value"));
    EACH_BAD_TEXT(0, STATUS(INVALID, evrim_request_options_set_string(extras, "/title", bad)));
    body_is_as_before();
    STATUS(EVRIM_OK, evrim_request_options_set_string(extras, "/title", ""));
    STATUS(EVRIM_OK, evrim_request_options_set_string(extras, "", ""));
}

static void try_set_int(void)
{
    put_body();
    STATUS(INVALID, evrim_request_options_set_int(NULL, "/id", 1));
    EACH_BAD_POINTER(evrim_request_options_set_int(extras, bad, 1));
    STATUS(EVRIM_OK, evrim_request_options_set_int(extras, "/id", INT64_MIN));
    STATUS(EVRIM_OK, evrim_request_options_set_int(extras, "/id", INT64_MAX));
}

static void try_set_double(void)
{
    put_body();
    STATUS(INVALID, evrim_request_options_set_double(NULL, "/part", 0.5));
    EACH_BAD_POINTER(evrim_request_options_set_double(extras, bad, 0.5));
    STATUS(INVALID, evrim_request_options_set_double(extras, "/part", (double)INFINITY));
    STATUS(INVALID, evrim_request_options_set_double(extras, "/part", (double)-INFINITY));
    STATUS(INVALID, evrim_request_options_set_double(extras, "/part", (double)NAN));
    STATUS(EVRIM_OK, evrim_request_options_set_double(extras, "/part", DBL_MAX));
}

static void try_set_bool(void)
{
    put_body();
    STATUS(INVALID, evrim_request_options_set_bool(NULL, "/yes", true));
    EACH_BAD_POINTER(evrim_request_options_set_bool(extras, bad, true));
    STATUS(EVRIM_OK, evrim_request_options_set_bool(extras, "/yes", false));
}

static void try_set_json(void)
{
    static const char *const broken[] = {"", " ", "{", "[1,]", "{'a': 1}", "1 2", "nul", "1e999",
                                         "\"\xff\"", "\"\\ud800\"", "\"a\nb\""};
    size_t at;
    put_body();
    STATUS(INVALID, evrim_request_options_set_json(NULL, "/more", "[]", 2));
    EACH_BAD_POINTER(evrim_request_options_set_json(extras, bad, "[]", 2));
    STATUS(INVALID, evrim_request_options_set_json(extras, "/more", NULL, 0));
    STATUS(INVALID, evrim_request_options_set_json(extras, "/more", NULL, 2));
    STATUS(INVALID, evrim_request_options_set_json(extras, "/more", "[]", SIZE_MAX));
    STATUS(INVALID, evrim_request_options_set_json(extras, "/more", "[]", 3));
    for (at = 0; at < sizeof broken / sizeof broken[0]; at++)
        STATUS(INVALID, evrim_request_options_set_json(extras, "/more", broken[at], strlen(broken[at])));
    body_is_as_before();
}

static void try_request_with(void)
{
    static const char *const methods[] = {"", "get", "GET ", "G\nT", "CONNECT", "TRACE"};
    static const char *const paths[] = {"..", "a/../../b/", "https://example.com/", "a#b", "a\nb"};
    size_t at;
    REFUSED(INVALID, NO_ANSWER, evrim_request_with(NULL, "GET", "echo/", extras, &answer, place));
    EACH_BAD_TEXT(0, REFUSED(INVALID, NO_ANSWER,
                             evrim_request_with(client, bad, "echo/", extras, &answer, place)));
    EACH_BAD_TEXT(0, REFUSED(INVALID, NO_ANSWER,
                             evrim_request_with(client, "GET", bad, extras, &answer, place)));
    REFUSED(INVALID, true, evrim_request_with(client, "GET", "echo/", extras, NULL, place));
    for (at = 0; at < sizeof methods / sizeof methods[0]; at++)
        REFUSED(INVALID, NO_ANSWER,
                evrim_request_with(client, methods[at], "echo/", extras, &answer, place));
    for (at = 0; at < sizeof paths / sizeof paths[0]; at++)
        REFUSED(INVALID, NO_ANSWER,
                evrim_request_with(client, "GET", paths[at], extras, &answer, place));
    STATUS(EVRIM_OK, evrim_request_with(client, "GET", "echo/", NULL, &answer, NULL));
    evrim_response_free(answer);
}

static void try_response_status(void)
{
    HOLDS(evrim_response_status(NULL) == 0);
}

static void try_response_body(void)
{
    length = 7;
    HOLDS(evrim_response_body(NULL, &length) == NULL && length == 0);
    HOLDS(evrim_response_body(NULL, NULL) == NULL);
    HOLDS(evrim_response_body(response, NULL) != NULL);
}

static void try_response_header(void)
{
    HOLDS(evrim_response_header(NULL, "content-type") == NULL);
    EACH_BAD_TEXT(0, HOLDS(evrim_response_header(response, bad) == NULL));
    HOLDS(evrim_response_header(response, "") == NULL);
    HOLDS(evrim_response_header(response, "no such header") == NULL);
    HOLDS(evrim_response_header(response, "content-type") != NULL);
}

static void try_response_string(void)
{
    HOLDS(evrim_response_string(NULL, "/method") == NULL);
    EACH_BAD_TEXT(0, HOLDS(evrim_response_string(response, bad) == NULL));
    HOLDS(evrim_response_string(response, "") == NULL);
    HOLDS(evrim_response_string(response, "method") == NULL);
    HOLDS(evrim_response_string(response, "/method") != NULL);
}

static void try_response_int(void)
{
    HOLDS(!evrim_response_int(response, "/length", NULL));
    HOLDS((integer = 7, !evrim_response_int(NULL, "/length", &integer) && integer == 0));
    EACH_BAD_TEXT(
        0, HOLDS((integer = 7, !evrim_response_int(response, bad, &integer) && integer == 0)));
    HOLDS((integer = 7, !evrim_response_int(response, "", &integer) && integer == 0));
    HOLDS(evrim_response_int(response, "/length", &integer));
}

static void try_response_double(void)
{
    HOLDS(!evrim_response_double(response, "/length", NULL));
    HOLDS((real = 7, !evrim_response_double(NULL, "/length", &real) && real == 0));
    EACH_BAD_TEXT(0,
                  HOLDS((real = 7, !evrim_response_double(response, bad, &real) && real == 0)));
    HOLDS((real = 7, !evrim_response_double(response, "", &real) && real == 0));
    HOLDS(evrim_response_double(response, "/length", &real));
}

static void try_response_bool(void)
{
    HOLDS(!evrim_response_bool(response, "/length", NULL));
    HOLDS((flag = true, !evrim_response_bool(NULL, "/length", &flag) && !flag));
    EACH_BAD_TEXT(0, HOLDS((flag = true, !evrim_response_bool(response, bad, &flag) && !flag)));
    HOLDS((flag = true, !evrim_response_bool(response, "", &flag) && !flag));
}

static void try_response_count(void)
{
    HOLDS(evrim_response_count(NULL, "") == 0);
    EACH_BAD_TEXT(0, HOLDS(evrim_response_count(response, bad) == 0));
    HOLDS(evrim_response_count(response, "") > 0);
}

static void try_response_type(void)
{
    HOLDS(evrim_response_type(NULL, "") == EVRIM_JSON_NONE);
    EACH_BAD_TEXT(0, HOLDS(evrim_response_type(response, bad) == EVRIM_JSON_NONE));
    HOLDS(evrim_response_type(response, "method") == EVRIM_JSON_NONE);
    HOLDS(evrim_response_type(response, "") == EVRIM_JSON_OBJECT);
}

static void try_response_key(void)
{
    HOLDS(evrim_response_key(NULL, "", 0) == NULL);
    EACH_BAD_TEXT(0, HOLDS(evrim_response_key(response, bad, 0) == NULL));
    HOLDS(evrim_response_key(response, "/method", 0) == NULL);
    HOLDS(evrim_response_key(response, "", evrim_response_count(response, "")) == NULL);
    HOLDS(evrim_response_key(response, "", SIZE_MAX) == NULL);
    HOLDS(evrim_response_key(response, "", 0) != NULL);
}

static void try_response_copy_json(void)
{
    REFUSED(INVALID, token == NULL, evrim_response_copy_json(NULL, "", &token, place));
    EACH_BAD_TEXT(0, REFUSED(INVALID, token == NULL,
                             evrim_response_copy_json(response, bad, &token, place)));
    REFUSED(INVALID, true, evrim_response_copy_json(response, "", NULL, place));
    REFUSED(EVRIM_ERROR_PROTOCOL, token == NULL,
            evrim_response_copy_json(response, "method", &token, place));
    REFUSED(EVRIM_ERROR_PROTOCOL, token == NULL,
            evrim_response_copy_json(response, "/none", &token, place));
}

static void try_require_string(void)
{
    const evrim_response *r = response;
    REFUSED(INVALID, borrowed == NULL,
            evrim_response_require_string(NULL, "/method", &borrowed, place));
    EACH_BAD_TEXT(0, REFUSED(INVALID, borrowed == NULL,
                             evrim_response_require_string(r, bad, &borrowed, place)));
    REFUSED(INVALID, true, evrim_response_require_string(r, "/method", NULL, place));
    REFUSED(EVRIM_ERROR_PROTOCOL, borrowed == NULL,
            evrim_response_require_string(r, "", &borrowed, place));
    REFUSED(EVRIM_ERROR_PROTOCOL, borrowed == NULL,
            evrim_response_require_string(r, "method", &borrowed, place));
}

static void try_require_int(void)
{
    const evrim_response *r = response;
    REFUSED(INVALID, integer == 0, evrim_response_require_int(NULL, "/length", &integer, place));
    EACH_BAD_TEXT(0, REFUSED(INVALID, integer == 0,
                             evrim_response_require_int(r, bad, &integer, place)));
    REFUSED(INVALID, true, evrim_response_require_int(r, "/length", NULL, place));
    REFUSED(EVRIM_ERROR_PROTOCOL, integer == 0, evrim_response_require_int(r, "", &integer, place));
}

static void try_require_double(void)
{
    const evrim_response *r = response;
    REFUSED(INVALID, real == 0, evrim_response_require_double(NULL, "/length", &real, place));
    EACH_BAD_TEXT(0, REFUSED(INVALID, real == 0,
                             evrim_response_require_double(r, bad, &real, place)));
    REFUSED(INVALID, true, evrim_response_require_double(r, "/length", NULL, place));
    REFUSED(EVRIM_ERROR_PROTOCOL, real == 0, evrim_response_require_double(r, "", &real, place));
}

static void try_require_bool(void)
{
    const evrim_response *r = response;
    REFUSED(INVALID, !flag, evrim_response_require_bool(NULL, "/length", &flag, place));
    EACH_BAD_TEXT(0, REFUSED(INVALID, !flag, evrim_response_require_bool(r, bad, &flag, place)));
    REFUSED(INVALID, true, evrim_response_require_bool(r, "/length", NULL, place));
    REFUSED(EVRIM_ERROR_PROTOCOL, !flag, evrim_response_require_bool(r, "/length", &flag, place));
}

static void try_response_free(void)
{
    evrim_response_free(NULL);
}

static int called;

static bool on_progress(void *data, uint64_t done, int64_t total)
{
    (void)data;
    (void)done;
    (void)total;
    called++;
    return true;
}

static bool on_write(void *data, const uint8_t *bytes, size_t len)
{
    (void)data;
    (void)bytes;
    (void)len;
    called++;
    return true;
}

/* Nothing is called, and nothing is left behind, for what is refused. */
static void nothing_happened(void)
{
    DIR *listing = opendir(folder);
    struct dirent *entry;
    HOLDS(listing != NULL);
    while (listing != NULL && (entry = readdir(listing)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            blame(entry->d_name, "is a file that a refused call has left");
    }
    if (listing != NULL)
        closedir(listing);
    HOLDS(called == 0);
}

static void try_download(void)
{
    static const char *const paths[] = {"..", "a/../../b/", "https://example.com/", "a#b", "a\nb"};
    size_t at;
    evrim_client *c = client;
    REFUSED(INVALID, token == NULL,
            evrim_download(NULL, "echo/", folder, on_progress, NULL, &token, place));
    EACH_BAD_TEXT(0, REFUSED(INVALID, token == NULL,
                             evrim_download(c, bad, folder, on_progress, NULL, &token, place)));
    EACH_BAD_TEXT(0, REFUSED(INVALID, token == NULL,
                             evrim_download(c, "echo/", bad, on_progress, NULL, &token, place)));
    for (at = 0; at < sizeof paths / sizeof paths[0]; at++)
        REFUSED(INVALID, token == NULL,
                evrim_download(c, paths[at], folder, NULL, NULL, &token, place));
    REFUSED(INVALID, token == NULL, evrim_download(c, "echo/", "", NULL, NULL, &token, place));
    REFUSED(INVALID, token == NULL, evrim_download(c, "echo/", "no/such/..", NULL, NULL, &token, place));
    REFUSED(EVRIM_ERROR_IO, token == NULL,
            evrim_download(c, "echo/", "/no/such/folder/file", NULL, NULL, &token, place));
    REFUSED(EVRIM_ERROR_IO, token == NULL,
            evrim_download(c, "echo/", "/no/such/folder/", NULL, NULL, &token, place));
    REFUSED(EVRIM_ERROR_IO, token == NULL,
            evrim_download(c, "echo/", "/dev/null", NULL, NULL, &token, place));
    REFUSED(INVALID, true, evrim_download(c, NULL, folder, NULL, NULL, NULL, place));
    nothing_happened();
}

static void try_download_report(void)
{
    static const char *const formats[] = {"", "PDF", "pdf ", "txt", "../pdf", "pdf/"};
    static const int64_t ids[] = {-1, INT64_MIN};
    size_t at;
    evrim_client *c = client;
    REFUSED(INVALID, token == NULL,
            evrim_download_report(NULL, 1, "pdf", folder, on_progress, NULL, &token, place));
    for (at = 0; at < sizeof ids / sizeof ids[0]; at++)
        REFUSED(INVALID, token == NULL,
                evrim_download_report(c, ids[at], "pdf", folder, NULL, NULL, &token, place));
    EACH_BAD_TEXT(0, REFUSED(INVALID, token == NULL,
                             evrim_download_report(c, 1, bad, folder, NULL, NULL, &token, place)));
    EACH_BAD_TEXT(0, REFUSED(INVALID, token == NULL,
                             evrim_download_report(c, 1, "pdf", bad, NULL, NULL, &token, place)));
    for (at = 0; at < sizeof formats / sizeof formats[0]; at++)
        REFUSED(INVALID, token == NULL,
                evrim_download_report(c, 1, formats[at], folder, NULL, NULL, &token, place));
    REFUSED(INVALID, token == NULL,
            evrim_download_report(c, 1, "pdf", "", NULL, NULL, &token, place));
    REFUSED(INVALID, true, evrim_download_report(c, 1, NULL, folder, NULL, NULL, NULL, place));
    nothing_happened();
}

static void try_download_to(void)
{
    evrim_client *c = client;
    REFUSED(INVALID, true, evrim_download_to(NULL, "echo/", on_write, on_progress, NULL, place));
    EACH_BAD_TEXT(0, REFUSED(INVALID, true,
                             evrim_download_to(c, bad, on_write, on_progress, NULL, place)));
    REFUSED(INVALID, true, evrim_download_to(c, "echo/", NULL, on_progress, NULL, place));
    REFUSED(INVALID, true, evrim_download_to(c, "..", on_write, on_progress, NULL, place));
    nothing_happened();
}

#define NO_LIST(get)                                                                               \
    do {                                                                                           \
        REFUSED(INVALID, NO_ANSWER, get(NULL, &answer, place));                                    \
        REFUSED(INVALID, true, get(client, NULL, place));                                          \
    } while (0)

#define NO_ITEM(get)                                                                               \
    do {                                                                                           \
        REFUSED(INVALID, NO_ANSWER, get(NULL, 1, &answer, place));                                 \
        REFUSED(INVALID, NO_ANSWER, get(client, -1, &answer, place));                              \
        REFUSED(INVALID, NO_ANSWER, get(client, INT64_MIN, &answer, place));                       \
        REFUSED(INVALID, true, get(client, 1, NULL, place));                                       \
    } while (0)

static void try_get_reports(void)
{
    NO_LIST(evrim_get_reports);
}

static void try_get_runs(void)
{
    NO_LIST(evrim_get_runs);
}

static void try_get_sections(void)
{
    NO_LIST(evrim_get_sections);
}

static void try_get_paragraphs(void)
{
    NO_LIST(evrim_get_paragraphs);
}

static void try_get_tasks(void)
{
    NO_LIST(evrim_get_tasks);
}

static void try_get_report(void)
{
    NO_ITEM(evrim_get_report);
}

static void try_get_run(void)
{
    NO_ITEM(evrim_get_run);
}

static void try_get_section(void)
{
    NO_ITEM(evrim_get_section);
}

static void try_get_paragraph(void)
{
    NO_ITEM(evrim_get_paragraph);
}

static const char *const NO_IDS[] = {"", ".", ".."};

static void try_get_task(void)
{
    size_t at;
    REFUSED(INVALID, NO_ANSWER, evrim_get_task(NULL, "id", &answer, place));
    EACH_BAD_TEXT(0, REFUSED(INVALID, NO_ANSWER, evrim_get_task(client, bad, &answer, place)));
    for (at = 0; at < sizeof NO_IDS / sizeof NO_IDS[0]; at++)
        REFUSED(INVALID, NO_ANSWER, evrim_get_task(client, NO_IDS[at], &answer, place));
    REFUSED(INVALID, true, evrim_get_task(client, "id", NULL, place));
}

static void try_submit_research(void)
{
    evrim_client *c = client;
#define SUBMIT evrim_submit_research
    REFUSED(INVALID, NO_ANSWER, SUBMIT(NULL, "u", "t", "d", NULL, NULL, NULL, &answer, place));
    REFUSED(INVALID, true, SUBMIT(c, "u", "t", "d", NULL, NULL, NULL, NULL, place));
    EACH_BAD_TEXT(0, REFUSED(INVALID, NO_ANSWER,
                             SUBMIT(c, bad, "t", "d", NULL, NULL, NULL, &answer, place)));
    EACH_BAD_TEXT(0, REFUSED(INVALID, NO_ANSWER,
                             SUBMIT(c, "u", bad, "d", NULL, NULL, NULL, &answer, place)));
    EACH_BAD_TEXT(0, REFUSED(INVALID, NO_ANSWER,
                             SUBMIT(c, "u", "t", bad, NULL, NULL, NULL, &answer, place)));
    EACH_BAD_TEXT(NOT_NULL, REFUSED(INVALID, NO_ANSWER,
                                    SUBMIT(c, "u", "t", "d", bad, NULL, NULL, &answer, place)));
    EACH_BAD_TEXT(NOT_NULL, REFUSED(INVALID, NO_ANSWER,
                                    SUBMIT(c, "u", "t", "d", NULL, bad, NULL, &answer, place)));
    EACH_BAD_TEXT(NOT_NULL, REFUSED(INVALID, NO_ANSWER,
                                    SUBMIT(c, "u", "t", "d", NULL, NULL, bad, &answer, place)));
#undef SUBMIT
}

static void try_wait_for_task(void)
{
    size_t at;
    evrim_client *c = client;
#define WAIT evrim_wait_for_task
    REFUSED(INVALID, NO_ANSWER, WAIT(NULL, "id", 1000, on_progress, NULL, &answer, place));
    EACH_BAD_TEXT(0, REFUSED(INVALID, NO_ANSWER,
                             WAIT(c, bad, 1000, on_progress, NULL, &answer, place)));
    for (at = 0; at < sizeof NO_IDS / sizeof NO_IDS[0]; at++)
        REFUSED(INVALID, NO_ANSWER, WAIT(c, NO_IDS[at], 1000, NULL, NULL, &answer, place));
    REFUSED(INVALID, NO_ANSWER, WAIT(c, "id", 0, on_progress, NULL, &answer, place));
    REFUSED(INVALID, true, WAIT(c, "id", 1000, on_progress, NULL, NULL, place));
    nothing_happened();
#undef WAIT
}

static void try_next_page(void)
{
    REFUSED(INVALID, NO_ANSWER, evrim_next_page(NULL, response, &answer, place));
    REFUSED(INVALID, NO_ANSWER, evrim_next_page(client, NULL, &answer, place));
    REFUSED(INVALID, true, evrim_next_page(client, response, NULL, place));
    /* What is no page has no next one. */
    answer = response;
    STATUS(EVRIM_OK, evrim_next_page(client, response, &answer, NULL));
    HOLDS(NO_ANSWER);
}

static const struct {
    const char *name;
    void (*run)(void);
} FUNCTIONS[] = {
    {"evrim_version", try_version},
    {"evrim_string_free", try_string_free},
    {"evrim_status_name", try_status_name},
    {"evrim_error_status", try_error_status},
    {"evrim_error_message", try_error_message},
    {"evrim_error_http_status", try_error_http_status},
    {"evrim_error_server_code", try_error_server_code},
    {"evrim_error_request_id", try_error_request_id},
    {"evrim_error_retry_after_ms", try_error_retry_after_ms},
    {"evrim_error_is_retryable", try_error_is_retryable},
    {"evrim_error_may_have_been_sent", try_error_may_have_been_sent},
    {"evrim_error_body", try_error_body},
    {"evrim_error_free", try_error_free},
    {"evrim_options_new", try_options_new},
    {"evrim_options_free", try_options_free},
    {"evrim_options_set_timeout_ms", try_set_timeout_ms},
    {"evrim_options_set_connect_timeout_ms", try_set_connect_timeout_ms},
    {"evrim_options_set_total_timeout_ms", try_set_total_timeout_ms},
    {"evrim_options_set_ca_file", try_set_ca_file},
    {"evrim_options_set_crl_file", try_set_crl_file},
    {"evrim_options_set_ca_pem", try_set_ca_pem},
    {"evrim_options_set_system_ca", try_set_system_ca},
    {"evrim_options_set_client_certificate", try_set_client_certificate},
    {"evrim_options_set_min_tls_version", try_set_min_tls_version},
    {"evrim_options_set_proxy", try_set_proxy},
    {"evrim_options_set_retries", try_set_retries},
    {"evrim_options_set_max_body_size", try_set_max_body_size},
    {"evrim_options_set_header", try_set_header},
    {"evrim_options_set_allow_insecure_http", try_set_allow_insecure_http},
    {"evrim_options_set_validate_on_start", try_set_validate_on_start},
    {"evrim_options_set_auto_renew", try_set_auto_renew},
    {"evrim_options_set_user_agent", try_set_user_agent},
    {"evrim_options_set_log_callback", try_set_log_callback},
    {"evrim_options_set_token_callback", try_set_token_callback},
    {"evrim_new", try_new},
    {"evrim_from_token", try_from_token},
    {"evrim_from_env", try_from_env},
    {"evrim_set_token", try_set_token},
    {"evrim_refresh_token", try_refresh_token},
    {"evrim_validate_token", try_validate_token},
    {"evrim_copy_access_token", try_copy_access_token},
    {"evrim_copy_refresh_token", try_copy_refresh_token},
    {"evrim_token_expires_at", try_token_expires_at},
    {"evrim_clone", try_clone},
    {"evrim_cancel", try_cancel},
    {"evrim_close", try_close},
    {"evrim_copy_tokens", try_copy_tokens},
    {"evrim_copy_options", try_copy_options},
    {"evrim_free", try_free},
    {"evrim_request", try_request},
    {"evrim_request_options_new", try_request_options_new},
    {"evrim_request_options_free", try_request_options_free},
    {"evrim_request_options_add_query", try_add_query},
    {"evrim_request_options_set_header", try_request_set_header},
    {"evrim_request_options_set_string", try_set_string},
    {"evrim_request_options_set_int", try_set_int},
    {"evrim_request_options_set_double", try_set_double},
    {"evrim_request_options_set_bool", try_set_bool},
    {"evrim_request_options_set_json", try_set_json},
    {"evrim_request_with", try_request_with},
    {"evrim_response_status", try_response_status},
    {"evrim_response_body", try_response_body},
    {"evrim_response_header", try_response_header},
    {"evrim_response_string", try_response_string},
    {"evrim_response_int", try_response_int},
    {"evrim_response_double", try_response_double},
    {"evrim_response_bool", try_response_bool},
    {"evrim_response_count", try_response_count},
    {"evrim_response_type", try_response_type},
    {"evrim_response_key", try_response_key},
    {"evrim_response_copy_json", try_response_copy_json},
    {"evrim_response_require_string", try_require_string},
    {"evrim_response_require_int", try_require_int},
    {"evrim_response_require_double", try_require_double},
    {"evrim_response_require_bool", try_require_bool},
    {"evrim_response_free", try_response_free},
    {"evrim_download", try_download},
    {"evrim_download_report", try_download_report},
    {"evrim_download_to", try_download_to},
    {"evrim_get_reports", try_get_reports},
    {"evrim_get_report", try_get_report},
    {"evrim_get_runs", try_get_runs},
    {"evrim_get_run", try_get_run},
    {"evrim_get_sections", try_get_sections},
    {"evrim_get_section", try_get_section},
    {"evrim_get_paragraphs", try_get_paragraphs},
    {"evrim_get_paragraph", try_get_paragraph},
    {"evrim_get_tasks", try_get_tasks},
    {"evrim_get_task", try_get_task},
    {"evrim_submit_research", try_submit_research},
    {"evrim_wait_for_task", try_wait_for_task},
    {"evrim_next_page", try_next_page},
};

int main(int argc, char **argv)
{
    size_t at;

    if (argc > 1 && strcmp(argv[1], "list") == 0) {
        for (at = 0; at < sizeof FUNCTIONS / sizeof FUNCTIONS[0]; at++)
            printf("%s\n", FUNCTIONS[at].name);
        return EXIT_SUCCESS;
    }

    url = getenv("EVRIM_URL");
    folder = argc > 1 ? argv[1] : ".";
    options = evrim_options_new();
    extras = evrim_request_options_new();
    if (evrim_from_env(NULL, &client, NULL) != EVRIM_OK ||
        evrim_request(client, "GET", "echo/", NULL, 0, &response, NULL) != EVRIM_OK ||
        evrim_copy_access_token(NULL, &token, &some_error) == EVRIM_OK) {
        printf("there is nothing to try it with\n");
        return EXIT_FAILURE;
    }
    for (at = 0; at < sizeof FUNCTIONS / sizeof FUNCTIONS[0]; at++)
        FUNCTIONS[at].run();
    evrim_error_free(some_error);
    evrim_response_free(response);
    evrim_free(client);
    evrim_request_options_free(extras);
    evrim_options_free(options);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
