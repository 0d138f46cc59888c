/*
 * Makes a client with options from its arguments, and calls with it.
 *
 *     options [NAME=VALUE | !NAME=VALUE]... [-- ACTION...]
 *
 * "!" before an option means that its setter must refuse the value: "refused STATUS" is printed. An action is a path to GET, "refresh", or
 * "new", which ends there. Each prints "STATUS MILLISECONDS HTTP-STATUS BODY-OR-MESSAGE".
 * The actions begin with a sign-in, or with EVRIM_TOKEN if "token" comes first.
 */

#include "trial.h"

static bool flag(const char *value)
{
    return strcmp(value, "true") == 0;
}

static const char *or_null(const char *value)
{
    return strcmp(value, "NULL") == 0 ? NULL : value;
}

/* "Name: value", or "Name" to take it out. */
static evrim_status set_header(evrim_options *options, const char *value)
{
    char name[256];
    const char *colon = strchr(value, ':');
    size_t length = colon == NULL ? strlen(value) : (size_t)(colon - value);
    CHECK(length < sizeof name);
    memcpy(name, value, length);
    name[length] = '\0';
    return evrim_options_set_header(options, name, colon == NULL ? NULL : colon + 2);
}

static evrim_status set_certificate(evrim_options *options, const char *value)
{
    char certificate[512];
    const char *comma = strchr(value, ',');
    CHECK(comma != NULL && (size_t)(comma - value) < sizeof certificate);
    memcpy(certificate, value, (size_t)(comma - value));
    certificate[comma - value] = '\0';
    return evrim_options_set_client_certificate(options, or_null(certificate), or_null(comma + 1));
}

static evrim_status set_ca_pem(evrim_options *options, const char *path)
{
    static char pem[1 << 16];
    size_t length;
    FILE *file;
    if (strcmp(path, "NULL") == 0) {
        return evrim_options_set_ca_pem(options, NULL, 0);
    }
    if (strcmp(path, "garbage") == 0) {
        return evrim_options_set_ca_pem(options, "garbage", 7);
    }
    file = fopen(path, "rb");
    CHECK(file != NULL);
    length = fread(pem, 1, sizeof pem, file);
    fclose(file);
    return evrim_options_set_ca_pem(options, pem, length);
}

static evrim_status set(evrim_options *options, const char *name, const char *value)
{
    uint32_t number = (uint32_t)strtoul(value, NULL, 10);
#define IS(wanted) (strcmp(name, wanted) == 0)
    if (IS("timeout")) {
        return evrim_options_set_timeout_ms(options, number);
    }
    if (IS("connect_timeout")) {
        return evrim_options_set_connect_timeout_ms(options, number);
    }
    if (IS("total_timeout")) {
        return evrim_options_set_total_timeout_ms(options, number);
    }
    if (IS("retries")) {
        return evrim_options_set_retries(options, number);
    }
    if (IS("max_body_size")) {
        return evrim_options_set_max_body_size(options, strtoull(value, NULL, 10));
    }
    if (IS("min_tls_version")) {
        return evrim_options_set_min_tls_version(options, (int32_t)strtol(value, NULL, 10));
    }
    if (IS("ca_file")) {
        return evrim_options_set_ca_file(options, or_null(value));
    }
    if (IS("crl_file")) {
        return evrim_options_set_crl_file(options, or_null(value));
    }
    if (IS("ca_pem")) {
        return set_ca_pem(options, value);
    }
    if (IS("system_ca")) {
        return evrim_options_set_system_ca(options, flag(value));
    }
    if (IS("client_certificate")) {
        return set_certificate(options, value);
    }
    if (IS("proxy")) {
        return evrim_options_set_proxy(options, or_null(value));
    }
    if (IS("header")) {
        return set_header(options, value);
    }
    if (IS("user_agent")) {
        return evrim_options_set_user_agent(options, or_null(value));
    }
    if (IS("validate_on_start")) {
        return evrim_options_set_validate_on_start(options, flag(value));
    }
    if (IS("allow_insecure_http")) {
        return evrim_options_set_allow_insecure_http(options, flag(value));
    }
    if (IS("auto_renew")) {
        return evrim_options_set_auto_renew(options, flag(value));
    }
    fprintf(stderr, "no option is called %s\n", name);
    exit(2);
}

