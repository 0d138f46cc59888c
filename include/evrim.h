/* Made from src/ffi/ by build.rs; not to be edited. SPDX-License-Identifier: Apache-2.0 OR MIT */

/**
 * @file
 *
 * libevrim: the Evrim client.
 *
 * A client signs in with a user name and a password, or starts from an existing token; every request it
 * then sends carries a token that is valid.
 *
 *     evrim_client *client;
 *     evrim_error *error;
 *     if (evrim_new("https://api.evrim.ai/prod", user, password, NULL, &client, &error) != EVRIM_OK) {
 *         fprintf(stderr, "%s\n", evrim_error_message(error));
 *         evrim_error_free(error);
 *         return 1;
 *     }
 *     ...
 *     evrim_free(client);
 *
 * Handles. Clients, options, responses and errors are opaque. Each has one function that frees it, and
 * each of those takes NULL.
 *
 * Results. A function that can fail returns an evrim_status; EVRIM_OK is 0. Its results come through
 * pointers: they are set to NULL or zero when the call begins, and written when it succeeds.
 *
 * Errors. The last argument, `error`, may be NULL. Otherwise *error is set to NULL on success, and on
 * failure to an error that the caller frees with evrim_error_free(). There is no hidden "last error".
 *
 * Strings. What goes in is NUL-terminated UTF-8 and is copied where it is kept. A const char * that
 * comes out is borrowed: it lives as long as the error or response it was asked of. A char * that comes
 * out is the caller's, to be freed with evrim_string_free(). Bodies are bytes with a length. NULL or
 * text that is not UTF-8, where it may not be, is EVRIM_ERROR_INVALID_ARGUMENT; it is never a crash.
 *
 * Threads. A client may be used by any number of threads at once; options by one at a time; responses
 * and errors never change. Every call does its work in the thread that makes it, and blocks that thread
 * until it is done, cancelled or out of time: no wait is without an end. The library keeps no threads; a
 * name is looked up on one that ends with the lookup, at the latest when the system gives it up.
 * A thread that makes calls needs 128 KiB of stack. Calls may be made while a thread or the process ends,
 * in a destructor of its data or a handler of atexit(): they, and their callbacks, then run on another
 * thread, which ends with the call. A thread that first uses the library in such a destructor leaves
 * some 500 bytes behind.
 *
 * Memory. A body of a request or an answer, or a copy, for which there is not enough memory is
 * EVRIM_ERROR_IO. Where there is not even enough for what is small, or for the values of an answer, the
 * process is aborted, as by any program in Rust.
 *
 * Processes. After fork() the child may go on using a client, free it, or make new ones. Both then hold
 * the same refresh token: where the server takes each only once, the second to renew has to sign in.
 */

#ifndef EVRIM_H
#define EVRIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The version of this header; evrim_version() is that of the library. */
#define EVRIM_VERSION "0.1.0"
/** The part of the version that changes with what breaks an older program. */
#define EVRIM_VERSION_MAJOR 0
/** The part of the version that changes with what is added; before 1.0 it may break an older program. */
#define EVRIM_VERSION_MINOR 1
/** The part of the version that changes with what is mended. */
#define EVRIM_VERSION_PATCH 0
/** To compare: EVRIM_VERSION_NUMBER >= 0x000200 is 0.2.0 or later. */
#define EVRIM_VERSION_NUMBER 0x000100

/** Marks a function whose result must be looked at. Define it as nothing to switch the warning off. */
#ifndef EVRIM_MUST_USE
#if defined(__GNUC__) || defined(__clang__)
#define EVRIM_MUST_USE __attribute__((__warn_unused_result__))
#else
#define EVRIM_MUST_USE
#endif
#endif

/** Marks what is to go in a later major version; the note says what to use instead. */
#ifndef EVRIM_DEPRECATED
#if defined(__GNUC__) || defined(__clang__)
#define EVRIM_DEPRECATED(note) __attribute__((__deprecated__(note)))
#elif defined(_MSC_VER)
#define EVRIM_DEPRECATED(note) __declspec(deprecated(note))
#else
#define EVRIM_DEPRECATED(note)
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The result of a call. `EVRIM_OK` is 0 and everything else a failure. Later versions may add codes;
 * a code is never removed and never gets another meaning.
 */
typedef enum {
    /** The call succeeded. */
    EVRIM_OK = 0,
    /** An argument is NULL, not UTF-8, empty or out of range where it may not be. */
    EVRIM_ERROR_INVALID_ARGUMENT = 1,
    /** The base URL is not a URL, or not one of http or https. */
    EVRIM_ERROR_INVALID_URL = 2,
    /** Plain http to another machine, which the options do not allow. */
    EVRIM_ERROR_INSECURE_URL = 3,
    /** No user name, password or token to sign in with. */
    EVRIM_ERROR_NO_CREDENTIALS = 4,
    /** No refresh token to renew the access token with. */
    EVRIM_ERROR_NO_REFRESH_TOKEN = 5,
    /** evrim_cancel() or evrim_free() ended the call. */
    EVRIM_ERROR_CANCELLED = 6,
    /** A fault in this library. Please report it. */
    EVRIM_ERROR_INTERNAL = 7,
    /** No connection, or one that ended before the whole answer. */
    EVRIM_ERROR_NETWORK = 20,
    /** The server's certificate is not trusted, or no secure connection came about. */
    EVRIM_ERROR_TLS = 21,
    /** No answer in time. */
    EVRIM_ERROR_TIMEOUT = 22,
    /** The answer is not what the API promises: HTML instead of JSON, for example. */
    EVRIM_ERROR_PROTOCOL = 23,
    /** The server pointed to another place, where the request is not sent. */
    EVRIM_ERROR_REDIRECT = 24,
    /** The answer is larger than the limit. */
    EVRIM_ERROR_TOO_LARGE = 25,
    /** A file can't be read or written, or the system gives no more resources. */
    EVRIM_ERROR_IO = 26,
    /** 401: the credentials or the token are refused. */
    EVRIM_ERROR_AUTHENTICATION = 40,
    /** 403: this user may not do that. */
    EVRIM_ERROR_PERMISSION = 41,
    /** 404: there is no such thing. */
    EVRIM_ERROR_NOT_FOUND = 42,
    /** 409: it is at odds with the state of things. */
    EVRIM_ERROR_CONFLICT = 43,
    /**
     * 429: too many requests; or any answer that asks for a wait of more than a minute. See
     * evrim_error_retry_after_ms().
     */
    EVRIM_ERROR_RATE_LIMITED = 44,
    /** Any other 4xx: the server does not accept the request as it is. */
    EVRIM_ERROR_REQUEST = 45,
    /** 5xx: the server failed. */
    EVRIM_ERROR_SERVER = 46,
} evrim_status;

