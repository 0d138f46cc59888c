/*
 * Does one call after the other as a test tells it to, and says all that came of each.
 *
 * A command is a line of fields with tabs between them; the answer is lines of name=value, and "end".
 */
#include <evrim.h>

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MOST_FIELDS 8

/* Access and refresh token before a call, and after it. */
struct pair {
    char *access;
    char *refresh;
};

static evrim_options *options;
static evrim_client *client;
static evrim_response *response;
static char password[256];

static void die(const char *why)
{
    fprintf(stderr, "dialogue: %s\n", why);
    exit(2);
}

static struct pair tokens(void)
{
    struct pair pair = {NULL, NULL};
    if (client == NULL)
        return pair;
    if (evrim_copy_access_token(client, &pair.access, NULL) != EVRIM_OK ||
        evrim_copy_refresh_token(client, &pair.refresh, NULL) != EVRIM_OK)
        die("the tokens can't be copied");
    return pair;
}

static void free_pair(struct pair pair)
{
    evrim_string_free(pair.access);
    evrim_string_free(pair.refresh);
}

static bool same(const char *one, const char *other)
{
    return one == other || (one != NULL && other != NULL && strcmp(one, other) == 0);
}

static bool holds(const char *text, size_t len, const char *secret)
{
    size_t at, wanted = secret == NULL ? 0 : strlen(secret);
    for (at = 0; wanted > 0 && at + wanted <= len; at++)
        if (memcmp(text + at, secret, wanted) == 0)
            return true;
    return false;
}

static bool tells_a_secret(const char *text, size_t len, struct pair known)
{
    return holds(text, len, password) || holds(text, len, known.access) ||
           holds(text, len, known.refresh);
}

static void say_error(evrim_error *error, struct pair known)
{
    const char *message = evrim_error_message(error);
    const char *code = evrim_error_server_code(error);
    const char *id = evrim_error_request_id(error);
    size_t len = 0;
    const uint8_t *body = evrim_error_body(error, &len);

    printf("message=%s\n", message);
    printf("http=%" PRId32 "\n", evrim_error_http_status(error));
    printf("code=%s\n", code ? code : "");
    printf("id=%s\n", id ? id : "");
    printf("retry_after_ms=%" PRId64 "\n", evrim_error_retry_after_ms(error));
    printf("retryable=%s\n", evrim_error_is_retryable(error) ? "yes" : "no");
    printf("sent=%s\n", evrim_error_may_have_been_sent(error) ? "yes" : "no");
    printf("body_len=%zu\n", len);
    if (strchr(message, '\n') != NULL)
        die("a message with a line break");
    if (tells_a_secret(message, strlen(message), known) ||
        (code != NULL && tells_a_secret(code, strlen(code), known)) ||
        (body != NULL && tells_a_secret((const char *)body, len, known)))
        die("an error that tells a secret");
    evrim_error_free(error);
}

/* What every call has to say, and that status and error are of one mind. */
static void say(evrim_status status, evrim_error *error, struct pair before)
{
    struct pair after = tokens();

    printf("status=%s\n", evrim_status_name(status));
    printf("client=%s\n", client ? "yes" : "no");
    printf("access=%s\n", same(before.access, after.access) ? "same" : "changed");
    printf("refresh=%s\n", same(before.refresh, after.refresh) ? "same" : "changed");
    if ((status == EVRIM_OK) != (error == NULL) || evrim_error_status(error) != status)
        die("status and error are not of one mind");
    if (error != NULL)
        say_error(error, before);
    free_pair(before);
    free_pair(after);
}

static void say_response(void)
{
    size_t len = 0;
    const uint8_t *body = evrim_response_body(response, &len);

    printf("response=%s\n", response ? "yes" : "no");
    if (response == NULL)
        return;
    printf("http=%" PRId32 "\n", evrim_response_status(response));
    printf("body_len=%zu\n", len);
    printf("body=");
    /* A body that fits on a line. */
    if (len < 20000 && (body == NULL || memchr(body, '\n', len) == NULL))
        fwrite(body ? (const void *)body : "", 1, len, stdout);
    printf("\n");
}

