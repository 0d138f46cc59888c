/*
 * The life of a session, from signing in to the end, against any Evrim server.
 *
 *     EVRIM_URL=… EVRIM_USERNAME=… EVRIM_PASSWORD=… EVRIM_TOKEN=… EVRIM_REFRESH_TOKEN=… ./session [rotates | expired]
 *
 * "rotates": the server sends a new refresh token with each refresh. "expired": EVRIM_TOKEN has expired, or soon will.
 * EVRIM_SERVER=django is the real server; without it, this is the sandbox, which can also show what arrived.
 */
#include <evrim.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CHECK(what)                                                                                                    \
    do {                                                                                                               \
        if (!(what)) {                                                                                                 \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what);                                         \
            exit(EXIT_FAILURE);                                                                                        \
        }                                                                                                              \
    } while (0)

/* A call that must succeed: `error` is its last argument. */
#define OK(call) succeeded((call), &error, __LINE__)
/* A call that must fail so. */
#define FAILS(expected, call) failed((expected), (call), &error, __LINE__)

static const char *url, *username, *password, *access_token, *refresh_token;
static bool is_sandbox;

/* `error` by its place: the call that fills it is an argument as well, and may come after it. */
static void succeeded(evrim_status status, evrim_error **error, int line)
{
    if (status == EVRIM_OK && *error == NULL)
        return;
    fprintf(stderr, "line %d: %s: %s\n", line, evrim_status_name(status), evrim_error_message(*error));
    exit(EXIT_FAILURE);
}

static void failed(evrim_status expected, evrim_status status, evrim_error **error, int line)
{
    bool is_right = status == expected && evrim_error_status(*error) == expected
        && evrim_error_message(*error)[0] != '\0' && strchr(evrim_error_message(*error), '\n') == NULL;
    if (!is_right) {
        fprintf(stderr, "line %d: %s instead of %s: %s\n", line, evrim_status_name(status),
                evrim_status_name(expected), evrim_error_message(*error));
        exit(EXIT_FAILURE);
    }
    evrim_error_free(*error);
    *error = NULL;
}

static char *access_of(const evrim_client *client)
{
    evrim_error *error = NULL;
    char *token = NULL;
    OK(evrim_copy_access_token(client, &token, &error));
    CHECK(token != NULL && token[0] != '\0');
    return token;
}

/* NULL if there is none. */
static char *refresh_of(const evrim_client *client)
{
    evrim_error *error = NULL;
    char *token = NULL;
    OK(evrim_copy_refresh_token(client, &token, &error));
    return token;
}

/* Whether a token is still what it was; the copy is let go. */
static bool same(char *now, const char *before)
{
    bool result = now != NULL && before != NULL ? strcmp(now, before) == 0 : now == before;
    evrim_string_free(now);
    return result;
}

static bool is_valid(evrim_client *client)
{
    evrim_error *error = NULL;
    bool valid = false;
    OK(evrim_validate_token(client, &valid, &error));
    return valid;
}

static evrim_response *get(evrim_client *client, const char *path)
{
    evrim_error *error = NULL;
    evrim_response *response = NULL;
    OK(evrim_request(client, "GET", path, NULL, 0, &response, &error));
    CHECK(evrim_response_status(response) == 200);
    return response;
}

/* The number after "exp": in the payload of a token, which is base64url. */
static long long expiry(const char *token)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char payload[1024];
    size_t length = 0;
    unsigned long bits = 0;
    int count = 0;
    const char *dot = strchr(token, '.');
    CHECK(dot != NULL);
    for (const char *at = dot + 1; *at != '.' && *at != '\0' && length < sizeof payload - 1; at++) {
        const char *digit = strchr(digits, *at);
        CHECK(digit != NULL);
        bits = (bits << 6 | (unsigned long)(digit - digits)) & 0xffffff;
        count += 6;
        if (count >= 8) {
            count -= 8;
            payload[length++] = (char)(bits >> count & 0xff);
        }
    }
    payload[length] = '\0';
    const char *exp = strstr(payload, "\"exp\"");
    CHECK(exp != NULL && strchr(exp, ':') != NULL);
    return strtoll(strchr(exp, ':') + 1, NULL, 10);
}

static void check_expiry(const evrim_client *client)
{
    char *token = access_of(client);
    CHECK((long long)evrim_token_expires_at(client) == expiry(token));
    evrim_string_free(token);
}

