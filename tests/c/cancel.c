/* Ends calls from another thread, in every kind of wait. The first argument names the case. */

#include "trial.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

static evrim_client *line;

/* What is promised. A busy machine may keep a thread waiting, so each wait is tried a few times, and of those the
   quickest counts. */
static const double PROMISED_MS = 100;
enum { TRIES = 5, MOST_WAITS = 16 };

static struct {
    char what[128];
    double quickest;
} waits[MOST_WAITS];
static int wait_count;

static void note(const char *what, double milliseconds)
{
    int i = 0;
    printf("%s: ended after %.1f ms\n", what, milliseconds);
    while (i < wait_count && strcmp(waits[i].what, what) != 0) {
        i++;
    }
    if (i == wait_count) {
        CHECK(wait_count < MOST_WAITS);
        snprintf(waits[wait_count].what, sizeof waits[wait_count].what, "%s", what);
        waits[wait_count++].quickest = milliseconds;
    } else if (milliseconds < waits[i].quickest) {
        waits[i].quickest = milliseconds;
    }
}

static bool all_were_prompt(void)
{
    int i;
    for (i = 0; i < wait_count; i++) {
        if (waits[i].quickest >= PROMISED_MS) {
            printf("%s: late\n", waits[i].what);
            return false;
        }
    }
    return true;
}

static void cancel_and_join(struct caller *caller, const char *what)
{
    double begin = now_ms();
    evrim_cancel(caller->client);
    join(caller);
    EXPECT_STATUS(EVRIM_ERROR_CANCELLED, caller->status);
    note(what, caller->ended - begin);
}

/* Cancels a call in the wait that a fault leads to; the next one on the handle is answered. */
static void in_fault(evrim_client *client, enum call call, const char *path, const char *kind,
                     const char *counted)
{
    struct caller caller;
    char what[128];
    long long before = counter(line, counted);
    fault(line, path, kind, 0);
    start(&caller, client, call);
    await_counter(line, counted, before + 1);
    sleep_ms(50);
    snprintf(what, sizeof what, "%s, %s", path, kind);
    cancel_and_join(&caller, what);
    clear_faults(line);
    get_ok(client, "reports/");
}

static void waits_for_the_server(void)
{
    evrim_client *client = sign_in(NULL);
    in_fault(client, GET_REPORTS, "GET /reports/", "silent", "/total");
    in_fault(client, VALIDATE, "POST /token/verify/", "silent", "/total");
    in_fault(client, REFRESH, "POST /token/refresh/", "silent", "/total");
    in_fault(client, SET_TOKEN, "POST /token/", "silent", "/total");
    evrim_free(client);
}

static void in_the_middle_of_a_body(void)
{
    evrim_client *client = sign_in(NULL);
    in_fault(client, GET_REPORTS, "GET /reports/", "drip:1:20ms", "/statuses/200");
    evrim_free(client);
}

static void back_off(void)
{
    evrim_client *client = sign_in(NULL);
    struct caller caller;
    control(line, "POST", "faults",
            "{\"path\": \"GET /reports/\", \"kind\": \"status:503\", "
            "\"headers\": {\"Retry-After\": \"30\"}}");
    start(&caller, client, GET_REPORTS);
    await_counter(line, "/statuses/503", 1);
    sleep_ms(100);
    cancel_and_join(&caller, "back-off");
    CHECK(counter(line, "/statuses/503") == 1);
    clear_faults(line);
    get_ok(client, "reports/");
    evrim_free(client);
}

/* Answers every request on a listener with an empty object. */
static void *answer_all(void *data)
{
    int listener = *(int *)data;
    static const char ANSWER[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                 "Content-Length: 2\r\nConnection: close\r\n\r\n{}";
    for (;;) {
        char request[4096];
        int connection = accept(listener, NULL, NULL);
        if (connection < 0) {
            return NULL;
        }
        /* The head comes in one piece; what filled the backlog has none. */
        if (read(connection, request, sizeof request) > 0) {
            CHECK(write(connection, ANSWER, sizeof ANSWER - 1) == (ssize_t)sizeof ANSWER - 1);
        }
        close(connection);
    }
}

static int listener_on(struct sockaddr_in *address, int backlog)
{
    socklen_t size = sizeof *address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(listener >= 0);
    memset(address, 0, sizeof *address);
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(listener, (struct sockaddr *)address, sizeof *address) == 0);
    CHECK(listen(listener, backlog) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)address, &size) == 0);
    return listener;
}

