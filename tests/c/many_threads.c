/*
 * Many threads on one client, across many ends of its token: one renewal for each, no failed call.
 *
 *     many_threads rounds COUNT             the server revokes the token before each round
 *     many_threads expiries COUNT SECONDS   the token runs out by itself, after so many seconds
 *
 * The first needs the sandbox. The second also runs against a real server (EVRIM_SERVER=django), where
 * only what the client itself sent can be counted.
 */
#include <evrim.h>

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define THREADS 64
#define PATH "reports/2/"

static evrim_client *client;

static pthread_mutex_t counting = PTHREAD_MUTEX_INITIALIZER;
static long wanted; /* so many new tokens, and the threads stop */
static long changes;
static long refreshes;
static long requests;

static pthread_barrier_t begin, end;
static long rounds;

static void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "many_threads: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    exit(EXIT_FAILURE);
}

/* `error` by its place: the call that fills it is an argument as well, and may come after it. */
static void check(evrim_status status, evrim_error **error, const char *what)
{
    if (status != EVRIM_OK)
        fail("%s: %s: %s", what, evrim_status_name((int32_t)status),
             evrim_error_message(error ? *error : NULL));
}

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    if (value == NULL)
        fail("%s is not set", name);
    return value;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void call(void)
{
    evrim_response *response = NULL;
    evrim_error *error = NULL;
    int64_t id = 0;
    check(evrim_request(client, "GET", PATH, NULL, 0, &response, &error), &error, PATH);
    if (!evrim_response_int(response, "/id", &id) || id != 2)
        fail("another report came than was asked for");
    evrim_response_free(response);
}

/* What the client sends, by its own account. */
static void on_log(void *user_data, int32_t level, const char *subject, const char *message)
{
    (void)user_data;
    if (level != EVRIM_LOG_DEBUG || strcmp(subject, "request") != 0)
        return;
    pthread_mutex_lock(&counting);
    requests++;
    refreshes += strstr(message, "/token/refresh/") != NULL;
    pthread_mutex_unlock(&counting);
}

static void on_tokens(void *user_data, const char *access, const char *refresh, int64_t expires_at)
{
    (void)user_data;
    if (access == NULL || refresh == NULL || expires_at < 0)
        fail("part of the new tokens is missing");
    pthread_mutex_lock(&counting);
    changes++;
    pthread_mutex_unlock(&counting);
}

static int is_done(void)
{
    pthread_mutex_lock(&counting);
    int done = changes >= wanted;
    pthread_mutex_unlock(&counting);
    return done;
}

static evrim_client *from_token(const char *access, const char *refresh, int watched)
{
    evrim_client *made = NULL;
    evrim_error *error = NULL;
    evrim_options *options = evrim_options_new();
    check(evrim_options_set_validate_on_start(options, false), NULL, "validate_on_start");
    if (watched) {
        check(evrim_options_set_log_callback(options, EVRIM_LOG_DEBUG, on_log, NULL, NULL), NULL,
              "log");
        check(evrim_options_set_token_callback(options, on_tokens, NULL, NULL), NULL, "tokens");
    }
    check(evrim_from_token(variable("EVRIM_URL"), access, refresh, options, &made, &error), &error,
          "from_token");
    evrim_options_free(options);
    return made;
}

static void *in_rounds(void *unused)
{
    (void)unused;
    for (long round = 0; round < rounds; round++) {
        pthread_barrier_wait(&begin);
        call();
        pthread_barrier_wait(&end);
    }
    return NULL;
}

/* Each in its own time, so that they don't all come at once again and again. */
static void *until_done(void *number)
{
    const long milliseconds = 300 + 400 * *(int *)number / THREADS;
    const struct timespec pause = {0, milliseconds * 1000 * 1000};
    while (!is_done()) {
        call();
        nanosleep(&pause, NULL);
    }
    return NULL;
}

/* The sandbox's own calls, on a client that is not the one to be tested. */
static evrim_response *control(const char *method, const char *path)
{
    static evrim_client *controller;
    evrim_response *response = NULL;
    evrim_error *error = NULL;
    if (controller == NULL)
        controller = from_token("opaque", NULL, 0);
    check(evrim_request(controller, method, path, NULL, 0, &response, &error), &error, path);
    return response;
}

static void expect_at_server(const char *pointer, int64_t expected)
{
    evrim_response *counters = control("GET", "sandbox/counters/");
    int64_t found = -1;
    if (!evrim_response_int(counters, pointer, &found) || found != expected)
        fail("%s at the server: %ld instead of %ld", pointer, (long)found, (long)expected);
    evrim_response_free(counters);
}

static void revoke_before_each_round(void)
{
    for (long round = 1; round <= rounds; round++) {
        evrim_response_free(control("POST", "sandbox/revoke/"));
        pthread_barrier_wait(&begin);
        pthread_barrier_wait(&end);
        expect_at_server("/refreshes", round);
    }
}

static void nothing(void)
{
}

static void run(void *(*work)(void *), void (*meanwhile)(void))
{
    pthread_t threads[THREADS];
    int numbers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        if (pthread_create(&threads[i], NULL, work, &numbers[i]) != 0)
            fail("no more threads");
    }
    meanwhile();
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "expiries";
    long count = argc > 2 ? atol(argv[2]) : 15;
    double life = argc > 3 ? atof(argv[3]) : 2;
    const char *server = getenv("EVRIM_SERVER");
    int is_sandbox = server == NULL || strcmp(server, "django") != 0;
    if (count < 1)
        fail("the count is at least 1");
    /* A deadlock ends the program too. */
    alarm((unsigned)(120 + (double)count * (life + 1)));

    /* From tokens alone: where they rotate, a refresh token used twice would be the end of it. */
    client = from_token(variable("EVRIM_TOKEN"), variable("EVRIM_REFRESH_TOKEN"), 1);
    double started = seconds();
    if (strcmp(mode, "rounds") == 0) {
        rounds = count;
        pthread_barrier_init(&begin, NULL, THREADS + 1);
        pthread_barrier_init(&end, NULL, THREADS + 1);
        run(in_rounds, revoke_before_each_round);
    } else {
        wanted = count;
        run(until_done, nothing);
        /* No token is replaced in the first half of its life. */
        if (seconds() - started < (double)(changes - 1) * life / 2)
            fail("%ld renewals in %.1f s are too many", changes, seconds() - started);
    }
    evrim_free(client);

    if (changes != refreshes)
        fail("%ld refreshes made %ld new tokens", refreshes, changes);
    if (is_sandbox) {
        expect_at_server("/refreshes", changes);
        expect_at_server("/refused_refreshes", 0);
        expect_at_server("/sign_ins", 0);
    }
    printf("%d threads: %ld renewals, %ld requests, no failure in %.1f s\n", THREADS, changes,
           requests, seconds() - started);
    return EXIT_SUCCESS;
}
