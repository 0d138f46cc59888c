/*
 * One process, eight threads on one client and its clones, a token that lives two seconds, and a server on
 * which everything goes wrong at random, for as long as it is told. The server is the judge.
 *
 *     sandbox --tls --access-lifetime 2 --pending 1 -- soak SECONDS FOLDER [SEED]
 *
 * What is promised: no call takes longer than its limit; a failure is one of those that the faults explain;
 * what is posted is never done twice, is done if the call succeeded, and is not done if the error says that
 * it was not sent; no session is lost; and threads, descriptors and memory stay as they are.
 *
 * PLANT=leak keeps an answer now and then, and PLANT=twice posts one thing twice: both must be noticed.
 */
#include "trial.h"

#include <dirent.h>
#include <malloc.h>
#include <stdint.h>

enum {
    THREADS = 8,
    TOTAL_MS = 3000,
    TASK_MS = 2500,
    BLOB = 300000,
    HUGE = 2 << 20,
    BOMB = 8 << 20,
    /* What a busy machine adds; a call that hangs takes longer. */
    SLACK_MS = 15000,
    MOST_POSTS = 1 << 20,
    /* Kept connections come and go. */
    DESCRIPTORS = 24,
    /* A kept connection keeps its buffers. */
    HEAP_KIB = 4096,
    RESIDENT_KIB = 4096,
    LEFT_KIB = 512
};

enum action {
    ITEM,
    LIST,
    ECHO,
    POST,
    WAIT,
    CHECK_TOKEN,
    RENEW,
    SIGN_IN,
    SAVE,
    STREAM,
    PAGES,
    CLONE,
    ACTIONS
};
static const char *const NAMES[ACTIONS] = {"item",    "list",    "echo", "post",   "wait",  "validate",
                                           "refresh", "sign in", "save", "stream", "pages", "clone"};

/* Whether a post was done, as its call said, and as the server has it. */
enum { UNKNOWN = 1, DONE = 2, NOT_SENT = 3, SEEN = 4 };
static unsigned char posts[MOST_POSTS];
static long posted;

struct worker {
    pthread_t thread;
    int number;
    uint64_t random;
    /* For whoever watches: the call that is running, since when, and how long it may take. */
    double since;
    double limit;
    int doing;
    double slowest[ACTIONS];
    /* Cancelled by others at any moment; under the lock. */
    evrim_client *clone;
    bool was_cancelled;
};

static evrim_client *client, *line;
static struct worker workers[THREADS];
/* A task that the server has from the start. */
static char task_id[64];
static const char *folder, *plant;
static double begin_ms;
static long outcomes[ACTIONS][64];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t change = PTHREAD_COND_INITIALIZER;
static bool is_resting, is_over;
static int at_rest;

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static int below(uint64_t *state, int limit)
{
    return (int)(next_random(state) % (uint64_t)limit);
}

static void fail(const char *what)
{
    fprintf(stderr, "soak: after %.0f s: %s\n", (now_ms() - begin_ms) / 1000, what);
    exit(1);
}

/* ---- the calls */

static evrim_options *short_options(void)
{
    evrim_options *options = evrim_options_new();
    CHECK(evrim_options_set_connect_timeout_ms(options, 1000) == EVRIM_OK);
    CHECK(evrim_options_set_timeout_ms(options, 800) == EVRIM_OK);
    CHECK(evrim_options_set_total_timeout_ms(options, TOTAL_MS) == EVRIM_OK);
    CHECK(evrim_options_set_max_body_size(options, 512 << 10) == EVRIM_OK);
    return options;
}

static bool is_expected(struct worker *worker, enum action action, evrim_status status)
{
    switch (status) {
    case EVRIM_OK:
    case EVRIM_ERROR_NETWORK:
    case EVRIM_ERROR_TIMEOUT:
    case EVRIM_ERROR_PROTOCOL:
    case EVRIM_ERROR_REDIRECT:
    case EVRIM_ERROR_TOO_LARGE:
    case EVRIM_ERROR_RATE_LIMITED:
    case EVRIM_ERROR_SERVER:
        return true;
    /* A refresh token whose successor was lost on its way. */
    case EVRIM_ERROR_AUTHENTICATION:
        return action == RENEW;
    case EVRIM_ERROR_CANCELLED:
        return worker->was_cancelled;
    default:
        return false;
    }
}