static evrim_client *client_of(const char *scheme, const char *host,
                               const struct sockaddr_in *address)
{
    char url[64];
    evrim_client *client;
    evrim_error *error;
    evrim_status status;
    evrim_options *options = evrim_options_new();
    snprintf(url, sizeof url, "%s://%s:%d/prod", scheme, host, ntohs(address->sin_port));
    CHECK(evrim_options_set_allow_insecure_http(options, true) == EVRIM_OK);
    CHECK(evrim_options_set_proxy(options, NULL) == EVRIM_OK);
    CHECK(evrim_options_set_validate_on_start(options, false) == EVRIM_OK);
    CHECK(evrim_options_set_connect_timeout_ms(options, 20000) == EVRIM_OK);
    status = evrim_from_token(url, "token", NULL, options, &client, &error);
    EXPECT(EVRIM_OK, status, error);
    evrim_options_free(options);
    return client;
}

static void connects(void)
{
    enum { FILL = 8 };
    struct sockaddr_in address;
    int listener = listener_on(&address, 0);
    int filling[FILL];
    struct caller caller;
    pthread_t server;
    evrim_client *client = client_of("http", "127.0.0.1", &address);
    int i;
    for (i = 0; i < FILL; i++) {
        filling[i] = socket(AF_INET, SOCK_STREAM, 0);
        CHECK(filling[i] >= 0);
        CHECK(fcntl(filling[i], F_SETFL, O_NONBLOCK) == 0);
        (void)connect(filling[i], (struct sockaddr *)&address, sizeof address);
    }
    sleep_ms(100);
    start(&caller, client, GET_REPORTS);
    sleep_ms(400);
    cancel_and_join(&caller, "connect");
    for (i = 0; i < FILL; i++) {
        close(filling[i]);
    }
    CHECK(pthread_create(&server, NULL, answer_all, &listener) == 0);
    get_ok(client, "reports/");
    evrim_free(client);
    /* Wakes the server from accept(). */
    shutdown(listener, SHUT_RDWR);
    CHECK(pthread_join(server, NULL) == 0);
    close(listener);
}

/* The connection is there, and the other side never says a word of TLS. */
static void shakes_hands(void)
{
    struct sockaddr_in address;
    int listener = listener_on(&address, 16), connection;
    struct caller caller;
    char hello;
    evrim_client *client = client_of("https", "127.0.0.1", &address);
    start(&caller, client, GET_REPORTS);
    connection = accept(listener, NULL, NULL);
    CHECK(connection >= 0);
    CHECK(recv(connection, &hello, 1, MSG_PEEK) == 1);
    sleep_ms(50);
    cancel_and_join(&caller, "TLS handshake");
    evrim_free(client);
    close(connection);
    close(listener);
}

/* The driver has getaddrinfo() replaced: of "slow.test" every other look-up takes for ever. */
static void resolves_names(void)
{
    struct sockaddr_in address;
    int listener = listener_on(&address, 16);
    struct caller caller;
    pthread_t server;
    evrim_client *client = client_of("http", "slow.test", &address);
    CHECK(pthread_create(&server, NULL, answer_all, &listener) == 0);
    start(&caller, client, GET_REPORTS);
    sleep_ms(300);
    cancel_and_join(&caller, "name resolution");
    /* The second time the name is found. */
    get_ok(client, "reports/");
    evrim_free(client);
    shutdown(listener, SHUT_RDWR);
    CHECK(pthread_join(server, NULL) == 0);
    close(listener);
}

static evrim_client *clone_of(evrim_client *client)
{
    evrim_client *clone;
    evrim_error *error;
    evrim_status status = evrim_clone(client, NULL, &clone, &error);
    EXPECT(EVRIM_OK, status, error);
    return clone;
}