/* A request goes through, with the token that the client has now. */
static void check_request(evrim_client *client)
{
    evrim_response_free(get(client, "reports/"));
    if (!is_sandbox)
        return;
    char *token = access_of(client), expected[2048];
    snprintf(expected, sizeof expected, "Bearer %s", token);
    evrim_string_free(token);
    evrim_response *echo = get(client, "echo/");
    const char *sent = evrim_response_string(echo, "/headers/authorization");
    CHECK(sent != NULL && strcmp(sent, expected) == 0);
    evrim_response_free(echo);
}

static void check_tokens(evrim_client *client, bool rotates)
{
    evrim_error *error = NULL;
    char *access = access_of(client), *refresh = refresh_of(client);
    CHECK(refresh != NULL && strcmp(access, refresh) != 0);
    CHECK(is_valid(client));
    check_expiry(client);
    check_request(client);

    OK(evrim_refresh_token(client, &error));
    CHECK(!same(access_of(client), access));
    CHECK(same(refresh_of(client), refresh) == !rotates);
    CHECK(is_valid(client));
    check_expiry(client);
    check_request(client);
    evrim_string_free(access);
    evrim_string_free(refresh);

    access = access_of(client);
    refresh = refresh_of(client);
    OK(evrim_set_token(client, &error));
    CHECK(!same(access_of(client), access));
    CHECK(!same(refresh_of(client), refresh));
    CHECK(is_valid(client));
    check_expiry(client);
    check_request(client);
    evrim_string_free(access);
    evrim_string_free(refresh);

    /* A refused call leaves the tokens alone. */
    access = access_of(client);
    evrim_client *other = NULL;
    FAILS(EVRIM_ERROR_AUTHENTICATION, evrim_new(url, username, "not the password", NULL, &other, &error));
    CHECK(other == NULL);
    CHECK(same(access_of(client), access));
    evrim_string_free(access);
    printf("signed in, validated, refreshed, replaced\n");
}

static void check_existing_token(bool rotates)
{
    evrim_error *error = NULL;
    evrim_client *client = NULL;
    OK(evrim_from_token(url, access_token, refresh_token, NULL, &client, &error));
    CHECK(same(access_of(client), access_token));
    CHECK(same(refresh_of(client), refresh_token));
    CHECK(is_valid(client));
    check_expiry(client);
    check_request(client);
    FAILS(EVRIM_ERROR_NO_CREDENTIALS, evrim_set_token(client, &error));
    OK(evrim_refresh_token(client, &error));
    CHECK(!same(access_of(client), access_token));
    CHECK(same(refresh_of(client), refresh_token) == !rotates);
    check_request(client);
    evrim_free(client);

    OK(evrim_from_token(url, access_token, NULL, NULL, &client, &error));
    CHECK(refresh_of(client) == NULL);
    CHECK(is_valid(client));
    check_request(client);
    FAILS(EVRIM_ERROR_NO_REFRESH_TOKEN, evrim_refresh_token(client, &error));
    FAILS(EVRIM_ERROR_NO_CREDENTIALS, evrim_set_token(client, &error));
    CHECK(same(access_of(client), access_token));
    evrim_free(client);

    FAILS(EVRIM_ERROR_AUTHENTICATION, evrim_from_token(url, "no.such.token", NULL, NULL, &client, &error));
    CHECK(client == NULL);

    evrim_options *options = evrim_options_new();
    OK(evrim_options_set_validate_on_start(options, false));
    OK(evrim_from_token(url, "opaque", NULL, options, &client, &error));
    CHECK(evrim_token_expires_at(client) == -1);
    CHECK(!is_valid(client));
    evrim_options_free(options);
    evrim_free(client);
    printf("started from a token, with and without a refresh token\n");
}