static void note_outcome(struct worker *worker, enum action action, evrim_status status,
                         evrim_error *error)
{
    pthread_mutex_lock(&lock);
    if (!is_expected(worker, action, status)) {
        fprintf(stderr, "soak: %s: %s: %s\n", NAMES[action], evrim_status_name((int32_t)status),
                evrim_error_message(error));
        fail("a status that no fault explains");
    }
    outcomes[action][status]++;
    pthread_mutex_unlock(&lock);
    CHECK((status == EVRIM_OK) == (error == NULL));
    CHECK(evrim_error_status(error) == status);
}

static bool count_bytes(void *data, const uint8_t *bytes, size_t len)
{
    (void)bytes;
    *(uint64_t *)data += len;
    return true;
}

static void post(struct worker *worker, evrim_client *handle)
{
    char title[32];
    long number = __atomic_fetch_add(&posted, 1, __ATOMIC_SEQ_CST);
    bool again = plant != NULL && strcmp(plant, "twice") == 0 && number % 100 == 99;
    CHECK(number < MOST_POSTS);
    snprintf(title, sizeof title, "<%ld>", number);
    do {
        evrim_response *task = NULL;
        evrim_error *error = NULL;
        unsigned char known = UNKNOWN;
        evrim_status status = evrim_submit_research(handle, "https://example.org/", title, "Soak", NULL,
                                                    NULL, NULL, &task, &error);
        note_outcome(worker, POST, status, error);
        if (status == EVRIM_OK) {
            if (evrim_response_string(task, "/task_id") == NULL) {
                fail("a task without an id");
            }
            known = DONE;
        } else if (!evrim_error_may_have_been_sent(error)) {
            known = NOT_SENT;
        }
        pthread_mutex_lock(&lock);
        posts[number] = known;
        pthread_mutex_unlock(&lock);
        evrim_response_free(task);
        evrim_error_free(error);
    } while (again && !(again = false));
}

static void pages(struct worker *worker, evrim_client *handle)
{
    evrim_response *page = NULL, *next;
    evrim_error *error = NULL;
    evrim_status status =
        evrim_request(handle, "GET", "v0/reports/", NULL, 0, &page, &error);
    note_outcome(worker, PAGES, status, error);
    while (status == EVRIM_OK && page != NULL) {
        double begin = now_ms();
        __atomic_store(&worker->since, &begin, __ATOMIC_SEQ_CST);
        status = evrim_next_page(handle, page, &next, &error);
        note_outcome(worker, PAGES, status, error);
        evrim_response_free(page);
        page = next;
    }
    evrim_error_free(error);
}

