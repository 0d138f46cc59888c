/* Clients and forked children. The argument names the case. */

#define _GNU_SOURCE /* for unshare() */
#include "trial.h"

#include <sched.h>
#include <sys/types.h>
#include <sys/wait.h>

enum { CHILD_SECONDS = 20 };

static evrim_client *line;

/* Waits for a child, which must have ended well. */
static void await_child(pid_t child)
{
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "a child ended badly: %s %d\n", WIFSIGNALED(status) ? "signal" : "exit",
                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        exit(1);
    }
}

static pid_t fork_with_watchdog(void)
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(CHILD_SECONDS);
    }
    return child;
}

static void refresh_ok(evrim_client *client)
{
    evrim_error *error;
    evrim_status status = evrim_refresh_token(client, &error);
    EXPECT(EVRIM_OK, status, error);
}

/* What a child may do with what it inherited. */
static void use(evrim_client *client)
{
    evrim_client *clone, *fresh;
    evrim_error *error;
    evrim_status status;
    bool valid;
    get_ok(client, "reports/");
    status = evrim_validate_token(client, &valid, &error);
    EXPECT(EVRIM_OK, status, error);
    CHECK(valid);
    refresh_ok(client);
    status = evrim_set_token(client, &error);
    EXPECT(EVRIM_OK, status, error);
    status = evrim_clone(client, NULL, &clone, &error);
    EXPECT(EVRIM_OK, status, error);
    fresh = sign_in(NULL);
    get_ok(fresh, "reports/1/");
    evrim_free(fresh);
    get_ok(clone, "reports/1/");
    evrim_free(client);
    get_ok(clone, "reports/1/");
    evrim_free(clone);
}

static void inherits(void)
{
    evrim_client *client = sign_in(NULL);
    pid_t child;
    get_ok(client, "reports/");
    child = fork_with_watchdog();
    if (child == 0) {
        use(client);
        _exit(0);
    }
    await_child(child);
    get_ok(client, "reports/");
    /* A child that does nothing but free it. */
    child = fork_with_watchdog();
    if (child == 0) {
        evrim_free(client);
        exit(0);
    }
    await_child(child);
    get_ok(client, "reports/");
    /* And one that leaves it alone. */
    child = fork_with_watchdog();
    if (child == 0) {
        evrim_client *fresh = sign_in(NULL);
        get_ok(fresh, "reports/");
        evrim_free(fresh);
        exit(0);
    }
    await_child(child);
    evrim_free(client);
}

static void keeps_connections(void)
{
    evrim_client *client = sign_in(NULL);
    long long before, after;
    pid_t child;
    int i;
    get_ok(client, "reports/1/");
    before = counter(line, "/connections");
    for (i = 0; i < 5; i++) {
        child = fork_with_watchdog();
        if (child == 0) {
            get_ok(client, "reports/1/");
            evrim_free(client);
            _exit(0);
        }
        await_child(child);
        get_ok(client, "reports/1/");
        get_ok(client, "reports/1/");
    }
    after = counter(line, "/connections");
    /* One for each child, and none for the parent. */
    printf("5 children made %lld connections\n", after - before);
    CHECK(after - before == 5);
    evrim_free(client);
}

/* In a namespace of its own a child may have its parent's number, and is another process all the same. */
static void same_number(void)
{
    pid_t outer, inner;
    outer = fork_with_watchdog();
    if (outer == 0) {
        long long before;
        evrim_client *client;
        if (unshare(CLONE_NEWPID) != 0) {
            printf("skipped: only root can make a namespace\n");
            fflush(stdout);
            _exit(0);
        }
        outer = fork_with_watchdog();
        if (outer != 0) {
            await_child(outer);
            _exit(0);
        }
        CHECK(getpid() == 1);
        line = control_line();
        client = sign_in(NULL);
        get_ok(client, "reports/1/");
        before = counter(line, "/connections");
        CHECK(unshare(CLONE_NEWPID) == 0);
        inner = fork_with_watchdog();
        if (inner == 0) {
            CHECK(getpid() == 1);
            get_ok(client, "reports/1/");
            evrim_free(client);
            _exit(0);
        }
        await_child(inner);
        get_ok(client, "reports/1/");
        CHECK(counter(line, "/connections") - before == 1);
        evrim_free(client);
        evrim_free(line);
        _exit(0);
    }
    await_child(outer);
}