/**
 * What went wrong. Immutable: any number of threads may read it. Free it with evrim_error_free().
 */
typedef struct evrim_error evrim_error;

/** Versions of TLS. */
typedef enum {
    /** TLS 1.2. */
    EVRIM_TLS_1_2 = 12,
    /** TLS 1.3. */
    EVRIM_TLS_1_3 = 13,
} evrim_tls_version;

/** What a caller can choose for a client. For one thread at a time. */
typedef struct evrim_options evrim_options;

/** How much a log line matters. */
typedef enum {
    /** A fault that needs looking at. */
    EVRIM_LOG_ERROR = 1,
    /** An attempt that failed. */
    EVRIM_LOG_WARN = 2,
    /** Tokens that were replaced, and retries. */
    EVRIM_LOG_INFO = 3,
    /** Every request. */
    EVRIM_LOG_DEBUG = 4,
} evrim_log_level;

/**
 * Gets a log line: its level, an `evrim_log_level`; its subject, such as "request" or "token"; and a
 * sentence that never holds a secret. The strings live until the callback returns.
 */
typedef void (*evrim_log_fn)(void *user_data,
                             int32_t level,
                             const char *subject,
                             const char *message);

/** Gets a callback's `user_data` when it is needed no more. */
typedef void (*evrim_destroy_fn)(void *user_data);

/**
 * Gets the tokens after they were replaced; `refresh_token` is NULL if there is none, `expires_at` as
 * from evrim_token_expires_at(). The strings live until the callback returns, and are wiped then.
 */
typedef void (*evrim_token_fn)(void *user_data,
                               const char *access_token,
                               const char *refresh_token,
                               int64_t expires_at);

/**
 * A session with the server: its tokens, its credentials and its connections. Any number of threads
 * may use one client at once.
 */
typedef struct evrim_client evrim_client;

/**
 * What a request has besides its method and path: parameters, headers, and a JSON body that is built
 * value by value. For one thread at a time.
 */
typedef struct evrim_request_options evrim_request_options;

/** The kinds of JSON values. */
typedef enum {
    /** There is nothing at this pointer. */
    EVRIM_JSON_NONE = 0,
    /** `null`. */
    EVRIM_JSON_NULL = 1,
    /** `true` or `false`. */
    EVRIM_JSON_BOOL = 2,
    /** A whole number that fits into an `int64_t`. */
    EVRIM_JSON_INT = 3,
    /** Any other number. */
    EVRIM_JSON_DOUBLE = 4,
    /** A string. */
    EVRIM_JSON_STRING = 5,
    /** An array. */
    EVRIM_JSON_ARRAY = 6,
    /** An object. */
    EVRIM_JSON_OBJECT = 7,
} evrim_json_type;

/**
 * An answer of the server. Immutable: any number of threads may read it. What is borrowed from it lives
 * until evrim_response_free().
 *
 * The body is read by RFC 6901 pointers, such as "/report/sections/0/title"; "" is the whole document. In
 * a name, "~1" stands for "/" and "~0" for "~". A body that is not JSON has nothing at any pointer.
 */
typedef struct evrim_response evrim_response;

/**
 * Told how far a call is: `done` of `total`, or -1 where that is not known. Returning false ends the call
 * with `EVRIM_ERROR_CANCELLED`. It runs on the thread that makes the call, under the rules of the callbacks
 * above.
 */
typedef bool (*evrim_progress_fn)(void *user_data, uint64_t done, int64_t total);

/**
 * Gets the next `len` bytes of a body; they live until it returns. Returning false ends the call with
 * `EVRIM_ERROR_CANCELLED`. It runs like evrim_progress_fn.
 */
typedef bool (*evrim_write_fn)(void *user_data, const uint8_t *bytes, size_t len);

/**
 * @name Library
 * The version of the library, and strings that it made for the caller.
 * @{
 */

/**
 * The version of the library that is loaded, such as "0.1.0". `EVRIM_VERSION` is that of the header the
 * program was compiled with; a newer library with the same SONAME serves an older program. The string
 * is static.
 */
const char *evrim_version(void);

/**
 * Wipes and frees a string that this library made for the caller, such as a copied token. NULL is
 * ignored. Borrowed strings, those of an error or a response, are not for this function.
 */
void evrim_string_free(char *string);

/** @} */

/**
 * @name Status codes
 * What a call returns.
 * @{
 */

/**
 * The name of a status code, such as "EVRIM_ERROR_TIMEOUT"; "EVRIM_ERROR_UNKNOWN" for a number that
 * is no code of this version. The string is static.
 */
const char *evrim_status_name(int32_t status);

/** @} */

/**
 * @name Errors
 * What an error tells besides its status.
 * @{
 */

/** The status code of an error: the same that the failed call returned. `EVRIM_OK` for NULL. */
evrim_status evrim_error_status(const evrim_error *error);