static void check_clone(evrim_client *client)
{
    evrim_error *error = NULL;
    evrim_client *clone = NULL, *named = NULL;
    char *access = access_of(client);
    OK(evrim_clone(client, NULL, &clone, &error));
    CHECK(same(access_of(clone), access));
    OK(evrim_refresh_token(clone, &error));
    CHECK(!same(access_of(client), access));
    evrim_string_free(access);
    access = access_of(client);
    CHECK(same(access_of(clone), access));
    evrim_string_free(access);

    evrim_options *options = evrim_options_new();
    OK(evrim_options_set_user_agent(options, "session-test/1"));
    OK(evrim_clone(client, options, &named, &error));
    evrim_options_free(options);
    if (is_sandbox) {
        evrim_response *mine = get(named, "echo/"), *others = get(client, "echo/");
        CHECK(strncmp(evrim_response_string(mine, "/headers/user-agent"), "session-test/1 ", 15) == 0);
        CHECK(strncmp(evrim_response_string(others, "/headers/user-agent"), "libevrim/", 9) == 0);
        evrim_response_free(mine);
        evrim_response_free(others);
    }
    evrim_free(clone);
    check_request(client);
    check_request(named);
    evrim_free(named);
    printf("cloned\n");
}

/* What every report has, in the sandbox and on the real server. */
static void check_report(evrim_client *client)
{
    evrim_response *report = get(client, "reports/1/");
    int64_t whole = -1;
    double number = -1;
    bool flag = true;
    size_t length = 0;

    const char *type = evrim_response_header(report, "Content-TYPE");
    CHECK(type != NULL && strcmp(type, "application/json") == 0);
    CHECK(evrim_response_header(report, "x-absent") == NULL);
    CHECK(evrim_response_body(report, &length) != NULL && length > 10000);
    CHECK(evrim_response_body(report, &length)[0] == '{' && evrim_response_body(report, NULL) != NULL);

    const char *title = is_sandbox
        ? "Glaciers and the sea \xe2\x80\x94 Gletscher, \xd0\xbb\xd0\xb5\xd0\xb4\xd0\xbd\xd0\xb8\xd0\xba\xd0\xb8, "
          "\xe6\xb0\xb7\xe6\xb2\xb3"
        : "\xc3\x89volution \xe2\x80\x93 \xe9\x80\xb2\xe5\x8c\x96 \xe2\x80\x93 \xd8\xaa\xd8\xb7\xd9\x88\xd9\x91\xd8\xb1";
    const char *got = evrim_response_string(report, "/report/title");
    CHECK(got != NULL && strcmp(got, title) == 0);
    CHECK(evrim_response_string(report, "/report/title") == got);
    CHECK(evrim_response_string(report, "/report/sections/0/paragraphs/0/sentences/0") != NULL);
    CHECK(evrim_response_int(report, "/id", &whole) && whole == 1);
    CHECK(evrim_response_double(report, "/id", &number) && number == 1);
    CHECK(evrim_response_int(report, "/report/sections/6/id", &whole) && whole == 7);
    CHECK(evrim_response_count(report, "") == 4);
    CHECK(evrim_response_count(report, "/report") == 5);
    CHECK(evrim_response_count(report, "/report/sections") == (is_sandbox ? 8u : 7u));

    /* Missing, and of another kind. */
    CHECK(evrim_response_string(report, "/report/nothing") == NULL);
    CHECK(evrim_response_string(report, "/report/sections/99/title") == NULL);
    CHECK(evrim_response_string(report, "report/title") == NULL);
    CHECK(evrim_response_string(report, "/id") == NULL);
    CHECK(evrim_response_string(report, "/report") == NULL);
    whole = 5;
    CHECK(!evrim_response_int(report, "/report/title", &whole) && whole == 0);
    number = 5;
    CHECK(!evrim_response_double(report, "/report/title", &number) && number == 0);
    CHECK(!evrim_response_bool(report, "/id", &flag) && !flag);
    CHECK(evrim_response_count(report, "/report/title") == 0);
    CHECK(evrim_response_count(report, "/absent") == 0);
    evrim_response_free(report);

    if (is_sandbox) {
        /* A report has neither fractions nor booleans: the test adds an answer that has. */
        evrim_response *page = get(client, "reports/77/");
        CHECK(evrim_response_bool(page, "/yes", &flag) && flag);
        CHECK(evrim_response_bool(page, "/no", &flag) && !flag);
        CHECK(evrim_response_double(page, "/half", &number) && number == 0.5);
        CHECK(!evrim_response_int(page, "/half", &whole));
        CHECK(!evrim_response_int(page, "/huge", &whole));
        CHECK(evrim_response_double(page, "/huge", &number) && number > 1e19);
        CHECK(evrim_response_int(page, "/least", &whole) && whole == INT64_MIN);
        CHECK(evrim_response_int(page, "/a~1b/~0", &whole) && whole == -3);
        CHECK(!evrim_response_int(page, "/null", &whole) && evrim_response_count(page, "/null") == 0);
        CHECK(evrim_response_string(page, "/nul") == NULL);
        CHECK(evrim_response_string(page, "/empty") != NULL && evrim_response_string(page, "/empty")[0] == '\0');
        evrim_response_free(page);
    }
    printf("read a report\n");
}