static void make(struct worker *worker, evrim_client *handle, enum action action)
{
    evrim_response *response = NULL;
    evrim_error *error = NULL;
    evrim_status status = EVRIM_OK;
    uint64_t streamed = 0;
    char path[512];
    bool valid;
    double begin = now_ms(), took, none = 0;

    worker->doing = (int)action;
    worker->limit = action == SAVE || action == STREAM ? TOTAL_MS * (2 + BLOB / 65536) : TOTAL_MS;
    __atomic_store(&worker->since, &begin, __ATOMIC_SEQ_CST);
    switch (action) {
    case ITEM:
        snprintf(path, sizeof path, "reports/%d/", 1 + below(&worker->random, 3));
        status = evrim_request(handle, "GET", path, NULL, 0, &response, &error);
        break;
    case LIST:
        status = evrim_get_sections(handle, &response, &error);
        if (status == EVRIM_OK && evrim_response_count(response, "") == 0) {
            fail("an empty list");
        }
        break;
    case ECHO:
        status = evrim_request(handle, "PUT", "echo/", "{\"a\": [1, 2, 3]}", 16, &response, &error);
        break;
    case POST:
        post(worker, handle);
        break;
    case WAIT:
        status = evrim_wait_for_task(handle, task_id, TASK_MS, NULL, NULL, &response, &error);
        break;
    case CHECK_TOKEN:
        status = evrim_validate_token(handle, &valid, &error);
        break;
    case RENEW:
        status = evrim_refresh_token(handle, &error);
        break;
    case SIGN_IN:
        status = evrim_set_token(handle, &error);
        break;
    case SAVE:
        snprintf(path, sizeof path, "%s/%d", folder, worker->number);
        status = evrim_download(handle, "generate/1/pdf/", path, NULL, NULL, NULL, &error);
        break;
    case STREAM:
        snprintf(path, sizeof path, "blob/%d/", BLOB);
        status = evrim_download_to(handle, path, count_bytes, NULL, &streamed, &error);
        /* What a fault sent with a 200 counts as the file. */
        if (status == EVRIM_OK && streamed > BLOB && streamed != HUGE && streamed != BOMB) {
            fprintf(stderr, "soak: %llu bytes\n", (unsigned long long)streamed);
            fail("more came than there was");
        }
        break;
    case PAGES:
        pages(worker, handle);
        break;
    case CLONE:
    case ACTIONS:
        break;
    }
    if (action != POST && action != PAGES) {
        note_outcome(worker, action, status, error);
    }
    /* Of a list of pages, the last. */
    took = now_ms() - worker->since;
    if (took > worker->slowest[action]) {
        worker->slowest[action] = took;
    }
    if (took > worker->limit + SLACK_MS) {
        fail("a call that took too long");
    }
    __atomic_store(&worker->since, &none, __ATOMIC_SEQ_CST);
    if (plant == NULL || strcmp(plant, "leak") != 0 || below(&worker->random, 4) != 0) {
        evrim_response_free(response);
    }
    evrim_error_free(error);
}

/* A clone that anyone may cancel while it is used. */
static void use_a_clone(struct worker *worker)
{
    evrim_client *clone = NULL;
    evrim_error *error = NULL;
    int calls;
    evrim_status status = evrim_clone(client, NULL, &clone, &error);
    note_outcome(worker, CLONE, status, error);
    pthread_mutex_lock(&lock);
    worker->clone = clone;
    worker->was_cancelled = false;
    pthread_mutex_unlock(&lock);
    for (calls = 1 + below(&worker->random, 3); calls > 0; calls--) {
        make(worker, clone, (enum action)below(&worker->random, CLONE));
    }
    pthread_mutex_lock(&lock);
    worker->clone = NULL;
    worker->was_cancelled = false;
    pthread_mutex_unlock(&lock);
    evrim_free(clone);
}

static void rest_if_asked(void)
{
    pthread_mutex_lock(&lock);
    while (is_resting) {
        at_rest++;
        pthread_cond_broadcast(&change);
        pthread_cond_wait(&change, &lock);
        at_rest--;
    }
    pthread_mutex_unlock(&lock);
}

static void *work(void *data)
{
    struct worker *worker = data;
    while (!__atomic_load_n(&is_over, __ATOMIC_SEQ_CST)) {
        /* Requests most often; the rest now and then. */
        int choice = below(&worker->random, 2 * ACTIONS);
        rest_if_asked();
        if (choice == CLONE) {
            use_a_clone(worker);
        } else {
            make(worker, client, choice < CLONE ? (enum action)choice : (enum action)(choice % 4));
        }
        sleep_ms(60 + below(&worker->random, 120));
    }
    return NULL;
}

/* ---- the server's moods */