static void waits_for_anothers_renewal(void)
{
    evrim_client *client = sign_in(NULL);
    evrim_client *clone = clone_of(client);
    struct caller leader, follower;
    fault(line, "POST /token/refresh/", "silent", 1);
    start(&leader, client, REFRESH);
    await_counter(line, "/requests/POST ~1token~1refresh~1", 1);
    start(&follower, clone, REFRESH);
    await_begin(&follower);
    sleep_ms(200);
    CHECK(counter(line, "/requests/POST ~1token~1refresh~1") == 1);
    cancel_and_join(&follower, "waiting for another's renewal");
    CHECK(counter(line, "/running") == 1);
    cancel_and_join(&leader, "renewing");
    get_ok(clone, "reports/");
    get_ok(client, "reports/");
    evrim_free(client);
    evrim_free(clone);
}

static void hands_the_renewal_over(void)
{
    enum { WAITERS = 8 };
    evrim_client *client = sign_in(NULL);
    evrim_client *clone = clone_of(client);
    struct caller leader, waiters[WAITERS];
    int i, kind;
    for (kind = 0; kind < 2; kind++) {
        long long asked = counter(line, "/requests/POST ~1token~1refresh~1");
        long long refreshed = counter(line, "/refreshes");
        fault(line, "POST /token/refresh/", "silent", 1);
        if (kind == 1) {
            /* The same when requests wait for the renewal of a refused token. */
            control(line, "POST", "revoke", NULL);
        }
        start(&leader, clone, kind == 0 ? REFRESH : GET_REPORTS);
        await_counter(line, "/requests/POST ~1token~1refresh~1", asked + 1);
        for (i = 0; i < WAITERS; i++) {
            start(&waiters[i], client, kind == 0 ? REFRESH : GET_REPORTS);
        }
        for (i = 0; i < WAITERS; i++) {
            await_begin(&waiters[i]);
        }
        sleep_ms(300);
        cancel_and_join(&leader, kind == 0 ? "the one that refreshes" : "the one that renews");
        for (i = 0; i < WAITERS; i++) {
            join(&waiters[i]);
            EXPECT_STATUS(EVRIM_OK, waiters[i].status);
        }
        CHECK(counter(line, "/requests/POST ~1token~1refresh~1") == asked + 2);
        CHECK(counter(line, "/refreshes") == refreshed + 1);
    }
    evrim_free(client);
    evrim_free(clone);
}

static void frees_during_calls(void)
{
    enum { THREADS = 16 };
    evrim_client *client = sign_in(NULL);
    struct caller callers[THREADS];
    double begin, last = 0;
    int i;
    long long running;
    fault(line, "*", "silent", 0);
    for (i = 0; i < THREADS; i++) {
        static const enum call CALLS[] = {GET_REPORTS, VALIDATE, REFRESH, SET_TOKEN};
        start(&callers[i], client, CALLS[i % 4]);
    }
    /* Of those that refresh and sign in one is at the server, and the others wait for it. */
    for (running = 0; running < THREADS / 2 + 1; running = counter(line, "/running")) {
        sleep_ms(5);
    }
    for (i = 0; i < THREADS; i++) {
        await_begin(&callers[i]);
    }
    sleep_ms(200);
    begin = now_ms();
    evrim_free(client);
    for (i = 0; i < THREADS; i++) {
        join(&callers[i]);
        EXPECT_STATUS(EVRIM_ERROR_CANCELLED, callers[i].status);
        if (callers[i].ended > last) {
            last = callers[i].ended;
        }
    }
    note("the last of 16 calls of a freed client", last - begin);
    clear_faults(line);
}

