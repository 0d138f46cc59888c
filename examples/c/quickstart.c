/*
 * Signs in, validates, refreshes and replaces the token, and reads a report.
 *
 *     cc quickstart.c -levrim -o quickstart
 *     EVRIM_URL=… EVRIM_USERNAME=… EVRIM_PASSWORD=… ./quickstart
 */
#include <evrim.h>

#include <stdio.h>
#include <stdlib.h>

/* Says what went wrong, frees the error, and gives the program's exit code. */
static int fail(const char *what, evrim_error *error)
{
    fprintf(stderr, "%s: %s\n", what, evrim_error_message(error));
    evrim_error_free(error);
    return EXIT_FAILURE;
}

static int use(evrim_client *client)
{
    evrim_error *error = NULL;
    bool valid = false;

    if (evrim_validate_token(client, &valid, &error) != EVRIM_OK)
        return fail("validate", error);
    printf("the token is %s\n", valid ? "valid" : "not valid");

    if (evrim_refresh_token(client, &error) != EVRIM_OK)
        return fail("refresh", error);
    printf("the access token was refreshed\n");

    if (evrim_set_token(client, &error) != EVRIM_OK)
        return fail("sign in again", error);
    printf("both tokens were replaced\n");

    evrim_response *report = NULL;
    if (evrim_request(client, "GET", "reports/1/", NULL, 0, &report, &error) != EVRIM_OK)
        return fail("report", error);

    const char *title = evrim_response_string(report, "/report/title");
    printf("report 1 is \"%s\", in %zu sections\n", title ? title : "(no title)",
           evrim_response_count(report, "/report/sections"));
    evrim_response_free(report);
    return EXIT_SUCCESS;
}

int main(void)
{
    const char *url = getenv("EVRIM_URL");
    const char *username = getenv("EVRIM_USERNAME");
    const char *password = getenv("EVRIM_PASSWORD");
    if (url == NULL || username == NULL || password == NULL) {
        fprintf(stderr, "set EVRIM_URL, EVRIM_USERNAME and EVRIM_PASSWORD\n");
        return EXIT_FAILURE;
    }

    evrim_client *client = NULL;
    evrim_error *error = NULL;
    if (evrim_new(url, username, password, NULL, &client, &error) != EVRIM_OK)
        return fail("sign in", error);
    printf("signed in to %s\n", url);

    int result = use(client);
    evrim_free(client);
    return result;
}