static void grandchild(void)
{
    evrim_client *client = sign_in(NULL);
    pid_t child;
    get_ok(client, "reports/");
    child = fork_with_watchdog();
    if (child == 0) {
        pid_t inner;
        get_ok(client, "reports/");
        inner = fork_with_watchdog();
        if (inner == 0) {
            use(client);
            _exit(0);
        }
        await_child(inner);
        get_ok(client, "reports/");
        /* One whose parent made no call after the fork. */
        inner = fork_with_watchdog();
        if (inner == 0) {
            pid_t last = fork_with_watchdog();
            if (last == 0) {
                use(client);
                _exit(0);
            }
            await_child(last);
            _exit(0);
        }
        await_child(inner);
        evrim_free(client);
        _exit(0);
    }
    await_child(child);
    get_ok(client, "reports/");
    evrim_free(client);
}

static void options_and_responses(void)
{
    evrim_client *client = sign_in(NULL);
    evrim_options *options = evrim_options_new();
    evrim_response *response;
    evrim_error *error, *failure;
    evrim_status status;
    pid_t child;
    CHECK(evrim_options_set_header(options, "X-Trial", "inherited") == EVRIM_OK);
    status = evrim_request(client, "GET", "reports/1/", NULL, 0, &response, &error);
    EXPECT(EVRIM_OK, status, error);
    status = get(client, "reports/999/", &failure);
    EXPECT_STATUS(EVRIM_ERROR_NOT_FOUND, status);
    child = fork_with_watchdog();
    if (child == 0) {
        evrim_client *fresh;
        evrim_response *echo;
        const char *text;
        CHECK(evrim_response_status(response) == 200);
        CHECK(evrim_response_string(response, "/report/title") != NULL);
        CHECK(evrim_error_http_status(failure) == 404);
        CHECK(evrim_options_set_timeout_ms(options, 10000) == EVRIM_OK);
        fresh = sign_in(options);
        status = evrim_request(fresh, "GET", "echo/", NULL, 0, &echo, &error);
        EXPECT(EVRIM_OK, status, error);
        text = evrim_response_string(echo, "/headers/x-trial");
        CHECK(text != NULL && strcmp(text, "inherited") == 0);
        evrim_response_free(echo);
        evrim_response_free(response);
        evrim_error_free(failure);
        evrim_options_free(options);
        evrim_free(fresh);
        evrim_free(client);
        _exit(0);
    }
    await_child(child);
    CHECK(evrim_response_string(response, "/report/title") != NULL);
    evrim_response_free(response);
    evrim_error_free(failure);
    evrim_options_free(options);
    evrim_free(client);
}

static volatile int is_over;

struct worker {
    pthread_t thread;
    evrim_client *client;
    int number;
    long calls;
};

static void *work(void *data)
{
    struct worker *worker = data;
    while (!is_over) {
        evrim_error *error;
        static const enum call CALLS[] = {VALIDATE, REFRESH, VALIDATE, REFRESH, GET_REPORTS,
                                          SET_TOKEN};
        evrim_status status = make_call(
            worker->client, CALLS[(worker->calls + worker->number) % 6], &error);
        EXPECT(EVRIM_OK, status, error);
        worker->calls++;
        /* Leaves the processors to the children now and then. */
        sleep_ms(4);
    }
    return NULL;
}

