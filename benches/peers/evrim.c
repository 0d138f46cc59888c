/* libevrim; also reqwest::blocking, which is put behind the same functions. */
#include "../peer.h"

#include <evrim.h>
#include <string.h>

static void check(evrim_status status, evrim_error *error)
{
    if (status != EVRIM_OK)
        fail(evrim_error_message(error));
}

static void *open_client(const struct settings *settings)
{
    evrim_client *client = NULL;
    evrim_error *error = NULL;
    evrim_options *options = evrim_options_new();

    if (evrim_options_set_ca_file(options, settings->ca_file) != EVRIM_OK
        || evrim_options_set_system_ca(options, settings->system_ca) != EVRIM_OK)
        fail("the options are refused");
    check(evrim_new(settings->url, USERNAME, PASSWORD, options, &client, &error), error);
    evrim_options_free(options);
    return client;
}

static void *share_client(void *client)
{
    return client;
}

static size_t read_ten(evrim_response *response)
{
    size_t sum = evrim_response_count(response, count_at);
    for (int i = 0; i < STRINGS; i++)
        sum += strlen(evrim_response_string(response, string_at[i]));
    for (int i = 0; i < INTEGERS; i++) {
        int64_t value;
        if (!evrim_response_int(response, integer_at[i], &value))
            fail("no number where one was due");
        sum += (size_t)value;
    }
    return sum;
}

static struct outcome make_call(void *client, const struct call *call)
{
    struct outcome outcome = {0, 0};
    evrim_error *error = NULL;

    if (call->work == WORK_VALIDATE) {
        bool valid;
        check(evrim_validate_token(client, &valid, &error), error);
        if (!valid)
            fail("the token is refused");
        return outcome;
    }
    evrim_response *response;
    check(evrim_request(client, "GET", call->path, NULL, 0, &response, &error), error);
    evrim_response_body(response, &outcome.bytes);
    if (call->work == WORK_READ)
        outcome.read = read_ten(response);
    evrim_response_free(response);
    return outcome;
}

const struct peer peer = {open_client, share_client, make_call};