static unsigned long number(const char *text)
{
    char *end = NULL;
    unsigned long value;
    errno = 0;
    value = strtoul(text, &end, 10);
    if (errno != 0 || *end != '\0')
        die("not a number");
    return value;
}

static evrim_status set_option(const char *name, const char *value)
{
    bool yes = strcmp(value, "yes") == 0;
    if (strcmp(name, "timeout_ms") == 0)
        return evrim_options_set_timeout_ms(options, (uint32_t)number(value));
    if (strcmp(name, "connect_timeout_ms") == 0)
        return evrim_options_set_connect_timeout_ms(options, (uint32_t)number(value));
    if (strcmp(name, "total_timeout_ms") == 0)
        return evrim_options_set_total_timeout_ms(options, (uint32_t)number(value));
    if (strcmp(name, "retries") == 0)
        return evrim_options_set_retries(options, (uint32_t)number(value));
    if (strcmp(name, "max_body_size") == 0)
        return evrim_options_set_max_body_size(options, number(value));
    if (strcmp(name, "ca_file") == 0)
        return evrim_options_set_ca_file(options, value);
    if (strcmp(name, "validate_on_start") == 0)
        return evrim_options_set_validate_on_start(options, yes);
    if (strcmp(name, "allow_insecure_http") == 0)
        return evrim_options_set_allow_insecure_http(options, yes);
    if (strcmp(name, "auto_renew") == 0)
        return evrim_options_set_auto_renew(options, yes);
    if (strcmp(name, "user_agent") == 0)
        return evrim_options_set_user_agent(options, value);
    die("an option that is not known here");
    return EVRIM_OK;
}

/* One line of /proc/self/status, such as "VmHWM:", as a number. */
static unsigned long process_status(const char *name)
{
    char line[256];
    unsigned long value = 0;
    FILE *file = fopen("/proc/self/status", "r");
    if (file == NULL)
        die("no /proc");
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            value = strtoul(line + strlen(name), NULL, 10);
    fclose(file);
    return value;
}

static void begin(evrim_status status, evrim_error *error, const char *access)
{
    struct pair nothing = {NULL, NULL};
    if ((status == EVRIM_OK) != (client != NULL))
        die("a client without success, or success without a client");
    /* With no client yet, what must not be told is what was passed in. */
    if (client == NULL && access != NULL) {
        nothing.access = strdup(access);
        if (nothing.access == NULL)
            die("out of memory");
    }
    printf("status=%s\n", evrim_status_name(status));
    printf("client=%s\n", client ? "yes" : "no");
    if ((status == EVRIM_OK) != (error == NULL) || evrim_error_status(error) != status)
        die("status and error are not of one mind");
    if (error != NULL)
        say_error(error, nothing);
    free(nothing.access);
}

static void drop_client(void)
{
    evrim_free(client);
    client = NULL;
}

static void request(const char *method, const char *path, const void *body, size_t len)
{
    struct pair before = tokens();
    evrim_error *error = NULL;
    evrim_status status;

    evrim_response_free(response);
    response = NULL;
    status = evrim_request(client, method, path, body, len, &response, &error);
    say(status, error, before);
    if ((status == EVRIM_OK) != (response != NULL))
        die("a response without success, or success without a response");
    say_response();
}

/* What a download told and wrote; a limit ends it. */
struct heard {
    unsigned times;
    uint64_t done;
    int64_t total;
    uint64_t written;
    uint64_t sum;
    uint64_t stop_at;
    bool backwards;
    int pause_ms;
};

static bool hear_progress(void *user_data, uint64_t done, int64_t total)
{
    struct heard *heard = user_data;
    heard->times++;
    heard->backwards = heard->backwards || done < heard->done;
    heard->done = done;
    heard->total = total;
    return heard->stop_at == 0 || done < heard->stop_at;
}

/* Has enough when it has been called so often. */
static bool lose_patience(void *user_data, uint64_t done, int64_t total)
{
    struct heard *heard = user_data;
    hear_progress(user_data, done, total);
    return heard->times < 3;
}