static void during_calls(void)
{
    enum { THREADS = 8 };
    const int FORKS = atoi(variable("FORKS"));
    evrim_client *client = sign_in(NULL);
    struct worker workers[THREADS];
    double begin = now_ms(), slowest = 0;
    long calls = 0;
    int i;
    for (i = 0; i < THREADS; i++) {
        workers[i].client = client;
        workers[i].number = i;
        workers[i].calls = 0;
        CHECK(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
    }
    for (i = 0; i < FORKS; i++) {
        double start_of_child = now_ms();
        pid_t child = fork_with_watchdog();
        if (child == 0) {
            switch (i % 4) {
            case 0:
                get_ok(client, "reports/1/");
                evrim_free(client);
                break;
            case 1:
                refresh_ok(client);
                break;
            case 2: {
                evrim_client *fresh = sign_in(NULL);
                get_ok(fresh, "reports/1/");
                evrim_free(fresh);
                evrim_free(client);
                break;
            }
            default:
                evrim_cancel(client);
                get_ok(client, "reports/1/");
            }
            _exit(0);
        }
        await_child(child);
        if (now_ms() - start_of_child > slowest) {
            slowest = now_ms() - start_of_child;
        }
    }
    is_over = 1;
    for (i = 0; i < THREADS; i++) {
        CHECK(pthread_join(workers[i].thread, NULL) == 0);
        calls += workers[i].calls;
    }
    printf("%d forks during %ld calls in %.0f ms; the slowest child took %.0f ms\n", FORKS, calls,
           now_ms() - begin, slowest);
    get_ok(client, "reports/");
    evrim_free(client);
}

static pid_t parent;
static volatile int forks_left;

static void fork_once(void)
{
    /* Only the first of the threads that come here. */
    if (__atomic_fetch_sub(&forks_left, 1, __ATOMIC_SEQ_CST) > 0) {
        pid_t child = fork_with_watchdog();
        if (child > 0) {
            await_child(child);
        } else {
            forks_left = 0;
        }
    }
}

static void log_forks(void *data, int32_t level, const char *subject, const char *message)
{
    (void)data;
    (void)level;
    (void)subject;
    (void)message;
    fork_once();
}

static void token_forks(void *data, const char *access, const char *refresh, int64_t expires_at)
{
    (void)data;
    (void)access;
    (void)refresh;
    (void)expires_at;
    fork_once();
}

/* The call that led to the callback is the parent's; in the child it has ended. */
static void end_of_call(evrim_client *client, evrim_status status, evrim_error *error)
{
    if (getpid() == parent) {
        EXPECT(EVRIM_OK, status, error);
        return;
    }
    EXPECT(EVRIM_ERROR_CANCELLED, status, error);
    get_ok(client, "reports/1/");
    refresh_ok(client);
    evrim_free(client);
    _exit(0);
}

static void in_a_callback(void)
{
    evrim_options *options = evrim_options_new();
    evrim_client *client;
    evrim_error *error;
    evrim_status status;
    parent = getpid();
    CHECK(evrim_options_set_log_callback(options, EVRIM_LOG_DEBUG, log_forks, NULL, NULL) ==
          EVRIM_OK);
    CHECK(evrim_options_set_token_callback(options, token_forks, NULL, NULL) == EVRIM_OK);
    client = sign_in(options);
    evrim_options_free(options);
    forks_left = 1;
    status = get(client, "reports/", &error);
    end_of_call(client, status, error);
    forks_left = 3;
    status = evrim_refresh_token(client, &error);
    end_of_call(client, status, error);
    get_ok(client, "reports/");

    /* Between two tries of a renewal, which the parent goes on with. */
    fault(line, "POST /token/refresh/", "status:503", 1);
    forks_left = 1;
    status = evrim_refresh_token(client, &error);
    end_of_call(client, status, error);
    evrim_free(client);
}

static void *work_with_forks(void *data)
{
    struct worker *worker = data;
    while (!is_over) {
        evrim_error *error;
        evrim_status status =
            make_call(worker->client, worker->calls % 3 == 0 ? REFRESH : GET_REPORTS, &error);
        end_of_call(worker->client, status, error);
        worker->calls++;
    }
    return NULL;
}

static void in_callbacks_of_many_threads(void)
{
    enum { THREADS = 6, FORKS = 60 };
    evrim_options *options = evrim_options_new();
    evrim_client *client;
    struct worker workers[THREADS];
    double end = now_ms() + 20000;
    int i;
    parent = getpid();
    CHECK(evrim_options_set_log_callback(options, EVRIM_LOG_DEBUG, log_forks, NULL, NULL) ==
          EVRIM_OK);
    CHECK(evrim_options_set_token_callback(options, token_forks, NULL, NULL) == EVRIM_OK);
    client = sign_in(options);
    evrim_options_free(options);
    forks_left = FORKS;
    for (i = 0; i < THREADS; i++) {
        workers[i].client = client;
        workers[i].calls = 0;
        CHECK(pthread_create(&workers[i].thread, NULL, work_with_forks, &workers[i]) == 0);
    }
    while (forks_left > 0 && now_ms() < end) {
        sleep_ms(10);
    }
    is_over = 1;
    for (i = 0; i < THREADS; i++) {
        CHECK(pthread_join(workers[i].thread, NULL) == 0);
    }
    CHECK(forks_left <= 0);
    get_ok(client, "reports/");
    evrim_free(client);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } CASES[] = {
        {"inherits", inherits},
        {"connections", keeps_connections},
        {"grandchild", grandchild},
        {"same_number", same_number},
        {"options", options_and_responses},
        {"calls", during_calls},
        {"callback", in_a_callback},
        {"callbacks", in_callbacks_of_many_threads},
    };
    size_t i;
    CHECK(argc == 2);
    limit_time();
    line = control_line();
    for (i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        if (strcmp(CASES[i].name, argv[1]) == 0) {
            CASES[i].run();
            evrim_free(line);
            return 0;
        }
    }
    return 2;
}
