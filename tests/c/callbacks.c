/* Callbacks: what they are told, when, and what may be done inside. The argument names the case. */

#include "trial.h"

static evrim_client *line;

static evrim_options *new_options(void)
{
    evrim_options *options = evrim_options_new();
    CHECK(options != NULL);
    return options;
}

static void refresh_ok(evrim_client *client)
{
    evrim_error *error;
    evrim_status status = evrim_refresh_token(client, &error);
    EXPECT(EVRIM_OK, status, error);
}

static void set_ok(evrim_client *client)
{
    evrim_error *error;
    evrim_status status = evrim_set_token(client, &error);
    EXPECT(EVRIM_OK, status, error);
}

static evrim_client *clone_of(evrim_client *client, const evrim_options *options)
{
    evrim_client *clone;
    evrim_error *error;
    evrim_status status = evrim_clone(client, options, &clone, &error);
    EXPECT(EVRIM_OK, status, error);
    return clone;
}

/* --- What a token callback is told. --- */

struct told {
    pthread_mutex_t lock;
    int count;
    int inside;
    int overlaps;
    int repeats;
    int disorder;
    int64_t newest;
    char *access;
    char *refresh;
    int64_t expires_at;
};

static char *copy_of(const char *text)
{
    char *copy;
    if (text == NULL) {
        return NULL;
    }
    copy = malloc(strlen(text) + 1);
    CHECK(copy != NULL);
    strcpy(copy, text);
    return copy;
}

static void note(void *data, const char *access, const char *refresh, int64_t expires_at)
{
    struct told *told = data;
    if (__atomic_add_fetch(&told->inside, 1, __ATOMIC_SEQ_CST) != 1) {
        __atomic_add_fetch(&told->overlaps, 1, __ATOMIC_SEQ_CST);
    }
    pthread_mutex_lock(&told->lock);
    CHECK(access != NULL);
    if (told->access != NULL && strcmp(told->access, access) == 0) {
        told->repeats++;
    }
    if (expires_at < told->newest) {
        told->disorder++;
    }
    told->newest = expires_at;
    free(told->access);
    free(told->refresh);
    told->access = copy_of(access);
    told->refresh = copy_of(refresh);
    told->expires_at = expires_at;
    told->count++;
    pthread_mutex_unlock(&told->lock);
    __atomic_sub_fetch(&told->inside, 1, __ATOMIC_SEQ_CST);
}

static void begin_told(struct told *told)
{
    memset(told, 0, sizeof *told);
    CHECK(pthread_mutex_init(&told->lock, NULL) == 0);
}

static void end_told(struct told *told)
{
    free(told->access);
    free(told->refresh);
    pthread_mutex_destroy(&told->lock);
}

static void same_as_copies(const struct told *told, evrim_client *client)
{
    char *access = access_token(client), *refresh = refresh_token(client);
    CHECK(strcmp(told->access, access) == 0);
    CHECK((told->refresh == NULL) == (refresh == NULL));
    CHECK(refresh == NULL || strcmp(told->refresh, refresh) == 0);
    CHECK(told->expires_at == evrim_token_expires_at(client));
    evrim_string_free(access);
    evrim_string_free(refresh);
}