static void check_research(evrim_client *client)
{
    static const char body[] = "{\"url\": \"https://example.org/\", \"title\": \"Gr\xc3\xb6\xc3\x9f" "e\", "
                               "\"description\": \"A test\", \"style\": \"NARRATIVE\", \"tone\": \"ANALYTICAL\", "
                               "\"point_of_view\": \"THIRD_PERSON\"}";
    evrim_error *error = NULL;
    evrim_response *task = NULL;
    OK(evrim_request(client, "POST", "research/", body, strlen(body), &task, &error));
    CHECK(evrim_response_status(task) == 201);
    const char *id = evrim_response_string(task, "/task_id"), *input = evrim_response_string(task, "/event/input");
    CHECK(id != NULL && strlen(id) == 36);
    CHECK(input != NULL && strstr(input, "Gr\xc3\xb6\xc3\x9f" "e") != NULL);
    evrim_response_free(task);
    FAILS(EVRIM_ERROR_REQUEST, evrim_request(client, "POST", "research/", "{}", 2, &task, &error));
    CHECK(task == NULL);
    FAILS(EVRIM_ERROR_NOT_FOUND, evrim_request(client, "GET", "reports/999999/", NULL, 0, &task, &error));
    CHECK(task == NULL);
    printf("submitted a research\n");
}

/* EVRIM_TOKEN has expired: the server says so, and a request renews it. */
static void check_expired(void)
{
    evrim_error *error = NULL;
    evrim_client *client = NULL;
    while ((long long)time(NULL) <= expiry(access_token))
        sleep(1);
    FAILS(EVRIM_ERROR_AUTHENTICATION, evrim_from_token(url, access_token, refresh_token, NULL, &client, &error));
    CHECK(client == NULL);

    evrim_options *options = evrim_options_new();
    OK(evrim_options_set_validate_on_start(options, false));
    OK(evrim_from_token(url, access_token, NULL, options, &client, &error));
    CHECK(!is_valid(client));
    evrim_response *response = NULL;
    FAILS(EVRIM_ERROR_AUTHENTICATION, evrim_request(client, "GET", "reports/", NULL, 0, &response, &error));
    CHECK(same(access_of(client), access_token));
    evrim_free(client);

    OK(evrim_from_token(url, access_token, refresh_token, options, &client, &error));
    CHECK(!is_valid(client));
    CHECK(same(access_of(client), access_token));
    evrim_response_free(get(client, "reports/"));
    CHECK(!same(access_of(client), access_token));
    evrim_free(client);

    OK(evrim_options_set_auto_renew(options, false));
    OK(evrim_from_token(url, access_token, NULL, options, &client, &error));
    FAILS(EVRIM_ERROR_AUTHENTICATION, evrim_request(client, "GET", "reports/", NULL, 0, &response, &error));
    evrim_free(client);
    evrim_options_free(options);
    printf("renewed an expired token\n");
}

int main(int argc, char **argv)
{
    url = getenv("EVRIM_URL");
    username = getenv("EVRIM_USERNAME");
    password = getenv("EVRIM_PASSWORD");
    access_token = getenv("EVRIM_TOKEN");
    refresh_token = getenv("EVRIM_REFRESH_TOKEN");
    is_sandbox = getenv("EVRIM_SERVER") == NULL;
    CHECK(url && username && password && access_token && refresh_token);
    const char *mode = argc > 1 ? argv[1] : "";
    if (strcmp(mode, "expired") == 0) {
        check_expired();
        return EXIT_SUCCESS;
    }
    bool rotates = strcmp(mode, "rotates") == 0;

    evrim_error *error = NULL;
    evrim_client *client = NULL;
    OK(evrim_new(url, username, password, NULL, &client, &error));
    check_tokens(client, rotates);
    check_clone(client);
    check_report(client);
    check_research(client);
    evrim_free(client);
    check_existing_token(rotates);
    return EXIT_SUCCESS;
}