static const char *const KINDS[] = {
    "status:500",     "status:502",        "status:503",     "throttle:1",
    "throttle:90",    "delay:50ms",        "delay:400ms",    "delay:1s",
    "silent",         "cut",               "lost",           "reset",
    "truncate:0",     "truncate:100",      "truncate:5000",  "html",
    "empty",          "garbage",           "huge:2m",        "huge:2m:chunked",
    "gzip-bomb:8m",   "drip:40:5ms",       "drip:7:300ms",   "length:99999",
    "length:3",       "raw:SSH-2.0-no\\r\\n\\r\\n",  "close", "redirect:307:https://elsewhere.invalid/",
    "redirect:302:",  "raw:HTTP/1.1 200 OK\\r\\nContent-Length: 50\\r\\n\\r\\n{",
};
static const char *const PATHS[] = {
    "*", "*", "*", "*", "*", "POST /token/refresh/", "POST /token/", "POST /token/verify/", "POST /research/",
    "GET /reports/*", "GET /blob/*", "GET /generate/*", "GET /v0/*", "/tasks/*",
};

static void add_fault(uint64_t *random)
{
    char body[256];
    const char *path = PATHS[below(random, (int)(sizeof PATHS / sizeof *PATHS))];
    const char *kind = KINDS[below(random, (int)(sizeof KINDS / sizeof *KINDS))];
    char escaped[128];
    size_t from, to = 0;
    /* A backslash of its own in JSON. */
    for (from = 0; kind[from] != 0; from++) {
        if (kind[from] == '\\') {
            escaped[to++] = '\\';
        }
        escaped[to++] = kind[from];
    }
    escaped[to] = 0;
    snprintf(body, sizeof body, "{\"path\": \"%s\", \"kind\": \"%s\", \"every\": %d}", path, escaped,
             1 + below(random, 4));
    control(line, "POST", "faults", body);
}

static void *change_moods(void *data)
{
    uint64_t random = *(uint64_t *)data;
    double revoked = now_ms(), rotation = revoked;
    bool rotates = false;
    while (!__atomic_load_n(&is_over, __ATOMIC_SEQ_CST)) {
        int faults = below(&random, 4), i;
        clear_faults(line);
        for (i = 0; i < faults; i++) {
            add_fault(&random);
        }
        if (below(&random, 20) == 0) {
            control(line, "POST", "drop", NULL);
            /* Its own connection too: the next post is to find another. */
            sleep_ms(100);
            (void)counter(line, "/total");
        }
        /* Never twice in one call. */
        if (now_ms() - revoked > 2 * (TOTAL_MS + SLACK_MS)) {
            control(line, "POST", "revoke", NULL);
            revoked = now_ms();
        }
        if (now_ms() - rotation > 10000) {
            rotates = !rotates;
            control(line, "POST", "rotate", rotates ? "{\"on\": true}" : "{\"on\": false}");
            rotation = now_ms();
        }
        for (i = 0; i < 5; i++) {
            struct worker *worker = &workers[below(&random, THREADS)];
            sleep_ms(20 + below(&random, 60));
            pthread_mutex_lock(&lock);
            if (worker->clone != NULL) {
                worker->was_cancelled = true;
                evrim_cancel(worker->clone);
            }
            pthread_mutex_unlock(&lock);
        }
    }
    clear_faults(line);
    return NULL;
}

/* ---- the judge */

static void judge_posts(void)
{
    char pointer[32];
    const char *body;
    evrim_response *counters = NULL;
    evrim_error *error = NULL;
    long i, number;
    evrim_status status =
        evrim_request(line, "DELETE", "sandbox/counters", NULL, 0, &counters, &error);
    EXPECT(EVRIM_OK, status, error);
    for (i = 0;; i++) {
        snprintf(pointer, sizeof pointer, "/research/%ld", i);
        body = evrim_response_string(counters, pointer);
        if (body == NULL) {
            break;
        }
        body = strchr(body, '<');
        CHECK(body != NULL);
        number = strtol(body + 1, NULL, 10);
        CHECK(number >= 0 && number < posted);
        if (posts[number] & SEEN) {
            fail("a post was done twice");
        }
        if (posts[number] == NOT_SENT) {
            fail("a post was done of which the error says that it was not sent");
        }
        posts[number] |= SEEN;
    }
    for (number = 0; number < posted; number++) {
        if (posts[number] == DONE) {
            fail("a post was not done, though its call succeeded");
        }
    }
    {
        static const char *const TOTALS[] = {"/total",  "/connections",       "/faults", "/sign_ins",
                                             "/refreshes", "/refused_refreshes"};
        static long long sums[sizeof TOTALS / sizeof *TOTALS];
        int64_t value;
        size_t at;
        CHECK(evrim_response_int(counters, "/refused_sign_ins", &value) && value == 0);
        printf("      the server so far:");
        for (at = 0; at < sizeof TOTALS / sizeof *TOTALS; at++) {
            CHECK(evrim_response_int(counters, TOTALS[at], &value));
            sums[at] += value;
            printf(" %s %lld", TOTALS[at] + 1, sums[at]);
        }
        printf("\n");
    }
    evrim_response_free(counters);
}