static void of_each_new_pair(void)
{
    struct told told;
    evrim_options *options = new_options();
    evrim_client *client, *second, *opaque;
    evrim_error *error;
    evrim_status status;
    char *access;
    begin_told(&told);
    CHECK(evrim_options_set_token_callback(options, note, &told, NULL) == EVRIM_OK);
    client = sign_in(options);
    get_ok(client, "reports/1/");
    CHECK(told.count == 0);
    refresh_ok(client);
    CHECK(told.count == 1);
    same_as_copies(&told, client);
    set_ok(client);
    CHECK(told.count == 2);
    same_as_copies(&told, client);
    control(line, "POST", "revoke", NULL);
    get_ok(client, "reports/1/");
    CHECK(told.count == 3);
    same_as_copies(&told, client);

    /* What failed is no news. */
    fault(line, "POST /token/*", "status:400", 0);
    status = evrim_refresh_token(client, &error);
    EXPECT(EVRIM_ERROR_REQUEST, status, error);
    status = evrim_set_token(client, &error);
    EXPECT(EVRIM_ERROR_REQUEST, status, error);
    clear_faults(line);
    get_ok(client, "reports/1/");
    CHECK(told.count == 3);

    /* A client from a token without a refresh token is told of nothing either. */
    access = access_token(client);
    status = evrim_from_token(variable("EVRIM_URL"), access, NULL, options, &second, &error);
    EXPECT(EVRIM_OK, status, error);
    evrim_string_free(access);
    get_ok(second, "reports/1/");
    CHECK(told.count == 3);
    evrim_free(second);

    /* Signed in by a server that sends no refresh token and says no time. */
    control(line, "POST", "faults",
            "{\"path\": \"POST /token/\", \"kind\": \"status:200\", "
            "\"body\": \"{\\\"access\\\": \\\"opaque\\\"}\"}");
    opaque = sign_in(options);
    CHECK(told.count == 3);
    set_ok(opaque);
    CHECK(told.count == 4);
    CHECK(strcmp(told.access, "opaque") == 0 && told.refresh == NULL && told.expires_at == -1);
    clear_faults(line);
    evrim_free(opaque);

    evrim_options_free(options);
    evrim_free(client);
    end_told(&told);
}

static void *request_often(void *data)
{
    int i;
    for (i = 0; i < 12; i++) {
        get_ok(data, "reports/1/");
        sleep_ms(2);
    }
    return NULL;
}

static void under_threads(void)
{
    enum { THREADS = 16, ROUNDS = 6 };
    struct told told;
    evrim_options *options = new_options();
    evrim_client *client;
    long long replaced;
    int round, i;
    begin_told(&told);
    CHECK(evrim_options_set_token_callback(options, note, &told, NULL) == EVRIM_OK);
    client = sign_in(options);
    evrim_options_free(options);
    for (round = 0; round < ROUNDS; round++) {
        pthread_t threads[THREADS];
        for (i = 0; i < THREADS; i++) {
            CHECK(pthread_create(&threads[i], NULL, request_often, client) == 0);
        }
        sleep_ms(20);
        control(line, "POST", "revoke", NULL);
        for (i = 0; i < THREADS; i++) {
            CHECK(pthread_join(threads[i], NULL) == 0);
        }
        get_ok(client, "reports/1/");
    }
    replaced = counter(line, "/refreshes");
    printf("%lld renewals, told of %d\n", replaced, told.count);
    CHECK(replaced >= 1 && told.count >= 1 && told.count <= replaced);
    CHECK(told.overlaps == 0 && told.repeats == 0 && told.disorder == 0);
    same_as_copies(&told, client);
    evrim_free(client);
    end_told(&told);
}

/* --- A slow one. --- */

static int slow_ones;

static int slow_ones_so_far(void)
{
    return __atomic_load_n(&slow_ones, __ATOMIC_SEQ_CST);
}

static void be_slow(void *data, const char *access, const char *refresh, int64_t expires_at)
{
    (void)data;
    (void)access;
    (void)refresh;
    (void)expires_at;
    __atomic_add_fetch(&slow_ones, 1, __ATOMIC_SEQ_CST);
    sleep_ms(1500);
}

static void slow(void)
{
    evrim_options *options = new_options();
    evrim_client *client;
    struct caller slowed;
    char *before, *now;
    double begin;
    int i;
    CHECK(evrim_options_set_token_callback(options, be_slow, NULL, NULL) == EVRIM_OK);
    client = sign_in(options);
    evrim_options_free(options);
    before = access_token(client);
    begin = now_ms();
    start(&slowed, client, REFRESH);
    while (slow_ones_so_far() == 0) {
        sleep_ms(1);
    }
    /* The others have the new token, and do not wait. */
    now = access_token(client);
    CHECK(strcmp(before, now) != 0);
    for (i = 0; i < 5; i++) {
        get_ok(client, "reports/1/");
    }
    refresh_ok(client);
    CHECK(slow_ones_so_far() == 1 && now_ms() - begin < 1400);
    printf("others were done after %.0f ms of 1500\n", now_ms() - begin);
    join(&slowed);
    EXPECT_STATUS(EVRIM_OK, slowed.status);
    /* It has told of the second pair as well. */
    CHECK(slow_ones_so_far() == 2 && now_ms() - begin >= 2990);
    evrim_string_free(before);
    evrim_string_free(now);
    evrim_free(client);
}

