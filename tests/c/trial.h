/* What the test programs share: checks, a clock, threads that make one call, and a line to the sandbox. */

#ifndef TRIAL_H
#define TRIAL_H

#include <evrim.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CHECK(condition)                                                                     \
    do {                                                                                     \
        if (!(condition)) {                                                                  \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);          \
            exit(1);                                                                         \
        }                                                                                    \
    } while (0)

/* Compares a status and says what came instead, with the error's own words. */
#define EXPECT(wanted, status, error) \
    trial_expect(__FILE__, __LINE__, (wanted), (status), (error))

static inline void trial_expect(const char *file, int line, evrim_status wanted,
                                evrim_status status, evrim_error *error)
{
    if (status != wanted) {
        fprintf(stderr, "%s:%d: %s instead of %s: %s\n", file, line, evrim_status_name(status),
                evrim_status_name(wanted), evrim_error_message(error));
        exit(1);
    }
    CHECK((status == EVRIM_OK) == (error == NULL));
    evrim_error_free(error);
}

#define EXPECT_STATUS(wanted, status) trial_expect_status(__FILE__, __LINE__, (wanted), (status))

static inline void trial_expect_status(const char *file, int line, evrim_status wanted,
                                       evrim_status status)
{
    if (status != wanted) {
        fprintf(stderr, "%s:%d: %s instead of %s\n", file, line, evrim_status_name(status),
                evrim_status_name(wanted));
        exit(1);
    }
}

static inline double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static inline void sleep_ms(int milliseconds)
{
    struct timespec pause;
    pause.tv_sec = milliseconds / 1000;
    pause.tv_nsec = (long)(milliseconds % 1000) * 1000000L;
    while (nanosleep(&pause, &pause) != 0 && errno == EINTR) {
    }
}

/* A promise that is not kept must not hold up the tests. Valgrind makes everything slow. */
static inline void limit_time(void)
{
    alarm(getenv("EVRIM_TEST_SLOW") != NULL ? 600 : 100);
}

static inline const char *variable(const char *name)
{
    const char *value = getenv(name);
    CHECK(value != NULL);
    return value;
}

static inline evrim_client *sign_in(const evrim_options *options)
{
    evrim_client *client;
    evrim_error *error;
    evrim_status status = evrim_new(variable("EVRIM_URL"), variable("EVRIM_USERNAME"),
                                    variable("EVRIM_PASSWORD"), options, &client, &error);
    EXPECT(EVRIM_OK, status, error);
    return client;
}

static inline evrim_status get(evrim_client *client, const char *path, evrim_error **error)
{
    evrim_response *response;
    evrim_status status = evrim_request(client, "GET", path, NULL, 0, &response, error);
    evrim_response_free(response);
    return status;
}

static inline void get_ok(evrim_client *client, const char *path)
{
    evrim_error *error;
    evrim_status status = get(client, path, &error);
    EXPECT(EVRIM_OK, status, error);
}

static inline char *access_token(evrim_client *client)
{
    char *token;
    evrim_error *error;
    evrim_status status = evrim_copy_access_token(client, &token, &error);
    EXPECT(EVRIM_OK, status, error);
    return token;
}

static inline char *refresh_token(evrim_client *client)
{
    char *token;
    evrim_error *error;
    evrim_status status = evrim_copy_refresh_token(client, &token, &error);
    EXPECT(EVRIM_OK, status, error);
    return token;
}

/* A client for the sandbox's control calls. Its options differ, so that its connections are its own. */
static inline evrim_client *control_line(void)
{
    evrim_client *client;
    evrim_error *error;
    evrim_status status;
    evrim_options *options = evrim_options_new();
    CHECK(evrim_options_set_connect_timeout_ms(options, 9999) == EVRIM_OK);
    CHECK(evrim_options_set_validate_on_start(options, false) == EVRIM_OK);
    status = evrim_from_token(variable("EVRIM_URL"), "control", NULL, options, &client, &error);
    evrim_options_free(options);
    EXPECT(EVRIM_OK, status, error);
    return client;
}

