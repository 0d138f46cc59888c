/*
 * Every argument of every function as it must not be: NULL, not UTF-8, empty, out of range. None of it
 * is a crash, and each function says so in its own way.
 *
 * With "list" it prints the names of the functions that it tries; otherwise it tries them.
 */
#include <evrim.h>

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
static evrim_options *options;
static evrim_client *client;
static evrim_response *response;
static evrim_error *some_error;
static int failures;

/* Where results go. Each is poisoned first, so that a result that is not cleared is seen. */
static evrim_error *error;
static evrim_client *made;
static evrim_response *answer;
static char *token;
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
    flag = true;
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

static void try_response_free(void)
{
    evrim_response_free(NULL);
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
    {"evrim_response_status", try_response_status},
    {"evrim_response_body", try_response_body},
    {"evrim_response_header", try_response_header},
    {"evrim_response_string", try_response_string},
    {"evrim_response_int", try_response_int},
    {"evrim_response_double", try_response_double},
    {"evrim_response_bool", try_response_bool},
    {"evrim_response_count", try_response_count},
    {"evrim_response_free", try_response_free},
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
    options = evrim_options_new();
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
    evrim_options_free(options);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