/* --- Log lines. --- */

struct lines {
    pthread_mutex_t lock;
    int of_level[8];
    /* What must not be in any line. */
    const char *secrets[16];
    int secret_count;
    char text[1 << 16];
    size_t length;
};

static bool holds(const void *data, size_t length, const char *needle)
{
    size_t size = strlen(needle), i;
    for (i = 0; i + size <= length; i++) {
        if (memcmp((const char *)data + i, needle, size) == 0) {
            return true;
        }
    }
    return false;
}

static void write_down(void *data, int32_t level, const char *subject, const char *message)
{
    struct lines *lines = data;
    size_t room;
    CHECK(level >= EVRIM_LOG_ERROR && level <= EVRIM_LOG_DEBUG);
    CHECK(subject != NULL && *subject != '\0' && message != NULL && *message != '\0');
    CHECK(strchr(message, '\n') == NULL);
    pthread_mutex_lock(&lines->lock);
    lines->of_level[level]++;
    room = sizeof lines->text - lines->length;
    if (strlen(subject) + strlen(message) + 16 < room) {
        lines->length += (size_t)snprintf(lines->text + lines->length, room, "%d %s: %s\n",
                                          (int)level, subject, message);
    }
    pthread_mutex_unlock(&lines->lock);
}

static struct lines lines = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void log_levels(void)
{
    static const int LEVELS[] = {EVRIM_LOG_ERROR, EVRIM_LOG_WARN, EVRIM_LOG_INFO, EVRIM_LOG_DEBUG};
    size_t i;
    for (i = 0; i < 4; i++) {
        evrim_options *options = new_options();
        evrim_client *client;
        int level;
        memset(lines.of_level, 0, sizeof lines.of_level);
        CHECK(evrim_options_set_log_callback(options, LEVELS[i], write_down, &lines, NULL) ==
              EVRIM_OK);
        client = sign_in(options);
        evrim_options_free(options);
        get_ok(client, "reports/1/");
        refresh_ok(client);
        fault(line, "GET /reports/", "cut", 1);
        get_ok(client, "reports/");
        evrim_free(client);
        for (level = 1; level <= 4; level++) {
            CHECK(level <= LEVELS[i] || lines.of_level[level] == 0);
        }
        /* A request that failed, a retry and the new tokens, and every request. */
        CHECK(LEVELS[i] < EVRIM_LOG_WARN || lines.of_level[EVRIM_LOG_WARN] >= 1);
        CHECK(LEVELS[i] < EVRIM_LOG_INFO || lines.of_level[EVRIM_LOG_INFO] >= 2);
        CHECK(LEVELS[i] < EVRIM_LOG_DEBUG || lines.of_level[EVRIM_LOG_DEBUG] >= 4);
    }
    fputs(lines.text, stdout);
}

static void bad_levels(void)
{
    static const int32_t BAD[] = {0, 5, -1, INT32_MAX, INT32_MIN};
    evrim_options *options = new_options();
    evrim_client *client;
    size_t i;
    CHECK(evrim_options_set_log_callback(options, EVRIM_LOG_DEBUG, write_down, &lines, NULL) ==
          EVRIM_OK);
    for (i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        CHECK(evrim_options_set_log_callback(options, BAD[i], NULL, NULL, NULL) ==
              EVRIM_ERROR_INVALID_ARGUMENT);
    }
    CHECK(evrim_options_set_log_callback(NULL, EVRIM_LOG_DEBUG, write_down, &lines, NULL) ==
          EVRIM_ERROR_INVALID_ARGUMENT);
    CHECK(evrim_options_set_token_callback(NULL, note, NULL, NULL) ==
          EVRIM_ERROR_INVALID_ARGUMENT);
    client = sign_in(options);
    CHECK(lines.length > 0);
    evrim_free(client);
    /* Switched off again. */
    CHECK(evrim_options_set_log_callback(options, EVRIM_LOG_DEBUG, NULL, NULL, NULL) == EVRIM_OK);
    lines.length = 0;
    client = sign_in(options);
    CHECK(lines.length == 0);
    evrim_free(client);
    evrim_options_free(options);
}