/**
 * What happened, with which URL, and what to do where that is known: one English sentence without a
 * line break, for people. Programs go by the status. It never holds a password or a token. Borrowed
 * from the error; for NULL it is "no error".
 */
const char *evrim_error_message(const evrim_error *error);

/**
 * The HTTP status of the server's answer, such as 404; 0 if there was no answer, or for NULL.
 */
int32_t evrim_error_http_status(const evrim_error *error);

/**
 * The server's own code for the error, such as "token_not_valid"; NULL if it gave none. Borrowed from
 * the error.
 */
const char *evrim_error_server_code(const evrim_error *error);

/**
 * The id under which the server logged the request, worth quoting to its operators; NULL if it gave
 * none. Borrowed from the error.
 */
const char *evrim_error_request_id(const evrim_error *error);

/**
 * How long the server asks to wait before the next try, in milliseconds; -1 if it did not say.
 */
int64_t evrim_error_retry_after_ms(const evrim_error *error);

/** Whether the same call may succeed if it is made again later. False for NULL. */
bool evrim_error_is_retryable(const evrim_error *error);

/**
 * Whether the server may have acted on the request. Where this is false, making the call again can't
 * do anything twice. False for NULL.
 */
bool evrim_error_may_have_been_sent(const evrim_error *error);

/**
 * The body of the server's answer, with its length in bytes in `*len`; NULL and 0 if there was none.
 * `len` may be NULL. The bytes are borrowed from the error and are not NUL-terminated.
 */
const uint8_t *evrim_error_body(const evrim_error *error,
                                size_t *len);

/** Frees an error and all that was borrowed from it. NULL is ignored. */
void evrim_error_free(evrim_error *error);

/** @} */

/**
 * @name Options
 * What can be chosen for a client. A value that is refused changes nothing.
 * @{
 */

/**
 * Makes options that hold the defaults. They are read when a client is made with them, and can be
 * changed and used again afterwards. Free them with evrim_options_free(). Returns NULL only if memory
 * is out.
 */
evrim_options *evrim_options_new(void);

/**
 * Copies the options that a handle has, callbacks included, to `*options`: for a clone that differs in
 * one of them only. They are freed with evrim_options_free().
 *
 *     evrim_options *options;
 *     if (evrim_copy_options(client, &options, &error) == EVRIM_OK &&
 *         evrim_options_set_timeout_ms(options, 500) == EVRIM_OK &&
 *         evrim_clone(client, options, &hurried, &error) == EVRIM_OK) {
 *         ...
 *     }
 */
EVRIM_MUST_USE
evrim_status evrim_copy_options(const evrim_client *client,
                                evrim_options **options,
                                evrim_error **error);

/** Frees options. Clients that were made with them are not affected. NULL is ignored. */
void evrim_options_free(evrim_options *options);

/**
 * How long one attempt may take, from sending to the last byte of the answer, in milliseconds.
 * Default: 60000. Signing in, refreshing and validating take at most 30000 of them. 0 is refused.
 */
EVRIM_MUST_USE
evrim_status evrim_options_set_timeout_ms(evrim_options *options,
                                          uint32_t milliseconds);

/**
 * How long setting up a connection may take, its name and its TLS included, in milliseconds. Default:
 * 5000. 0 is refused.
 */
EVRIM_MUST_USE
evrim_status evrim_options_set_connect_timeout_ms(evrim_options *options,
                                                  uint32_t milliseconds);

/**
 * How long one call may take in all, retries and waiting included, in milliseconds. Default: 120000.
 * 0 is refused.
 */
EVRIM_MUST_USE
evrim_status evrim_options_set_total_timeout_ms(evrim_options *options,
                                                uint32_t milliseconds);

/**
 * Trusts the certificate authorities of a PEM file besides the system's own. The file is read now:
 * `EVRIM_ERROR_IO` if that fails, `EVRIM_ERROR_TLS` if it holds no usable certificate. A second file
 * replaces the first.
 */
EVRIM_MUST_USE
evrim_status evrim_options_set_ca_file(evrim_options *options,
                                       const char *path);

/**
 * The same with PEM text in memory: `len` bytes of it. It replaces the certificates of a file. NULL is
 * refused.
 */
EVRIM_MUST_USE
evrim_status evrim_options_set_ca_pem(evrim_options *options,
                                      const void *pem,
                                      size_t len);

/**
 * Whether the system's certificate authorities are trusted. Default: true. Without them only those of
 * evrim_options_set_ca_file() are.
 */
EVRIM_MUST_USE
evrim_status evrim_options_set_system_ca(evrim_options *options,
                                         bool trust);

/**
 * Refuses certificates that were revoked: a PEM file with the revocation lists (CRL) of the server's
 * authority, and of each one in between. By default no certificate counts as revoked; OCSP is never
 * asked. With lists, a certificate is refused as well where its authority's list is missing, or past
 * its nextUpdate. The file is read now: `EVRIM_ERROR_IO` if that fails, `EVRIM_ERROR_TLS` if it holds
 * no usable list. A second file replaces the first; evrim_clone() gives a session that goes on newer
 * lists.
 */
EVRIM_MUST_USE
evrim_status evrim_options_set_crl_file(evrim_options *options,
                                        const char *path);

/**
 * Shows a certificate to a server that asks for one: two PEM files, the certificate with what leads up
 * to its authority, and its key, unencrypted. They are read now: `EVRIM_ERROR_IO` if that fails,
 * `EVRIM_ERROR_TLS` if they can't be used or don't belong together.
 */
EVRIM_MUST_USE
evrim_status evrim_options_set_client_certificate(evrim_options *options,
                                                  const char *certificate_path,
                                                  const char *key_path);

/**
 * The oldest version of TLS that is accepted, an `evrim_tls_version`. Default: `EVRIM_TLS_1_2`.
 */
EVRIM_MUST_USE
evrim_status evrim_options_set_min_tls_version(evrim_options *options,
                                               int32_t version);