static void clones_are_left_alone(void)
{
    evrim_client *client = sign_in(NULL);
    evrim_client *clone = clone_of(client);
    struct caller one, other;
    fault(line, "GET /reports/", "delay:1500ms", 0);
    start(&one, client, GET_REPORTS);
    start(&other, clone, GET_REPORTS);
    await_counter(line, "/running", 2);
    cancel_and_join(&other, "a clone");
    CHECK(__atomic_load_n(&one.status, __ATOMIC_SEQ_CST) == EVRIM_ERROR_INTERNAL);
    join(&one);
    EXPECT_STATUS(EVRIM_OK, one.status);
    /* And the other way round. */
    start(&one, client, GET_REPORTS);
    start(&other, clone, GET_REPORTS);
    await_counter(line, "/running", 2);
    cancel_and_join(&one, "the first handle");
    join(&other);
    EXPECT_STATUS(EVRIM_OK, other.status);
    /* Freeing a clone during its call ends that call alone. */
    start(&one, client, GET_REPORTS);
    start(&other, clone, GET_REPORTS);
    await_counter(line, "/running", 2);
    evrim_free(clone);
    join(&other);
    EXPECT_STATUS(EVRIM_ERROR_CANCELLED, other.status);
    join(&one);
    EXPECT_STATUS(EVRIM_OK, one.status);
    evrim_free(client);
}

static void clones_have_their_own_timeout(void)
{
    evrim_client *client = sign_in(NULL);
    evrim_client *clone;
    evrim_options *options = evrim_options_new();
    evrim_error *error;
    evrim_status status;
    struct caller patient;
    double begin;
    CHECK(evrim_options_set_timeout_ms(options, 150) == EVRIM_OK);
    status = evrim_clone(client, options, &clone, &error);
    EXPECT(EVRIM_OK, status, error);
    evrim_options_free(options);
    fault(line, "GET /reports/", "delay:1s", 0);
    start(&patient, client, GET_REPORTS);
    begin = now_ms();
    status = get(clone, "reports/", &error);
    EXPECT(EVRIM_ERROR_TIMEOUT, status, error);
    printf("a clone with 150 ms: gave up after %.1f ms\n", now_ms() - begin);
    CHECK(now_ms() - begin >= 149);
    join(&patient);
    EXPECT_STATUS(EVRIM_OK, patient.status);
    evrim_free(clone);
    evrim_free(client);
}

static void outlives_the_first_handle(void)
{
    evrim_client *client = sign_in(NULL);
    evrim_client *clone = clone_of(client);
    evrim_client *second = clone_of(clone);
    evrim_error *error;
    evrim_status status;
    char *token = access_token(client), *same;
    evrim_free(client);
    evrim_free(clone);
    same = access_token(second);
    CHECK(strcmp(token, same) == 0);
    evrim_string_free(token);
    evrim_string_free(same);
    get_ok(second, "reports/");
    status = evrim_refresh_token(second, &error);
    EXPECT(EVRIM_OK, status, error);
    /* The password is still there as well. */
    status = evrim_set_token(second, &error);
    EXPECT(EVRIM_OK, status, error);
    evrim_free(second);
}

static void without_a_call(void)
{
    evrim_client *client = sign_in(NULL);
    int i;
    evrim_cancel(NULL);
    for (i = 0; i < 20; i++) {
        evrim_cancel(client);
        evrim_cancel(client);
        get_ok(client, "reports/1/");
    }
    evrim_free(client);
}

static bool is_over;

static void *calls_until_over(void *data)
{
    evrim_client *client = data;
    long done = 0;
    while (!__atomic_load_n(&is_over, __ATOMIC_SEQ_CST)) {
        evrim_error *error;
        evrim_status status = make_call(client, done % 7 == 0 ? REFRESH : GET_REPORTS, &error);
        if (status != EVRIM_ERROR_CANCELLED) {
            EXPECT(EVRIM_OK, status, error);
        } else {
            evrim_error_free(error);
        }
        done++;
    }
    return (void *)done;
}

/* At every moment of a call: it is answered or cancelled, and nothing else. */
static void copied_options_keep_the_rest(void)
{
    evrim_options *options = evrim_options_new(), *copy = NULL;
    evrim_client *client, *clone = NULL;
    evrim_response *response = NULL;
    evrim_error *error = NULL;
    const char *agent;
    CHECK(evrim_options_set_user_agent(options, "copied/1") == EVRIM_OK);
    client = sign_in(options);
    evrim_options_free(options);
    EXPECT_STATUS(EVRIM_OK, evrim_copy_options(client, &copy, &error));
    CHECK(evrim_options_set_timeout_ms(copy, 7000) == EVRIM_OK);
    EXPECT_STATUS(EVRIM_OK, evrim_clone(client, copy, &clone, &error));
    evrim_options_free(copy);
    EXPECT_STATUS(EVRIM_OK, evrim_request(clone, "GET", "echo/", NULL, 0, &response, &error));
    agent = evrim_response_string(response, "/headers/user-agent");
    CHECK(agent != NULL && strncmp(agent, "copied/1 libevrim/", 18) == 0);
    evrim_response_free(response);
    evrim_free(clone);
    evrim_free(client);
}