/* --- No secrets, even where the server quotes them. --- */

/* No piece of a secret that is worth anything may be in a text. */
static void check_clean(const char *what, const void *data, size_t length, const char *secret)
{
    char piece[32];
    size_t size = strlen(secret), width = size < 24 ? size : 24, at;
    /* A JWT's first part is the same in all. */
    size_t from = size > 100 ? 60 : 0;
    for (at = from; at + width <= size; at += width) {
        memcpy(piece, secret + at, width);
        piece[width] = '\0';
        if (holds(data, length, piece)) {
            fprintf(stderr, "%s holds a secret: \"%.*s\"\n", what, (int)length,
                    (const char *)data);
            exit(1);
        }
    }
}

static void check_error(evrim_error *error, const char *secret)
{
    size_t length;
    const uint8_t *body = evrim_error_body(error, &length);
    const char *message = evrim_error_message(error);
    const char *code = evrim_error_server_code(error);
    const char *id = evrim_error_request_id(error);
    CHECK(error != NULL);
    check_clean("a message", message, strlen(message), secret);
    if (body != NULL) {
        check_clean("a body", body, length, secret);
    }
    if (code != NULL) {
        check_clean("a code", code, strlen(code), secret);
    }
    if (id != NULL) {
        check_clean("a request id", id, strlen(id), secret);
    }
    evrim_error_free(error);
}

/* What a server may say: %s is the secret. */
static const char *const ANSWERS[] = {
    "{\"detail\": \"no: %s\"}",
    ("{\"detail\": \"a long way of telling that this is no good at all, which goes on and on before "
     "it comes to the point, that is to what was sent, so that only a part of it has room: %s\"}"),
    "{\"code\": \"%s\", \"detail\": \"no\"}",
    "{\"token\": [\"%s is bad\"]}",
    "<html><body>Debug page: %s</body></html>",
    "%s",
};
enum { ANSWER_COUNT = sizeof ANSWERS / sizeof *ANSWERS };

/* Appends text as it stands inside a JSON string. */
static void append_json(char *buffer, const char *text)
{
    char *end = buffer + strlen(buffer);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            *end++ = '\\';
        }
        *end++ = *text;
    }
    *end = '\0';
}

static void fault_that_quotes(const char *path, int status, const char *answer,
                              const char *secret, const char *headers)
{
    char text[4096], fault[8192];
    char quoted[2048] = "";
    if (*answer == '{') {
        append_json(quoted, secret);
    } else {
        strcpy(quoted, secret);
    }
    snprintf(text, sizeof text, answer, quoted);
    snprintf(fault, sizeof fault, "{\"path\": \"%s\", \"kind\": \"status:%d\", \"headers\": {%s}, "
             "\"body\": \"", path, status, headers);
    append_json(fault, text);
    strcat(fault, "\"}");
    control(line, "POST", "faults", fault);
}

