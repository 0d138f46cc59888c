/*
 * What can go wrong, and what to do about it: the status decides, the message is for people.
 *
 *     cc errors.c -levrim -o errors
 *     EVRIM_URL=… EVRIM_USERNAME=… EVRIM_PASSWORD=… ./errors
 */
#include <evrim.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* What a program would do. The library has already waited and tried again where that was of use. */
static const char *advice(const evrim_error *error)
{
    switch (evrim_error_status(error)) {
    case EVRIM_ERROR_INVALID_URL:
    case EVRIM_ERROR_INSECURE_URL:
    case EVRIM_ERROR_REDIRECT:
        return "correct the URL in the settings";
    case EVRIM_ERROR_NO_CREDENTIALS:
    case EVRIM_ERROR_NO_REFRESH_TOKEN:
    case EVRIM_ERROR_AUTHENTICATION:
        return "ask for the password"; /* The same one again could lock the account. */
    case EVRIM_ERROR_PERMISSION:
        return "ask for the right to do that";
    case EVRIM_ERROR_NOT_FOUND:
        return "forget this report";
    case EVRIM_ERROR_TLS:
        return "check the clock and the CA file"; /* Never go on without TLS. */
    case EVRIM_ERROR_CANCELLED:
        return "nothing: it was our wish";
    default: /* Later versions have more codes. */
        if (!evrim_error_is_retryable(error))
            return "tell the user, and log it";
        if (evrim_error_may_have_been_sent(error))
            return "try again later; after a POST, first look whether it was done";
        return "try again later";
    }
}

static void show(const char *what, evrim_error *error)
{
    int64_t wait = evrim_error_retry_after_ms(error);
    printf("%s: %s\n    %s\n", what, evrim_status_name(evrim_error_status(error)), evrim_error_message(error));
    printf("    -> %s", error != NULL ? advice(error) : "go on");
    if (wait >= 0)
        printf(", in %" PRId64 " s", (wait + 999) / 1000);
    if (evrim_error_request_id(error) != NULL) /* The operators can find the request by it. */
        fprintf(stderr, "%s: request id %s\n", what, evrim_error_request_id(error));
    printf("\n");
    evrim_error_free(error);
}

int main(void)
{
    const char *url = getenv("EVRIM_URL"), *username = getenv("EVRIM_USERNAME");
    const char *password = getenv("EVRIM_PASSWORD");
    evrim_client *client = NULL;
    evrim_response *response = NULL;
    evrim_error *error = NULL;

    if (evrim_new(url, username, "wrong", NULL, &client, &error) != EVRIM_OK)
        show("a wrong password", error);
    if (evrim_new("http://127.0.0.1:1", username, password, NULL, &client, &error) != EVRIM_OK)
        show("a port where nobody listens", error);
    if (evrim_new("http://evrim.example", username, password, NULL, &client, &error) != EVRIM_OK)
        show("plain http to another host", error);
    if (evrim_new("evrim.example", username, password, NULL, &client, &error) != EVRIM_OK)
        show("no URL", error);

    if (evrim_new(url, username, password, NULL, &client, &error) != EVRIM_OK
        || evrim_request(client, "GET", "reports/999999/", NULL, 0, &response, &error) != EVRIM_OK)
        show("an unknown report", error);
    evrim_response_free(response);
    evrim_free(client);
    return EXIT_SUCCESS;
}