static void tell(evrim_status status, double begin, const evrim_response *response,
                 evrim_error *error)
{
    size_t length = 0;
    const uint8_t *body = evrim_response_body(response, &length);
    printf("%s %.0f %d ", evrim_status_name(status), now_ms() - begin,
           (int)(status == EVRIM_OK ? evrim_response_status(response)
                                    : evrim_error_http_status(error)));
    if (status == EVRIM_OK) {
        /* A body may be large, and only the beginning matters; what is not ASCII might be cut in two. */
        size_t i;
        for (i = 0; i < length && i < 4000; i++) {
            putchar(body[i] >= ' ' && body[i] <= '~' ? body[i] : '?');
        }
        putchar('\n');
    } else {
        printf("%s\n", evrim_error_message(error));
    }
    fflush(stdout);
    evrim_error_free(error);
}

/* Changes everything that it can: no client that was made before may notice. */
static void spoil(evrim_options *options)
{
    CHECK(set(options, "timeout", "1") == EVRIM_OK);
    CHECK(set(options, "total_timeout", "1") == EVRIM_OK);
    CHECK(set(options, "proxy", "http://127.0.0.1:1") == EVRIM_OK);
    CHECK(set(options, "max_body_size", "1") == EVRIM_OK);
    CHECK(set(options, "header", "X-Spoilt: yes") == EVRIM_OK);
    CHECK(set(options, "user_agent", "spoilt") == EVRIM_OK);
    CHECK(set(options, "system_ca", "false") == EVRIM_OK);
}

int main(int argc, char **argv)
{
    evrim_options *options = evrim_options_new();
    evrim_client *client = NULL;
    evrim_error *error;
    evrim_status status;
    double begin;
    int at = 1;
    limit_time();
    CHECK(options != NULL);
    for (; at < argc && strcmp(argv[at], "--") != 0; at++) {
        bool refused = argv[at][0] == '!';
        char *name = argv[at] + refused;
        char *value = strchr(name, '=');
        CHECK(value != NULL);
        *value++ = '\0';
        status = set(options, name, value);
        /* Nothing but this is a setter's failure. */
        if (refused ? status == EVRIM_OK : status != EVRIM_OK) {
            fprintf(stderr, "%s=%s: %s\n", name, value, evrim_status_name(status));
            return 1;
        }
        if (refused) {
            printf("refused %s\n", evrim_status_name(status));
        }
        /* Nor does a setter take NULL for options. */
        CHECK(set(NULL, name, value) != EVRIM_OK);
    }
    if (++at >= argc) {
        evrim_options_free(options);
        return 0;
    }
    begin = now_ms();
    if (strcmp(argv[at], "token") == 0) {
        at++;
        status = evrim_from_token(variable("EVRIM_URL"), variable("EVRIM_TOKEN"),
                                  getenv("EVRIM_REFRESH_TOKEN"), options, &client, &error);
    } else {
        status = evrim_new(variable("EVRIM_URL"), variable("EVRIM_USERNAME"),
                           variable("EVRIM_PASSWORD"), options, &client, &error);
    }
    spoil(options);
    evrim_options_free(options);
    if (status != EVRIM_OK || strcmp(argv[at], "new") == 0) {
        tell(status, begin, NULL, error);
        evrim_free(client);
        return 0;
    }
    for (; at < argc; at++) {
        evrim_response *response = NULL;
        begin = now_ms();
        status = strcmp(argv[at], "refresh") == 0
                     ? evrim_refresh_token(client, &error)
                     : evrim_request(client, "GET", argv[at], NULL, 0, &response, &error);
        tell(status, begin, response, error);
        evrim_response_free(response);
    }
    evrim_free(client);
    return 0;
}