static void no_secrets(void)
{
    static const int STATUSES[] = {400, 401, 403, 409, 500, 200};
    static const char PASSWORD[] = "a \"secret\" \\ password";
    evrim_options *options = new_options();
    evrim_client *client, *none;
    evrim_error *error;
    evrim_status status;
    char *access, *refresh;
    bool valid;
    size_t i, j;
    CHECK(evrim_options_set_log_callback(options, EVRIM_LOG_DEBUG, write_down, &lines, NULL) ==
          EVRIM_OK);
    CHECK(evrim_options_set_retries(options, 0) == EVRIM_OK);
    client = sign_in(options);
    refresh_ok(client);
    access = access_token(client);
    refresh = refresh_token(client);
    for (i = 0; i < sizeof STATUSES / sizeof *STATUSES; i++) {
        for (j = 0; j < ANSWER_COUNT; j++) {
            /* A request whose token can't be renewed: refresh and sign-in fail in the same way. */
            if (STATUSES[i] != 200) {
                fault_that_quotes("GET /reports/", STATUSES[i], ANSWERS[j], access, "");
                if (STATUSES[i] == 401) {
                    fault_that_quotes("POST /token/refresh/", 500, ANSWERS[j], refresh, "");
                    fault_that_quotes("POST /token/", 500, "{}", "", "");
                }
                status = get(client, "reports/", &error);
                CHECK(status != EVRIM_OK);
                check_error(error, access);
                clear_faults(line);
            }
            fault_that_quotes("POST /token/verify/", STATUSES[i], ANSWERS[j], access, "");
            status = evrim_validate_token(client, &valid, &error);
            if (status != EVRIM_OK) {
                check_error(error, access);
            }
            clear_faults(line);
            fault_that_quotes("POST /token/refresh/", STATUSES[i], ANSWERS[j], refresh, "");
            /* A refused refresh is followed by a sign-in, which quotes the refresh token, too. */
            status = evrim_refresh_token(client, &error);
            CHECK(status != EVRIM_OK);
            check_error(error, refresh);
            clear_faults(line);
            fault_that_quotes("POST /token/", STATUSES[i], ANSWERS[j], PASSWORD, "");
            status = evrim_new(variable("EVRIM_URL"), "demo", PASSWORD, options, &none, &error);
            CHECK(status != EVRIM_OK && none == NULL);
            check_error(error, PASSWORD);
            clear_faults(line);
        }
    }
    /* Redirects: in the place named, and in the body. */
    for (i = 0; i < 2; i++) {
        char header[2048];
        snprintf(header, sizeof header,
                 i == 0 ? "\"Location\": \"https://elsewhere.test/%s?t=%s\""
                        : "\"Content-Type\": \"text/plain\", \"X\": \"%s%s\"",
                 access, access);
        fault_that_quotes("GET /reports/", 302, ANSWERS[0], access, header);
        status = get(client, "reports/", &error);
        EXPECT_STATUS(EVRIM_ERROR_REDIRECT, status);
        check_error(error, access);
        clear_faults(line);
    }
    /* A request id that is the token. */
    {
        char header[1024];
        snprintf(header, sizeof header, "\"X-Moesif-Transaction-Id\": \"%s\"", access);
        fault_that_quotes("GET /reports/", 500, ANSWERS[0], access, header);
        status = get(client, "reports/", &error);
        EXPECT_STATUS(EVRIM_ERROR_SERVER, status);
        check_error(error, access);
        clear_faults(line);
    }
    /* New tokens in an answer that makes no sense. */
    {
        static const char *const NONSENSE[] = {"{\"refresh\": \"%s\"}", "{\"access_token\": \"%s\"}",
                                               "{\"access\": \"%s", "[\"%s\"]",
                                               "{\"access\": \"ok\", \"refresh\": \"a b %s\"}"};
        for (j = 0; j < sizeof NONSENSE / sizeof *NONSENSE; j++) {
            fault_that_quotes("POST /token/*", 200, NONSENSE[j], "a-new-token-that-nobody-saw", "");
            fault_that_quotes("POST /token/", 200, NONSENSE[j], "a-new-token-that-nobody-saw", "");
            status = evrim_refresh_token(client, &error);
            EXPECT_STATUS(EVRIM_ERROR_PROTOCOL, status);
            check_error(error, "a-new-token-that-nobody-saw");
            status = evrim_set_token(client, &error);
            EXPECT_STATUS(EVRIM_ERROR_PROTOCOL, status);
            check_error(error, "a-new-token-that-nobody-saw");
            clear_faults(line);
        }
    }
    CHECK(lines.length > 1000);
    check_clean("the log", lines.text, lines.length, access);
    check_clean("the log", lines.text, lines.length, refresh);
    check_clean("the log", lines.text, lines.length, PASSWORD);
    check_clean("the log", lines.text, lines.length, variable("EVRIM_PASSWORD"));
    check_clean("the log", lines.text, lines.length, "a-new-token-that-nobody-saw");
    evrim_string_free(access);
    evrim_string_free(refresh);
    evrim_options_free(options);
    evrim_free(client);
}