/**
 * Sends everything through a proxy: "http://host:port", or https, with "user:password@" before the host
 * if it asks for them. NULL for no proxy at all. By default the variables HTTPS_PROXY, HTTP_PROXY,
 * ALL_PROXY and NO_PROXY decide, in capitals or not, except for servers on this machine, which are
 * reached directly.
 */
EVRIM_MUST_USE
evrim_status evrim_options_set_proxy(evrim_options *options,
                                     const char *url);

/**
 * How often a request is tried again, where that is safe; see evrim_request(). Default: 2, at most 10,
 * and 0 for never.
 */
EVRIM_MUST_USE
evrim_status evrim_options_set_retries(evrim_options *options,
                                       uint32_t retries);

/**
 * The largest body of an answer, in bytes, unpacked if it came packed. Default: 67108864, which is 64
 * MiB. A larger one is `EVRIM_ERROR_TOO_LARGE`. 0 is refused. Token calls take at most 1 MiB in any case.
 */
EVRIM_MUST_USE
evrim_status evrim_options_set_max_body_size(evrim_options *options,
                                             uint64_t bytes);

/**
 * Sends a header with every request, such as a gateway's key. NULL for `value` takes it out again.
 * Headers that the library sets itself, such as Authorization and Host, are refused. By default there
 * are none.
 */
EVRIM_MUST_USE
evrim_status evrim_options_set_header(evrim_options *options,
                                      const char *name,
                                      const char *value);

/**
 * Allows plain http to other machines, where anyone on the way can read the password and the tokens.
 * Default: false. Plain http to localhost and to loopback addresses is always allowed.
 */
EVRIM_MUST_USE
evrim_status evrim_options_set_allow_insecure_http(evrim_options *options,
                                                   bool allow);

/**
 * Whether evrim_from_token() asks the server about the access token. Default: true. Turn it off for a
 * saved session whose access token may have expired, and for opaque API tokens.
 */
EVRIM_MUST_USE
evrim_status evrim_options_set_validate_on_start(evrim_options *options,
                                                 bool validate);

/**
 * Whether requests renew the access token by themselves, shortly before it ends or when the server
 * refuses it. Default: true.
 */
EVRIM_MUST_USE evrim_status evrim_options_set_auto_renew(evrim_options *options, bool renew);

/**
 * Names the program to the server: printable ASCII such as "my-program/1.0", put before the library's
 * own name and version. Default: the library's alone.
 */
EVRIM_MUST_USE
evrim_status evrim_options_set_user_agent(evrim_options *options,
                                          const char *name);

/** @} */

/**
 * @name Callbacks
 * What a program can be told while its calls run.
 * @{
 */

/**
 * Has log lines up to `level` (an `evrim_log_level`) passed to a callback; NULL for `callback` switches
 * that off, which is the default.
 *
 * Callbacks of either kind run on the thread whose call led to them, between two steps of its work and
 * with no lock held: a slow one delays that call, and those that wait for a renewal which it is making.
 * Inside one, functions that don't wait for the
 * server may be used on the same client, evrim_free() and evrim_cancel() among them; those that do
 * return `EVRIM_ERROR_INVALID_ARGUMENT`. Other clients may be used freely. With several threads on a
 * client, log callbacks may run at the same time. A clone made with options that have no callback keeps
 * that of the handle it was made from.
 *
 * `destroy`, unless NULL, is called once with `user_data` when neither options nor clients hold the
 * callback any more; at once if `callback` is NULL. If the setter fails, `destroy` is not called.
 */
EVRIM_MUST_USE
evrim_status evrim_options_set_log_callback(evrim_options *options,
                                            int32_t level,
                                            evrim_log_fn callback,
                                            void *user_data,
                                            evrim_destroy_fn destroy);

/**
 * Has a callback told whenever the tokens were replaced, by a renewal, evrim_refresh_token() or
 * evrim_set_token(), so that a program can save its session; NULL for `callback` switches that off,
 * which is the default. It is told of each pair at most once, of the newest last, and by one thread at
 * a time; the first pair, which evrim_new() brings, is not told. Otherwise as with
 * evrim_options_set_log_callback().
 */
EVRIM_MUST_USE
evrim_status evrim_options_set_token_callback(evrim_options *options,
                                              evrim_token_fn callback,
                                              void *user_data,
                                              evrim_destroy_fn destroy);

/** @} */

/**
 * @name Clients
 * Signing in, tokens, clones, cancelling, and the end.
 * @{
 */

/**
 * Signs in with a user name and a password, and makes a client that keeps both tokens.
 *
 * `url` is the base URL of the service, such as "https://api.evrim.ai/prod"; its paths are appended to
 * it. The strings are copied. `options` may be NULL for the defaults. On success `*client` is the new
 * client, to be freed with evrim_free(); on failure it is NULL.
 *
 * Errors: `EVRIM_ERROR_AUTHENTICATION` for a wrong user name or password, `EVRIM_ERROR_INVALID_URL`,
 * `EVRIM_ERROR_INSECURE_URL`, `EVRIM_ERROR_NO_CREDENTIALS` for an empty user name or password, and those
 * of any request: `EVRIM_ERROR_NETWORK`, `EVRIM_ERROR_TLS`, `EVRIM_ERROR_TIMEOUT`,
 * `EVRIM_ERROR_PROTOCOL`, `EVRIM_ERROR_RATE_LIMITED`, `EVRIM_ERROR_SERVER` and others.
 *
 *     evrim_client *client;
 *     evrim_error *error;
 *     if (evrim_new(url, "ada", password, NULL, &client, &error) != EVRIM_OK) {
 *         fprintf(stderr, "%s\n", evrim_error_message(error));
 *         evrim_error_free(error);
 *     }
 */