struct state {
    long threads;
    long descriptors;
    long heap_kib;
    /* Before and after the allocator has given back what is free. */
    long with_free_kib;
    long resident_kib;
};

static long entries(const char *path)
{
    long count = 0;
    DIR *open = opendir(path);
    CHECK(open != NULL);
    while (readdir(open) != NULL) {
        count++;
    }
    closedir(open);
    return count - 2;
}

static long resident_kib(void)
{
    long pages = 0, all = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file != NULL);
    CHECK(fscanf(file, "%ld %ld", &all, &pages) == 2);
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static struct state measure(void)
{
    struct state state;
    state.with_free_kib = resident_kib();
    malloc_trim(0);
    state.resident_kib = resident_kib();
    state.threads = entries("/proc/self/task");
    /* Without that of the folder itself. */
    state.descriptors = entries("/proc/self/fd") - 1;
    {
        struct mallinfo2 heap = mallinfo2();
        state.heap_kib = (long)((heap.uordblks + heap.hblkhd) / 1024);
    }
    return state;
}

static void show(const char *when, struct state state)
{
    printf("%5.0f s %s: %ld threads, %ld descriptors, %ld KiB of heap, %ld KiB resident, %ld before what is "
           "free was given back\n",
           (now_ms() - begin_ms) / 1000, when, state.threads, state.descriptors, state.heap_kib,
           state.resident_kib, state.with_free_kib);
    fflush(stdout);
}

/* Between two calls of every thread. */
static struct state at_a_rest(void)
{
    struct state state;
    pthread_mutex_lock(&lock);
    is_resting = true;
    while (at_rest < THREADS) {
        struct timespec soon;
        clock_gettime(CLOCK_REALTIME, &soon);
        soon.tv_sec += 1;
        pthread_cond_timedwait(&change, &lock, &soon);
    }
    pthread_mutex_unlock(&lock);
    state = measure();
    show("at rest", state);
    judge_posts();
    pthread_mutex_lock(&lock);
    is_resting = false;
    pthread_cond_broadcast(&change);
    pthread_mutex_unlock(&lock);
    return state;
}

static void *watch(void *unused)
{
    (void)unused;
    while (!__atomic_load_n(&is_over, __ATOMIC_SEQ_CST)) {
        int i;
        for (i = 0; i < THREADS; i++) {
            double since;
            __atomic_load(&workers[i].since, &since, __ATOMIC_SEQ_CST);
            if (since > 0 && now_ms() - since > workers[i].limit + SLACK_MS) {
                fprintf(stderr, "soak: %s\n", NAMES[workers[i].doing]);
                fail("a call that hangs");
            }
        }
        sleep_ms(500);
    }
    return NULL;
}

static evrim_client *signed_in(void)
{
    evrim_options *options = short_options();
    evrim_client *made = sign_in(options);
    evrim_options_free(options);
    return made;
}