/* --- The end of a callback's data. --- */

static void count_end(void *data)
{
    __atomic_add_fetch((int *)data, 1, __ATOMIC_SEQ_CST);
}

static void no_log(void *data, int32_t level, const char *subject, const char *message)
{
    (void)data;
    (void)level;
    (void)subject;
    (void)message;
}

static void no_token(void *data, const char *access, const char *refresh, int64_t expires_at)
{
    (void)data;
    (void)access;
    (void)refresh;
    (void)expires_at;
}

static void destroyed_once(void)
{
    int logs = 0, tokens = 0, second = 0, refused = 0, off = 0;
    evrim_options *options = new_options(), *other = new_options();
    evrim_client *client, *clone, *last, *none;
    evrim_error *error;
    evrim_status status;
    CHECK(evrim_options_set_log_callback(options, EVRIM_LOG_INFO, no_log, &logs, count_end) ==
          EVRIM_OK);
    CHECK(evrim_options_set_token_callback(options, no_token, &tokens, count_end) == EVRIM_OK);
    CHECK(evrim_options_set_log_callback(options, 99, no_log, &refused, count_end) ==
          EVRIM_ERROR_INVALID_ARGUMENT);
    CHECK(evrim_options_set_log_callback(NULL, EVRIM_LOG_INFO, no_log, &refused, count_end) ==
          EVRIM_ERROR_INVALID_ARGUMENT);
    CHECK(evrim_options_set_token_callback(NULL, no_token, &refused, count_end) ==
          EVRIM_ERROR_INVALID_ARGUMENT);
    CHECK(refused == 0);
    client = sign_in(options);
    clone = clone_of(client, NULL);
    last = clone_of(clone, other);
    /* A client that does not come about holds nothing. */
    status = evrim_new(variable("EVRIM_URL"), "demo", "wrong", options, &none, &error);
    EXPECT(EVRIM_ERROR_AUTHENTICATION, status, error);
    evrim_options_free(options);
    evrim_options_free(other);
    evrim_free(client);
    CHECK(logs == 0 && tokens == 0);
    evrim_free(clone);
    CHECK(logs == 0 && tokens == 0);
    get_ok(last, "reports/1/");
    evrim_free(last);
    CHECK(logs == 1 && tokens == 1 && refused == 0);

    /* Replaced, in options that no client holds. */
    options = new_options();
    CHECK(evrim_options_set_log_callback(options, EVRIM_LOG_INFO, no_log, &second, count_end) ==
          EVRIM_OK);
    CHECK(evrim_options_set_log_callback(options, EVRIM_LOG_INFO, NULL, NULL, NULL) == EVRIM_OK);
    CHECK(second == 1);
    /* Without a callback its data is of no use from the start. */
    CHECK(evrim_options_set_log_callback(options, EVRIM_LOG_INFO, NULL, &off, count_end) ==
          EVRIM_OK);
    CHECK(evrim_options_set_token_callback(options, NULL, &off, count_end) == EVRIM_OK);
    evrim_options_free(options);
    CHECK(second == 1);
    CHECK(off == 2);
}

/* --- Calls from inside a callback. --- */

static struct {
    evrim_client *client;
    evrim_client *clone;
    evrim_client *other;
    int times;
    int frees;
} inside;