EVRIM_MUST_USE
evrim_status evrim_new(const char *url,
                       const char *username,
                       const char *password,
                       const evrim_options *options,
                       evrim_client **client,
                       evrim_error **error);

/**
 * Makes a client from an existing token, without a password.
 *
 * The server is asked whether it accepts `access_token`, unless evrim_options_set_validate_on_start()
 * turned that off; a token that it refuses gives `EVRIM_ERROR_AUTHENTICATION` and no client.
 * `refresh_token` may be NULL: then the access token can't be renewed. To resume a saved session whose
 * access token may have expired, turn validation off and pass both: the first request renews it.
 *
 * Otherwise like evrim_new().
 */
EVRIM_MUST_USE
evrim_status evrim_from_token(const char *url,
                              const char *access_token,
                              const char *refresh_token,
                              const evrim_options *options,
                              evrim_client **client,
                              evrim_error **error);

/**
 * Makes a client from the environment: `EVRIM_URL`, and the first of these that is set:
 *
 * - `EVRIM_USERNAME` and `EVRIM_PASSWORD`, as with evrim_new();
 * - `EVRIM_TOKEN`, and `EVRIM_REFRESH_TOKEN` if there is one, as with evrim_from_token();
 * - `EVRIM_API_TOKEN`, an opaque token, which is not validated.
 *
 * An empty variable counts as not set. The error names the variable that is missing:
 * `EVRIM_ERROR_INVALID_URL` for the URL, `EVRIM_ERROR_NO_CREDENTIALS` for the others.
 */
EVRIM_MUST_USE
evrim_status evrim_from_env(const evrim_options *options,
                            evrim_client **client,
                            evrim_error **error);

/**
 * Signs in again with the user name and password of evrim_new() and replaces both tokens. If it fails,
 * the old tokens stay.
 *
 * `EVRIM_ERROR_NO_CREDENTIALS` if the client was made from a token. While one thread signs in, the
 * others that ask for the same wait and share its result.
 */
EVRIM_MUST_USE
evrim_status evrim_set_token(evrim_client *client,
                             evrim_error **error);

/**
 * Buys a new access token with the refresh token. A server that rotates refresh tokens sends a new one
 * of those as well, which then replaces the old one. If it fails, the old tokens stay.
 *
 * Requests do this by themselves when it is time; see evrim_options_set_auto_renew().
 * `EVRIM_ERROR_NO_REFRESH_TOKEN` if there is none; `EVRIM_ERROR_AUTHENTICATION` if the server refuses it.
 */
EVRIM_MUST_USE
evrim_status evrim_refresh_token(evrim_client *client,
                                 evrim_error **error);

/**
 * Asks the server whether it accepts the access token, and writes its answer to `*valid`. A token that
 * is refused is not an error: the call returns `EVRIM_OK` and `*valid` is false. If the server can't be
 * asked, or gives no clear answer, that is an error, and `*valid` is false too. Nothing is changed.
 */
EVRIM_MUST_USE
evrim_status evrim_validate_token(evrim_client *client,
                                  bool *valid,
                                  evrim_error **error);

/**
 * Copies the access token to `*token`, to be freed with evrim_string_free(), which wipes it. No I/O.
 */
EVRIM_MUST_USE
evrim_status evrim_copy_access_token(const evrim_client *client,
                                     char **token,
                                     evrim_error **error);

/**
 * Copies the refresh token to `*token`, to be freed with evrim_string_free(), which wipes it. Without a
 * refresh token `*token` is NULL, and the call returns `EVRIM_OK`. No I/O.
 */
EVRIM_MUST_USE
evrim_status evrim_copy_refresh_token(const evrim_client *client,
                                      char **token,
                                      evrim_error **error);

/**
 * Copies both tokens as they belong together, and when the access token ends, as
 * evrim_token_expires_at() says it. Two calls might get halves of different pairs, where another thread
 * renews between them; a saved session needs a whole one. `*refresh_token` is NULL if there is none.
 * `expires_at` may be NULL. Both strings are freed with evrim_string_free(). No I/O.
 */
EVRIM_MUST_USE
evrim_status evrim_copy_tokens(const evrim_client *client,
                               char **access_token,
                               char **refresh_token,
                               int64_t *expires_at,
                               evrim_error **error);

/**
 * When the access token ends, in seconds since 1970 by the server's clock: what the token says of
 * itself, unverified. -1 if it does not say, as an opaque token, or for NULL. No I/O.
 */
int64_t evrim_token_expires_at(const evrim_client *client);

/**
 * Makes a second handle on the same session. Tokens, credentials and connections are shared; options
 * and cancelling are each handle's own, so that one call can have its own timeout or be cancelled
 * alone. It costs little memory and no I/O. The session lives as long as its last handle; each is freed
 * with evrim_free().
 *
 * With NULL for `options` the clone has those of `client`. Otherwise they are the clone's in full, its
 * CA file and its proxy too: to change one and keep the rest, start from evrim_copy_options().
 */
EVRIM_MUST_USE
evrim_status evrim_clone(const evrim_client *client,
                         const evrim_options *options,
                         evrim_client **clone,
                         evrim_error **error);

/**
 * Ends the calls that are running on this handle, in any thread: they return
 * `EVRIM_ERROR_CANCELLED` soon. Calls that begin later are not affected, nor are those on clones. Does
 * not wait; may be called from any thread. NULL is ignored. See evrim_close() for a call that is about
 * to begin. Where the server takes each refresh token only once, a renewal that is cancelled may have
 * used it up; the next one signs in, if the client can.
 */
void evrim_cancel(evrim_client *client);

/**
 * Ends the calls that are running on this handle, and every call that begins on it later: they return
 * `EVRIM_ERROR_CANCELLED`. What needs no server, such as copying a token, still works, and clones are
 * not affected. Does not wait; may be called from any thread. NULL is ignored.
 *
 * A thread that is about to make a call may miss evrim_cancel(), but not this. So it is what ends the one
 * call of a clone that was made for it, and what goes before evrim_free() where other threads may still
 * begin calls: close, wait until they have returned, free.
 */