static inline void control(evrim_client *line, const char *method, const char *what,
                           const char *body)
{
    char path[64];
    evrim_error *error;
    evrim_response *response;
    evrim_status status;
    snprintf(path, sizeof path, "sandbox/%s", what);
    status = evrim_request(line, method, path, body, body ? strlen(body) : 0, &response, &error);
    evrim_response_free(response);
    EXPECT(EVRIM_OK, status, error);
}

/* Adds a fault such as "silent" to a path such as "GET /reports/". */
static inline void fault(evrim_client *line, const char *path, const char *kind, int times)
{
    char body[256];
    if (times > 0) {
        snprintf(body, sizeof body, "{\"path\": \"%s\", \"kind\": \"%s\", \"times\": %d}", path,
                 kind, times);
    } else {
        snprintf(body, sizeof body, "{\"path\": \"%s\", \"kind\": \"%s\"}", path, kind);
    }
    control(line, "POST", "faults", body);
}

static inline void clear_faults(evrim_client *line)
{
    control(line, "DELETE", "faults", NULL);
}

/* One of the sandbox's counters, such as "/refreshes". */
static inline long long counter(evrim_client *line, const char *pointer)
{
    int64_t value;
    evrim_error *error;
    evrim_response *response;
    evrim_status status =
        evrim_request(line, "GET", "sandbox/counters", NULL, 0, &response, &error);
    EXPECT(EVRIM_OK, status, error);
    /* What never happened has no count of its own. */
    if (!evrim_response_int(response, pointer, &value)) {
        value = 0;
    }
    evrim_response_free(response);
    return (long long)value;
}

/* Waits until a counter is at least so high. */
static inline void await_counter(evrim_client *line, const char *pointer, long long least)
{
    double end = now_ms() + 15000;
    while (counter(line, pointer) < least) {
        CHECK(now_ms() < end);
        sleep_ms(5);
    }
}

/* A thread that makes one call. */
enum call { GET_REPORTS, VALIDATE, REFRESH, SET_TOKEN };

struct caller {
    pthread_t thread;
    evrim_client *client;
    enum call call;
    evrim_status status;
    bool has_begun;
    double ended;
};

static inline evrim_status make_call(evrim_client *client, enum call call, evrim_error **error)
{
    bool valid;
    switch (call) {
    case GET_REPORTS:
        return get(client, "reports/", error);
    case VALIDATE:
        return evrim_validate_token(client, &valid, error);
    case REFRESH:
        return evrim_refresh_token(client, error);
    case SET_TOKEN:
        return evrim_set_token(client, error);
    }
    return EVRIM_ERROR_INTERNAL;
}

static inline void *run_caller(void *data)
{
    struct caller *caller = data;
    evrim_error *error;
    __atomic_store_n(&caller->has_begun, true, __ATOMIC_SEQ_CST);
    evrim_status status = make_call(caller->client, caller->call, &error);
    caller->ended = now_ms();
    if (status != evrim_error_status(error)) {
        status = EVRIM_ERROR_INTERNAL;
    }
    /* Another thread may look before the end. */
    __atomic_store_n(&caller->status, status, __ATOMIC_SEQ_CST);
    evrim_error_free(error);
    return NULL;
}

static inline void start(struct caller *caller, evrim_client *client, enum call call)
{
    caller->client = client;
    caller->call = call;
    caller->status = EVRIM_ERROR_INTERNAL;
    caller->has_begun = false;
    CHECK(pthread_create(&caller->thread, NULL, run_caller, caller) == 0);
}

/* Waits until it makes its call, or is about to. */
static inline void await_begin(struct caller *caller)
{
    while (!__atomic_load_n(&caller->has_begun, __ATOMIC_SEQ_CST)) {
        sleep_ms(1);
    }
}

static inline void join(struct caller *caller)
{
    CHECK(pthread_join(caller->thread, NULL) == 0);
}

#endif /* TRIAL_H */