static void from_inside(void)
{
    evrim_client *both[2];
    evrim_error *error;
    evrim_status status;
    evrim_client *copy;
    bool valid;
    int i;
    char *token;
    both[0] = inside.client;
    both[1] = inside.clone;
    inside.times++;
    for (i = 0; i < 2; i++) {
        status = get(both[i], "reports/1/", &error);
        EXPECT(EVRIM_ERROR_INVALID_ARGUMENT, status, error);
        status = evrim_refresh_token(both[i], &error);
        EXPECT(EVRIM_ERROR_INVALID_ARGUMENT, status, error);
        status = evrim_set_token(both[i], &error);
        EXPECT(EVRIM_ERROR_INVALID_ARGUMENT, status, error);
        status = evrim_validate_token(both[i], &valid, &error);
        EXPECT(EVRIM_ERROR_INVALID_ARGUMENT, status, error);
        token = access_token(both[i]);
        CHECK(token != NULL);
        evrim_string_free(token);
        token = refresh_token(both[i]);
        evrim_string_free(token);
        CHECK(evrim_token_expires_at(both[i]) > 0);
        copy = clone_of(both[i], NULL);
        status = get(copy, "reports/1/", &error);
        EXPECT(EVRIM_ERROR_INVALID_ARGUMENT, status, error);
        evrim_cancel(copy);
        evrim_free(copy);
    }
    /* Another client is another matter. */
    get_ok(inside.other, "reports/1/");
    refresh_ok(inside.other);
    copy = sign_in(NULL);
    get_ok(copy, "reports/1/");
    evrim_free(copy);
}

static void log_inside(void *data, int32_t level, const char *subject, const char *message)
{
    (void)data;
    (void)level;
    (void)subject;
    (void)message;
    if (inside.client != NULL) {
        from_inside();
    }
}

static void token_inside(void *data, const char *access, const char *refresh, int64_t expires_at)
{
    char *token = access_token(inside.client);
    (void)data;
    (void)refresh;
    CHECK(strcmp(token, access) == 0);
    CHECK(evrim_token_expires_at(inside.client) == expires_at);
    evrim_string_free(token);
    from_inside();
}

static void reentrant(void)
{
    evrim_options *options = new_options();
    CHECK(evrim_options_set_log_callback(options, EVRIM_LOG_INFO, log_inside, NULL, NULL) ==
          EVRIM_OK);
    CHECK(evrim_options_set_token_callback(options, token_inside, NULL, NULL) == EVRIM_OK);
    inside.other = sign_in(NULL);
    {
        evrim_client *client = sign_in(options);
        inside.clone = clone_of(client, NULL);
        inside.client = client;
    }
    evrim_options_free(options);
    refresh_ok(inside.client);
    CHECK(inside.times >= 2);
    set_ok(inside.clone);
    CHECK(inside.times >= 4);
    get_ok(inside.client, "reports/1/");
    evrim_free(inside.client);
    evrim_free(inside.clone);
    evrim_free(inside.other);
}

static void cancel_inside(void *data, const char *access, const char *refresh, int64_t expires_at)
{
    (void)data;
    (void)access;
    (void)refresh;
    (void)expires_at;
    inside.times++;
    evrim_cancel(inside.client);
}

static void free_inside(void *data, int32_t level, const char *subject, const char *message)
{
    evrim_client *client = inside.client;
    (void)data;
    (void)level;
    (void)subject;
    (void)message;
    inside.client = NULL;
    if (client != NULL) {
        evrim_free(client);
        inside.frees++;
    }
}