static void after_a_close(void)
{
    evrim_client *client = sign_in(NULL);
    evrim_client *clone = clone_of(client);
    struct caller caller;
    evrim_response *response;
    evrim_error *error;
    char *access, *refresh;
    int64_t end;
    evrim_close(NULL);
    fault(line, "GET /reports/", "silent", 1);
    start(&caller, clone, GET_REPORTS);
    await_counter(line, "/running", 1);
    evrim_close(clone);
    join(&caller);
    EXPECT_STATUS(EVRIM_ERROR_CANCELLED, caller.status);
    EXPECT_STATUS(EVRIM_ERROR_CANCELLED,
                  evrim_request(clone, "GET", "reports/", NULL, 0, &response, &error));
    CHECK(response == NULL && !evrim_error_may_have_been_sent(error));
    evrim_error_free(error);
    EXPECT_STATUS(EVRIM_ERROR_CANCELLED, evrim_set_token(clone, NULL));
    EXPECT_STATUS(EVRIM_OK, evrim_copy_tokens(clone, &access, &refresh, &end, &error));
    CHECK(access != NULL && refresh != NULL && end == evrim_token_expires_at(client));
    evrim_string_free(access);
    evrim_string_free(refresh);
    get_ok(client, "reports/1/");
    evrim_free(clone);
    evrim_free(client);
}

static void at_any_moment(void)
{
    enum { THREADS = 6 };
    evrim_client *client = sign_in(NULL);
    evrim_client *clone = clone_of(client);
    pthread_t threads[THREADS];
    double end = now_ms() + 2500;
    long done = 0;
    int i, cancels = 0;
    for (i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&threads[i], NULL, calls_until_over, i % 2 ? client : clone) == 0);
    }
    while (now_ms() < end) {
        struct timespec pause = {0, (cancels * 7919L) % 3000000L};
        nanosleep(&pause, NULL);
        evrim_cancel(cancels++ % 2 ? client : clone);
    }
    __atomic_store_n(&is_over, true, __ATOMIC_SEQ_CST);
    for (i = 0; i < THREADS; i++) {
        void *count;
        CHECK(pthread_join(threads[i], &count) == 0);
        done += (long)count;
    }
    printf("%ld calls, %d cancels\n", done, cancels);
    get_ok(client, "reports/");
    evrim_free(client);
    evrim_free(clone);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } CASES[] = {
        {"server", waits_for_the_server},
        {"body", in_the_middle_of_a_body},
        {"back-off", back_off},
        {"connect", connects},
        {"handshake", shakes_hands},
        {"name", resolves_names},
        {"renewal", waits_for_anothers_renewal},
        {"hand-over", hands_the_renewal_over},
        {"free", frees_during_calls},
        {"clones", clones_are_left_alone},
        {"timeout", clones_have_their_own_timeout},
        {"outlives", outlives_the_first_handle},
        {"idle", without_a_call},
        {"options", copied_options_keep_the_rest},
        {"closed", after_a_close},
        {"any-moment", at_any_moment},
    };
    size_t i;
    int try;
    CHECK(argc == 2);
    limit_time();
    line = control_line();
    for (i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        if (strcmp(CASES[i].name, argv[1]) != 0) {
            continue;
        }
        for (try = 0; try < TRIES; try++) {
            CASES[i].run();
            /* Valgrind makes everything slow. */
            if (all_were_prompt() || getenv("EVRIM_TEST_SLOW") != NULL) {
                evrim_free(line);
                return 0;
            }
            clear_faults(line);
            control(line, "DELETE", "counters", NULL);
        }
        fprintf(stderr, "%s: not within %.0f ms in %d tries\n", argv[1], PROMISED_MS, TRIES);
        return 1;
    }
    return 2;
}