/* The sum depends on each byte's place. */
static bool hear_bytes(void *user_data, const uint8_t *bytes, size_t len)
{
    struct heard *heard = user_data;
    size_t at;
    for (at = 0; at < len; at++)
        heard->sum += bytes[at] * (heard->written + at + 1);
    heard->written += len;
    if (heard->pause_ms > 0) {
        struct timespec pause = {0, heard->pause_ms * 1000000L};
        nanosleep(&pause, NULL);
    }
    return heard->stop_at == 0 || heard->written < heard->stop_at;
}

static void say_heard(const struct heard *heard)
{
    printf("times=%u\n", heard->times);
    printf("done=%" PRIu64 "\n", heard->done);
    printf("total=%" PRId64 "\n", heard->total);
    printf("written=%" PRIu64 "\n", heard->written);
    printf("sum=%" PRIu64 "\n", heard->sum);
    printf("backwards=%s\n", heard->backwards ? "yes" : "no");
}

/* The calls that go on for a while; false for any other. */
static bool obey_at_length(char **field)
{
    struct pair before = tokens();
    struct heard heard = {0, 0, -2, 0, 0, 0, false, 0};
    evrim_error *error = NULL;
    evrim_status status;
    char *saved_as = NULL;

    if (strcmp(field[0], "download") == 0) {
        heard.stop_at = field[3] ? number(field[3]) : 0;
        status = evrim_download(client, field[1], field[2], hear_progress, &heard, &saved_as, &error);
    } else if (strcmp(field[0], "download_stalled") == 0) {
        status = evrim_download(client, field[1], field[2], lose_patience, &heard, &saved_as, &error);
    } else if (strcmp(field[0], "download_report") == 0) {
        status = evrim_download_report(client, (int64_t)number(field[1]), field[2], field[3],
                                       hear_progress, &heard, &saved_as, &error);
    } else if (strcmp(field[0], "download_to") == 0) {
        heard.stop_at = field[2] ? number(field[2]) : 0;
        heard.pause_ms = field[2] && field[3] ? (int)number(field[3]) : 0;
        status = evrim_download_to(client, field[1], hear_bytes, hear_progress, &heard, &error);
    } else if (strcmp(field[0], "wait_for_task") == 0) {
        heard.stop_at = field[3] ? number(field[3]) : 0;
        evrim_response_free(response);
        response = NULL;
        status = evrim_wait_for_task(client, field[1], (uint32_t)number(field[2]), hear_progress,
                                     &heard, &response, &error);
        say(status, error, before);
        say_heard(&heard);
        say_response();
        return true;
    } else {
        free_pair(before);
        return false;
    }
    say(status, error, before);
    say_heard(&heard);
    printf("saved_as=%s\n", saved_as ? saved_as : "");
    evrim_string_free(saved_as);
    return true;
}

/* The named calls: get_reports, get_report 1, get_task ID and so on. */
static bool obey_by_name(char **field)
{
    typedef evrim_status list_fn(evrim_client *, evrim_response **, evrim_error **);
    typedef evrim_status item_fn(evrim_client *, int64_t, evrim_response **, evrim_error **);
    static const struct {
        const char *list_name;
        list_fn *list;
        const char *item_name;
        item_fn *item;
    } kinds[] = {
        {"get_reports", evrim_get_reports, "get_report", evrim_get_report},
        {"get_runs", evrim_get_runs, "get_run", evrim_get_run},
        {"get_sections", evrim_get_sections, "get_section", evrim_get_section},
        {"get_paragraphs", evrim_get_paragraphs, "get_paragraph", evrim_get_paragraph},
        {"get_tasks", evrim_get_tasks, "", NULL},
    };
    struct pair before = tokens();
    evrim_error *error = NULL;
    evrim_response *old = response;
    evrim_status status = EVRIM_ERROR_INTERNAL;
    bool known = true;
    size_t at;

    for (at = 0; at < sizeof kinds / sizeof kinds[0]; at++) {
        if (strcmp(field[0], kinds[at].list_name) == 0) {
            status = kinds[at].list(client, &response, &error);
            break;
        }
        if (strcmp(field[0], kinds[at].item_name) == 0) {
            status = kinds[at].item(client, strtoll(field[1], NULL, 10), &response, &error);
            break;
        }
    }
    if (at < sizeof kinds / sizeof kinds[0]) {
        /* One of the above. */
    } else if (strcmp(field[0], "get_task") == 0) {
        status = evrim_get_task(client, field[1], &response, &error);
    } else if (strcmp(field[0], "submit_research") == 0) {
        status = evrim_submit_research(client, field[1], field[2], field[3], field[4],
                                       field[4] ? field[5] : NULL,
                                       field[4] && field[5] ? field[6] : NULL, &response, &error);
    } else if (strcmp(field[0], "request_with") == 0) {
        evrim_request_options *extra = evrim_request_options_new();
        if (evrim_request_options_add_query(extra, "page", "1") != EVRIM_OK)
            die("no query");
        status = evrim_request_with(client, field[1], field[2], extra, &response, &error);
        evrim_request_options_free(extra);
    } else if (strcmp(field[0], "next_page") == 0) {
        status = evrim_next_page(client, old, &response, &error);
    } else {
        known = false;
    }
    if (!known) {
        free_pair(before);
        return false;
    }
    evrim_response_free(old);
    say(status, error, before);
    say_response();
    return true;
}