static void ends_inside(void)
{
    evrim_options *options = new_options();
    evrim_error *error;
    evrim_status status;
    int destroyed = 0;
    CHECK(evrim_options_set_token_callback(options, cancel_inside, NULL, NULL) == EVRIM_OK);
    inside.client = sign_in(options);
    /* The tokens are replaced already: a renewal is done, or cancelled on the way back. */
    status = evrim_refresh_token(inside.client, &error);
    if (status != EVRIM_ERROR_CANCELLED) {
        EXPECT(EVRIM_OK, status, error);
    } else {
        evrim_error_free(error);
    }
    CHECK(inside.times == 1);
    get_ok(inside.client, "reports/1/");
    evrim_free(inside.client);
    evrim_options_free(options);

    /* The last handle goes in the middle of a call: that call ends, and the data with it. */
    inside.client = NULL;
    options = new_options();
    CHECK(evrim_options_set_log_callback(options, EVRIM_LOG_DEBUG, free_inside, &destroyed,
                                         count_end) == EVRIM_OK);
    {
        evrim_client *client = sign_in(options);
        evrim_options_free(options);
        fault(line, "GET /reports/", "status:503", 0);
        inside.client = client;
        status = get(client, "reports/", &error);
        EXPECT(EVRIM_ERROR_CANCELLED, status, error);
    }
    CHECK(inside.frees == 1 && destroyed == 1);
    clear_faults(line);
}

/* --- Clones. --- */

static void inherited_by_clones(void)
{
    struct told first, own;
    evrim_options *options = new_options(), *others = new_options();
    evrim_client *client, *clone, *plain, *different;
    begin_told(&first);
    begin_told(&own);
    CHECK(evrim_options_set_token_callback(options, note, &first, NULL) == EVRIM_OK);
    client = sign_in(options);
    clone = clone_of(client, NULL);
    refresh_ok(clone);
    CHECK(first.count == 1);
    plain = clone_of(client, others);
    refresh_ok(plain);
    CHECK(first.count == 2);
    CHECK(evrim_options_set_token_callback(others, note, &own, NULL) == EVRIM_OK);
    different = clone_of(client, others);
    refresh_ok(different);
    CHECK(first.count == 2 && own.count == 1);
    same_as_copies(&own, client);
    evrim_options_free(options);
    evrim_options_free(others);
    evrim_free(client);
    evrim_free(clone);
    evrim_free(plain);
    evrim_free(different);
    end_told(&first);
    end_told(&own);
}

/* Callbacks of different clients that call one another end with an error, not with the stack. */
enum { CHAIN = 8 };
static struct link {
    evrim_client *client;
    int number;
} chain[CHAIN];
static int deepest;
static int refused;

static void call_the_next(void *data, int32_t level, const char *subject, const char *message)
{
    struct link *link = data;
    evrim_error *error;
    (void)level;
    (void)subject;
    (void)message;
    if (link->client == NULL) {
        return;
    }
    if (link->number > deepest) {
        deepest = link->number;
    }
    if (link->number + 1 < CHAIN) {
        evrim_status status = get(chain[link->number + 1].client, "reports/1/", &error);
        if (status == EVRIM_ERROR_INVALID_ARGUMENT) {
            refused++;
            evrim_error_free(error);
        } else {
            EXPECT(EVRIM_OK, status, error);
        }
    }
}

static void deep(void)
{
    evrim_client *clients[CHAIN];
    int i;
    for (i = 0; i < CHAIN; i++) {
        evrim_options *options = new_options();
        chain[i].number = i;
        CHECK(evrim_options_set_log_callback(options, EVRIM_LOG_DEBUG, call_the_next, &chain[i],
                                             NULL) == EVRIM_OK);
        clients[i] = sign_in(options);
        evrim_options_free(options);
    }
    for (i = 0; i < CHAIN; i++) {
        chain[i].client = clients[i];
    }
    get_ok(clients[0], "reports/1/");
    printf("%d deep, refused %d times\n", deepest, refused);
    CHECK(deepest >= 1 && deepest < CHAIN - 1 && refused >= 1);
    for (i = 0; i < CHAIN; i++) {
        chain[i].client = NULL;
        get_ok(clients[i], "reports/1/");
        evrim_free(clients[i]);
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } CASES[] = {
        {"each-pair", of_each_new_pair}, {"threads", under_threads},
        {"slow", slow},                  {"levels", log_levels},
        {"bad-levels", bad_levels},      {"no-secrets", no_secrets},
        {"destroy", destroyed_once},     {"reentrant", reentrant},
        {"ends-inside", ends_inside},    {"clones", inherited_by_clones},
        {"deep", deep},
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