void evrim_close(evrim_client *client);

/**
 * Frees a handle, and with its last handle the session, whose secrets are wiped. Calls that are still
 * running on it in other threads end with `EVRIM_ERROR_CANCELLED`; none may begin any more. The tokens
 * stay valid on the server. NULL is ignored.
 */
void evrim_free(evrim_client *client);

/** @} */

/**
 * @name Requests
 * Asking the server for something.
 * @{
 */

/**
 * Sends a request with a valid token and waits for the answer.
 *
 * `method` is an HTTP method in capitals. `path` is appended to the base URL and may have a query:
 * "reports/", "runs/?page=2". Paths of the API end with a slash. `body` is `body_len` bytes of JSON, sent
 * as `application/json` and not kept; NULL and 0 for none. What is not JSON is not sent:
 * `EVRIM_ERROR_INVALID_ARGUMENT`. evrim_request_with() builds query and body.
 *
 * A 2xx answer gives `EVRIM_OK` and `*response`, to be freed with evrim_response_free(). Any other is an
 * error with the answer's status and body in it, and `*response` is NULL. The token is renewed first if
 * it is about to end, and once more if the server refuses it. A request that may safely be repeated is
 * retried twice after a failed connection, 408, 429 or 5xx; a POST is sent once, and again only if the
 * server can't have seen it or refused its token.
 *
 *     evrim_response *response;
 *     if (evrim_request(client, "GET", "reports/1/", NULL, 0, &response, &error) == EVRIM_OK) {
 *         printf("%s\n", evrim_response_string(response, "/report/title"));
 *         evrim_response_free(response);
 *     }
 */
EVRIM_MUST_USE
evrim_status evrim_request(evrim_client *client,
                           const char *method,
                           const char *path,
                           const void *body,
                           size_t body_len,
                           evrim_response **response,
                           evrim_error **error);

/**
 * Makes request options without parameters, headers or body. They can be used for any number of
 * requests. Free them with evrim_request_options_free(). Returns NULL only if memory is out.
 */
evrim_request_options *evrim_request_options_new(void);

/** Frees request options. NULL is ignored. */
void evrim_request_options_free(evrim_request_options *options);

/**
 * Adds a parameter to the query, behind what the path has. Name and value are percent-encoded. One of
 * the same name is kept beside it. An empty name is refused.
 */
EVRIM_MUST_USE
evrim_status evrim_request_options_add_query(evrim_request_options *options,
                                             const char *name,
                                             const char *value);

/**
 * Sets a header of this request, in place of one of the same name that the client has. NULL for `value`
 * takes it out of these options again, so that the client's, if there is one, is sent. Headers that the
 * library sets itself, such as Authorization, are refused.
 */
EVRIM_MUST_USE
evrim_status evrim_request_options_set_header(evrim_request_options *options,
                                              const char *name,
                                              const char *value);

/**
 * Puts a string into the body at an RFC 6901 pointer such as "/title" or "/style/tone"; what it needs
 * escaped is escaped. The objects that lead there are made if they are missing or null. "-" is the place
 * behind an array's last item: "/tags/-" appends to the array "/tags", and makes it if need be. "" is the
 * whole body.
 *
 * `EVRIM_ERROR_INVALID_ARGUMENT` if the pointer does not begin with '/', leads through a value that is
 * neither object nor array, past the end of an array, or more than 100 levels deep; the body is then as
 * before.
 */
EVRIM_MUST_USE
evrim_status evrim_request_options_set_string(evrim_request_options *options,
                                              const char *pointer,
                                              const char *value);

/** The same with a whole number. */
EVRIM_MUST_USE
evrim_status evrim_request_options_set_int(evrim_request_options *options,
                                           const char *pointer,
                                           int64_t value);

/** The same with a number. JSON has no infinity and no NaN: these are refused. */
EVRIM_MUST_USE
evrim_status evrim_request_options_set_double(evrim_request_options *options,
                                              const char *pointer,
                                              double value);

/** The same with a boolean. */
EVRIM_MUST_USE
evrim_status evrim_request_options_set_bool(evrim_request_options *options,
                                            const char *pointer,
                                            bool value);

/**
 * The same with JSON text, `len` bytes of it, such as "null", "[]", or a whole document. What is not
 * JSON is refused, and so is NULL.
 */
EVRIM_MUST_USE
evrim_status evrim_request_options_set_json(evrim_request_options *options,
                                            const char *pointer,
                                            const void *json,
                                            size_t len);

/**
 * Sends a request with the query, headers and body of `options`; NULL for none. Otherwise like
 * evrim_request().
 *
 *     evrim_request_options *options = evrim_request_options_new();
 *     if (evrim_request_options_add_query(options, "search", "ice & sea") == EVRIM_OK &&
 *         evrim_request_with(client, "GET", "reports/", options, &response, &error) == EVRIM_OK) {
 *         ...
 *     }
 *     evrim_request_options_free(options);
 */
EVRIM_MUST_USE
evrim_status evrim_request_with(evrim_client *client,
                                const char *method,
                                const char *path,
                                const evrim_request_options *options,
                                evrim_response **response,
                                evrim_error **error);

/** @} */

/**
 * @name Responses
 * Reading what the server answered.
 * @{
 */

/** The HTTP status, such as 200 or 201; 0 for NULL. */
int32_t evrim_response_status(const evrim_response *response);

/**
 * The body, with its length in bytes in `*len`; NULL and 0 if it is empty. `len` may be NULL. The bytes
 * are borrowed from the response and are not NUL-terminated.
 */
const uint8_t *evrim_response_body(const evrim_response *response,
                                   size_t *len);

/**
 * The value of a header, its name in upper or lower case; NULL if it is absent. Several of one name are
 * joined by ", ". Borrowed from the response.
 */
