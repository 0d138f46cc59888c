/*
 * Starts from an existing token, without a password, and keeps the session in a file for the next run.
 *
 *     cc existing_token.c -levrim -o existing_token
 *     EVRIM_URL=… EVRIM_TOKEN=… EVRIM_REFRESH_TOKEN=… ./existing_token session.txt
 */
#include <evrim.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *path = "session.txt", *url;

/* Reads a URL, an access token and, if there is one, a refresh token; true if that is a whole session. */
static bool load(char saved[3][4096])
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    saved[2][0] = '\0';
    int count = fscanf(file, "%4095s %4095s %4095s", saved[0], saved[1], saved[2]);
    fclose(file);
    return count >= 2;
}

/* Writes a new file that only its owner can read, then puts it in the place of the old one at once. */
static void save(void *user_data, const char *access, const char *refresh, int64_t expires_at)
{
    (void)user_data, (void)expires_at;
    char new_path[4096];
    snprintf(new_path, sizeof new_path, "%s.XXXXXX", path);
    int file = mkstemp(new_path); /* mode 0600 */
    if (file < 0 || dprintf(file, "%s\n%s\n%s\n", url, access, refresh ? refresh : "") < 0
        || fsync(file) != 0 || close(file) != 0 || rename(new_path, path) != 0)
        perror(path);
}

int main(int argc, char **argv)
{
    const char *access = getenv("EVRIM_TOKEN"), *refresh = getenv("EVRIM_REFRESH_TOKEN");
    char saved[3][4096];
    evrim_client *client = NULL;
    evrim_error *error = NULL;
    evrim_response *reports = NULL;

    url = getenv("EVRIM_URL");
    path = argc > 1 ? argv[1] : path;
    /* A saved token is for the server that it came from, and for no other. */
    bool resumed = url != NULL && load(saved) && strcmp(saved[0], url) == 0;
    if (resumed) {
        access = saved[1];
        refresh = saved[2];
    }
    refresh = refresh != NULL && refresh[0] != '\0' ? refresh : NULL;

    /* A saved access token may have expired: it is not asked about, and the first request renews it. */
    evrim_options *options = evrim_options_new();
    if (evrim_options_set_validate_on_start(options, !resumed) == EVRIM_OK
        && evrim_options_set_token_callback(options, save, NULL, NULL) == EVRIM_OK
        && evrim_from_token(url, access, refresh, options, &client, &error) == EVRIM_OK) {
        if (!resumed)
            save(NULL, access, refresh, -1);
        if (evrim_request(client, "GET", "reports/", NULL, 0, &reports, &error) == EVRIM_OK)
            printf("%s session, %zu reports\n", resumed ? "saved" : "new", evrim_response_count(reports, ""));
    }
    if (error != NULL)
        fprintf(stderr, "%s\n", evrim_error_message(error));
    if (resumed && evrim_error_status(error) == EVRIM_ERROR_AUTHENTICATION)
        unlink(path); /* It can't be renewed any more: the next run starts from the environment. */

    int result = reports != NULL ? EXIT_SUCCESS : EXIT_FAILURE;
    evrim_response_free(reports);
    evrim_error_free(error);
    evrim_options_free(options);
    evrim_free(client);
    return result;
}