/* Makes the call; false for one that is not known. */
static bool obey(char **field)
{
    const char *call = field[0];
    evrim_error *error = NULL;
    evrim_status status;

    if (strcmp(call, "option") == 0) {
        printf("status=%s\n", evrim_status_name(set_option(field[1], field[2])));
    } else if (strcmp(call, "memory") == 0) {
        printf("peak_kb=%lu\n", process_status("VmHWM:"));
    } else if (strcmp(call, "header") == 0) {
        const char *value = evrim_response_header(response, field[1]);
        printf("value=%s\n", value ? value : "(none)");
    } else if (strcmp(call, "free") == 0) {
        drop_client();
    } else if (strcmp(call, "new") == 0) {
        drop_client();
        snprintf(password, sizeof password, "%s", field[3]);
        status = evrim_new(field[1], field[2], field[3], options, &client, &error);
        begin(status, error, NULL);
    } else if (strcmp(call, "from_token") == 0) {
        drop_client();
        status = evrim_from_token(field[1], field[2], field[3], options, &client, &error);
        begin(status, error, field[2]);
    } else if (strcmp(call, "from_env") == 0) {
        drop_client();
        status = evrim_from_env(options, &client, &error);
        begin(status, error, getenv("EVRIM_TOKEN"));
    } else if (strcmp(call, "set_token") == 0) {
        struct pair before = tokens();
        status = evrim_set_token(client, &error);
        say(status, error, before);
    } else if (strcmp(call, "refresh_token") == 0) {
        struct pair before = tokens();
        status = evrim_refresh_token(client, &error);
        say(status, error, before);
    } else if (strcmp(call, "validate_token") == 0) {
        struct pair before = tokens();
        bool valid = true;
        status = evrim_validate_token(client, &valid, &error);
        say(status, error, before);
        printf("valid=%s\n", valid ? "yes" : "no");
    } else if (strcmp(call, "request") == 0) {
        request(field[1], field[2], field[3], field[3] ? strlen(field[3]) : 0);
    } else if (strcmp(call, "upload") == 0) {
        size_t len = number(field[2]);
        char *body = malloc(len);
        if (body == NULL)
            die("out of memory");
        memset(body, 'x', len);
        body[0] = body[len - 1] = '"';
        request("POST", field[1], body, len);
        free(body);
    } else {
        return obey_at_length(field) || obey_by_name(field);
    }
    return true;
}

int main(void)
{
    static char line[1 << 17];

    /* As a program finds it that never thought of SIGPIPE. */
    signal(SIGPIPE, SIG_DFL);
    options = evrim_options_new();
    while (fgets(line, sizeof line, stdin) != NULL) {
        char *field[MOST_FIELDS] = {NULL};
        char *rest = line;
        int count = 0;
        line[strcspn(line, "\n")] = '\0';
        while (rest != NULL && count < MOST_FIELDS) {
            char *tab = strchr(rest, '\t');
            if (tab != NULL)
                *tab = '\0';
            field[count++] = rest;
            rest = tab != NULL ? tab + 1 : NULL;
        }
        if (!obey(field))
            die("a command that is not known");
        printf("end\n");
        fflush(stdout);
    }
    evrim_response_free(response);
    drop_client();
    evrim_options_free(options);
    return 0;
}