const char *evrim_response_header(const evrim_response *response,
                                  const char *name);

/**
 * The string at a pointer, in UTF-8; NULL if there is none. Borrowed from the response. A string that
 * holds a NUL character can't be a C string: for it, too, NULL is returned.
 */
const char *evrim_response_string(const evrim_response *response,
                                  const char *pointer);

/**
 * Writes the whole number at a pointer to `*value`. False, and `*value` is 0, if there is none, or one
 * with a fraction, or one that does not fit.
 */
bool evrim_response_int(const evrim_response *response,
                        const char *pointer,
                        int64_t *value);

/** Writes the number at a pointer to `*value`. False, and `*value` is 0, if there is none. */
bool evrim_response_double(const evrim_response *response, const char *pointer, double *value);

/**
 * Writes the boolean at a pointer to `*value`. False, and `*value` is false, if there is none.
 */
bool evrim_response_bool(const evrim_response *response, const char *pointer, bool *value);

/**
 * The number of items of the array, or of members of the object, at a pointer; 0 if there is neither.
 */
size_t evrim_response_count(const evrim_response *response,
                            const char *pointer);

/** What kind of value is at a pointer; `EVRIM_JSON_NONE` if there is none. */
evrim_json_type evrim_response_type(const evrim_response *response, const char *pointer);

/**
 * The name of the member with this index, from 0 and in the server's order, of the object at a pointer;
 * NULL if there is none. Borrowed from the response. To look the member up by it, "~" in it is written
 * "~0", and "/" is "~1".
 */
const char *evrim_response_key(const evrim_response *response,
                               const char *pointer,
                               size_t index);

/**
 * Copies the value at a pointer, with all that is in it, as JSON text, exactly as the server wrote it:
 * to keep it, or to give it to a JSON library. `*json` is freed with evrim_string_free().
 * `EVRIM_ERROR_PROTOCOL` if there is nothing at the pointer.
 */
EVRIM_MUST_USE
evrim_status evrim_response_copy_json(const evrim_response *response,
                                      const char *pointer,
                                      char **json,
                                      evrim_error **error);

/**
 * Writes the string at a pointer to `*value`, like evrim_response_string(), but it is an error if there
 * is none: `EVRIM_ERROR_PROTOCOL`, with a message that names the pointer and says what is there instead.
 * The string is borrowed from the response.
 */
EVRIM_MUST_USE
evrim_status evrim_response_require_string(const evrim_response *response,
                                           const char *pointer,
                                           const char **value,
                                           evrim_error **error);

/** The same with a whole number, like evrim_response_int(). */
EVRIM_MUST_USE
evrim_status evrim_response_require_int(const evrim_response *response,
                                        const char *pointer,
                                        int64_t *value,
                                        evrim_error **error);

/** The same with a number, like evrim_response_double(). */
EVRIM_MUST_USE
evrim_status evrim_response_require_double(const evrim_response *response,
                                           const char *pointer,
                                           double *value,
                                           evrim_error **error);

/** The same with a boolean, like evrim_response_bool(). */
EVRIM_MUST_USE
evrim_status evrim_response_require_bool(const evrim_response *response,
                                         const char *pointer,
                                         bool *value,
                                         evrim_error **error);

/** Frees a response and all that was borrowed from it. NULL is ignored. */
void evrim_response_free(evrim_response *response);

/** @} */

/**
 * @name Downloads
 * Files that don't have to fit into memory.
 * @{
 */

/**
 * Saves what is at `path`, as in evrim_request(), in a file. Of a large file only a small part is ever in
 * memory.
 *
 * `destination` is a file; or a folder, in which the file gets the name that the server proposes, without
 * folders and made safe, or else the last part of `path`. Until it is whole it is kept under another name
 * beside it; then it is synced and renamed, and only then an existing file is replaced. After a failure
 * there is nothing new. Links are replaced, not followed.
 *
 * A cut connection is taken up again where it ended, if the server can do that and the file is still the
 * same, or else from the start; the number of attempts is evrim_options_set_retries(), counted anew
 * whenever more came. The timeout of the options is for every wait for more; the total timeout ends a
 * download in which less than 64 KiB came meanwhile. The largest body does not apply.
 *
 * `progress`, unless NULL, is called with `user_data`, the bytes so far and their total, at most ten times
 * a second, also while nothing comes, and at the end. `*saved_as`, unless NULL, is where the file is, to be
 * freed with evrim_string_free().
 *
 * Errors: those of evrim_request(), and `EVRIM_ERROR_IO` if the file can't be written.
 */
EVRIM_MUST_USE
evrim_status evrim_download(evrim_client *client,
                            const char *path,
                            const char *destination,
                            evrim_progress_fn progress,
                            void *user_data,
                            char **saved_as,
                            evrim_error **error);

/**
 * Saves a report as a document: `format` is "pdf" or "docx". Otherwise like evrim_download().
 *
 *     char *saved_as;
 *     if (evrim_download_report(client, 1, "pdf", ".", NULL, NULL, &saved_as, &error) == EVRIM_OK) {
 *         printf("saved as %s\n", saved_as);
 *         evrim_string_free(saved_as);
 *     }
 */
EVRIM_MUST_USE
evrim_status evrim_download_report(evrim_client *client,
                                   int64_t report_id,
                                   const char *format,
                                   const char *destination,
                                   evrim_progress_fn progress,
                                   void *user_data,
                                   char **saved_as,
                                   evrim_error **error);

/**
 * Passes what is at `path` to a callback instead of a file, in order and each byte once: a cut connection
 * is taken up again only where the server can do that. `write` may not be NULL; `progress` may. Both get
 * `user_data`. After a failure the callback may have had a part of the body. Otherwise like
 * evrim_download().
 */