int main(int argc, char **argv)
{
    struct state first, warm, last, end;
    pthread_t moods, watcher;
    uint64_t seed;
    double seconds, pause;
    int i, action, status;
    long calls = 0;
    CHECK(argc >= 3);
    /* Of more than one, malloc_trim() gives back a part only. */
    CHECK(mallopt(M_ARENA_MAX, 1) == 1);
    seconds = atof(argv[1]);
    folder = argv[2];
    seed = argc > 3 ? strtoull(argv[3], NULL, 10) : (uint64_t)time(NULL);
    plant = getenv("PLANT");
    plant = plant != NULL && plant[0] != 0 ? plant : NULL;
    CHECK(seed != 0);
    begin_ms = now_ms();
    printf("seed %llu, %.0f s\n", (unsigned long long)seed, seconds);

    /* What is made once for good is made before anything is counted. */
    client = signed_in();
    get_ok(client, "reports/1/");
    evrim_free(client);
    first = measure();
    show("before", first);

    line = control_line();
    client = signed_in();
    {
        evrim_response *tasks = NULL;
        EXPECT_STATUS(EVRIM_OK, evrim_get_tasks(client, &tasks, NULL));
        CHECK(evrim_response_string(tasks, "/0/task_id") != NULL);
        snprintf(task_id, sizeof task_id, "%s", evrim_response_string(tasks, "/0/task_id"));
        evrim_response_free(tasks);
    }
    for (i = 0; i < THREADS; i++) {
        workers[i].number = i;
        workers[i].random = seed * 1000003 + (uint64_t)i * 7919 + 1;
        CHECK(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
    }
    CHECK(pthread_create(&moods, NULL, change_moods, &seed) == 0);
    CHECK(pthread_create(&watcher, NULL, watch, NULL) == 0);

    pause = seconds / 6 < 60 ? seconds / 6 : 60;
    sleep_ms((int)(pause * 1000));
    warm = at_a_rest();
    last = warm;
    while ((now_ms() - begin_ms) / 1000 + pause < seconds) {
        sleep_ms((int)(pause * 1000));
        last = at_a_rest();
        if (now_ms() - begin_ms < seconds * 100) {
            warm = last;
        }
        if (last.threads != THREADS + 3) {
            fail("a thread was left");
        }
        if (last.descriptors > warm.descriptors + DESCRIPTORS) {
            fail("descriptors were left");
        }
        if (last.heap_kib > warm.heap_kib + HEAP_KIB) {
            fail("the heap has grown");
        }
        if (last.resident_kib > warm.resident_kib + RESIDENT_KIB) {
            fail("the memory has grown");
        }
    }

    __atomic_store_n(&is_over, true, __ATOMIC_SEQ_CST);
    CHECK(pthread_join(moods, NULL) == 0);
    for (i = 0; i < THREADS; i++) {
        CHECK(pthread_join(workers[i].thread, NULL) == 0);
    }
    CHECK(pthread_join(watcher, NULL) == 0);
    judge_posts();

    /* All is well again: every call succeeds, the first time. */
    sleep_ms(2500);
    for (i = 0; i < 2 * THREADS; i++) {
        bool valid;
        get_ok(client, "reports/1/");
        EXPECT_STATUS(EVRIM_OK, evrim_validate_token(client, &valid, NULL));
        CHECK(valid);
        EXPECT_STATUS(EVRIM_OK, evrim_refresh_token(client, NULL));
        post(&workers[0], client);
        CHECK(posts[posted - 1] == DONE);
    }
    judge_posts();
    evrim_free(client);
    evrim_free(line);
    end = measure();
    show("after", end);
    if (end.threads != 1 || end.descriptors != first.descriptors) {
        fail("a thread or a descriptor was left");
    }
    if (end.heap_kib > first.heap_kib + LEFT_KIB) {
        fail("memory was left");
    }

    for (action = 0; action < ACTIONS; action++) {
        double slowest = 0;
        printf("%-9s", NAMES[action]);
        for (i = 0; i < THREADS; i++) {
            slowest = workers[i].slowest[action] > slowest ? workers[i].slowest[action] : slowest;
        }
        printf(" slowest %6.0f ms:", slowest);
        for (status = 0; status < 64; status++) {
            if (outcomes[action][status] > 0) {
                calls += outcomes[action][status];
                printf(" %s %ld", evrim_status_name(status) + 6, outcomes[action][status]);
            }
        }
        printf("\n");
    }
    printf("%ld calls, %ld posts, none done twice, no session lost; heap %+ld KiB, resident %+ld KiB\n", calls,
           posted, last.heap_kib - warm.heap_kib, last.resident_kib - warm.resident_kib);
    return 0;
}