EVRIM_MUST_USE
evrim_status evrim_download_to(evrim_client *client,
                               const char *path,
                               evrim_write_fn write,
                               evrim_progress_fn progress,
                               void *user_data,
                               evrim_error **error);

/** @} */

/**
 * @name Resources
 * Reports, runs, tasks, sections, paragraphs, research, and lists in pages.
 * @{
 */

/**
 * Asks for all reports: an array. This and the calls below send one request each, like evrim_request(),
 * and have its errors; `EVRIM_ERROR_NOT_FOUND` for an id that there is not, and `EVRIM_ERROR_PROTOCOL` for
 * an answer that is neither a JSON array nor an object. `*response` is freed with evrim_response_free().
 *
 * A report has "/id", and in "/report" its "title", "description" and "sections", and as "task" the id of
 * the task that it came of; a section has "title", "paragraphs" and "sources"; a paragraph has "title" and
 * "sentences". Members may be null or missing, and there may be others.
 */
EVRIM_MUST_USE
evrim_status evrim_get_reports(evrim_client *client,
                               evrim_response **response,
                               evrim_error **error);

/** Asks for one report. An id is not negative. */
EVRIM_MUST_USE
evrim_status evrim_get_report(evrim_client *client,
                              int64_t id,
                              evrim_response **response,
                              evrim_error **error);

/** Asks for all runs: an array. A run has "/id", "/result" and "/tasks". */
EVRIM_MUST_USE
evrim_status evrim_get_runs(evrim_client *client,
                            evrim_response **response,
                            evrim_error **error);

/** Asks for one run. */
EVRIM_MUST_USE
evrim_status evrim_get_run(evrim_client *client,
                           int64_t id,
                           evrim_response **response,
                           evrim_error **error);

/** Asks for all sections: an array. */
EVRIM_MUST_USE
evrim_status evrim_get_sections(evrim_client *client,
                                evrim_response **response,
                                evrim_error **error);

/** Asks for one section. */
EVRIM_MUST_USE
evrim_status evrim_get_section(evrim_client *client,
                               int64_t id,
                               evrim_response **response,
                               evrim_error **error);

/** Asks for all paragraphs: an array. */
EVRIM_MUST_USE
evrim_status evrim_get_paragraphs(evrim_client *client,
                                  evrim_response **response,
                                  evrim_error **error);

/** Asks for one paragraph. */
EVRIM_MUST_USE
evrim_status evrim_get_paragraph(evrim_client *client,
                                 int64_t id,
                                 evrim_response **response,
                                 evrim_error **error);

/**
 * Asks for all tasks: an array. A task has "/task_id", a string; "/status"; "/created_at", a time such as
 * "2025-01-31T12:00:00Z"; and "/event/input", what was asked for, as a string of JSON.
 *
 * The status is "P" while the task is pending and "C" when it is complete; any other letter, too, says
 * that it has ended.
 */
EVRIM_MUST_USE
evrim_status evrim_get_tasks(evrim_client *client,
                             evrim_response **response,
                             evrim_error **error);

/** Asks for one task by its "/task_id". An empty id is refused. */
EVRIM_MUST_USE
evrim_status evrim_get_task(evrim_client *client,
                            const char *task_id,
                            evrim_response **response,
                            evrim_error **error);

/**
 * Starts a piece of research on what is at `url`, and writes its task to `*response`. It costs the
 * server work and is not sent twice; see evrim_request(). NULL stands for "NARRATIVE" as `style`,
 * "ANALYTICAL" as `tone` and "THIRD_PERSON" as `point_of_view`; `url`, `title` and `description` may not
 * be NULL. `EVRIM_ERROR_REQUEST` if the server does not like a value: the message names it.
 */
EVRIM_MUST_USE
evrim_status evrim_submit_research(evrim_client *client,
                                   const char *url,
                                   const char *title,
                                   const char *description,
                                   const char *style,
                                   const char *tone,
                                   const char *point_of_view,
                                   evrim_response **response,
                                   evrim_error **error);

/**
 * Waits until a task is no longer pending, and writes it to `*response`; its "/status" says how it ended.
 * It does not name its report: look for the one with its id as "/report/task" in evrim_get_reports().
 * The server is asked at once, after half a second, and then less and less often, down to every ten
 * seconds. A failure that may pass, such as a server that restarts, does not end the wait.
 *
 * `timeout_ms` is for the whole wait, in milliseconds: then it is `EVRIM_ERROR_TIMEOUT`, or the error of
 * the last attempt if that failed. 0 is refused. `progress`, unless NULL, is called with `user_data` about
 * four times a second, with the milliseconds that have gone by and -1; if it returns false, the call ends
 * with `EVRIM_ERROR_CANCELLED`.
 */
EVRIM_MUST_USE
evrim_status evrim_wait_for_task(evrim_client *client,
                                 const char *task_id,
                                 uint32_t timeout_ms,
                                 evrim_progress_fn progress,
                                 void *user_data,
                                 evrim_response **response,
                                 evrim_error **error);

/**
 * Asks for the page after `page` of a list that comes in pages, and writes it to `*next`; NULL, with
 * `EVRIM_OK`, after the last, and for an answer that is not a page. A page has its items in "/results" and
 * the number of them all in "/count". A page on another server is not asked for:
 * `EVRIM_ERROR_REDIRECT`.
 *
 *     evrim_response *page, *next;
 *     evrim_status status = evrim_request(client, "GET", "v0/reports/", NULL, 0, &page, &error);
 *     while (status == EVRIM_OK && page != NULL) {
 *         ...
 *         status = evrim_next_page(client, page, &next, &error);
 *         evrim_response_free(page);
 *         page = next;
 *     }
 */
EVRIM_MUST_USE
evrim_status evrim_next_page(evrim_client *client,
                             const evrim_response *page,
                             evrim_response **next,
                             evrim_error **error);

/** @} */

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* EVRIM_H */
