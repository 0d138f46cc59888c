/*
 * What a call leaves behind: threads, memory, file descriptors.
 *
 *     transport threads     no thread is left by any call, from whichever thread it is made
 *     transport cycles N    signing in and freeing, N times over
 *     transport handles     a thousand clients and a thousand clones
 *
 * Each prints what it measured, as name=number.
 */
#include <evrim.h>

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HANDLES 1000

static const char *url;
static const char *username;
static const char *password;
static evrim_client *client;

/* `error` by its place: the call that fills it is an argument as well, and may come after it. */
static void check(evrim_status status, evrim_error **error, const char *what)
{
    if (status == EVRIM_OK)
        return;
    fprintf(stderr, "%s: %s\n", what, evrim_error_message(error ? *error : NULL));
    exit(1);
}

/* One line of /proc/self/status, such as "VmRSS:", as a number. */
static long process_status(const char *name)
{
    char line[256];
    long value = -1;
    FILE *file = fopen("/proc/self/status", "r");
    if (file == NULL)
        exit(2);
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            value = strtol(line + strlen(name), NULL, 10);
    fclose(file);
    return value;
}

static long open_files(void)
{
    long count = 0;
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL)
        exit(2);
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

/* A name look-up ends with its answer, on a thread of its own, which needs a moment to go. */
static long threads_when_settled(long wanted)
{
    const struct timespec moment = {0, 10 * 1000 * 1000};
    long threads = process_status("Threads:");
    int tries;
    for (tries = 0; tries < 500 && threads > wanted; tries++) {
        nanosleep(&moment, NULL);
        threads = process_status("Threads:");
    }
    return threads;
}

static evrim_client *sign_in(void)
{
    evrim_error *error = NULL;
    evrim_client *made = NULL;
    check(evrim_new(url, username, password, NULL, &made, &error), &error, "sign in");
    return made;
}

static void get(evrim_client *from, const char *path)
{
    evrim_error *error = NULL;
    evrim_response *response = NULL;
    check(evrim_request(from, "GET", path, NULL, 0, &response, &error), &error, path);
    evrim_response_free(response);
}

/* The calls that talk to the server, one for each number. */
static bool make_call(int which)
{
    evrim_error *error = NULL;
    evrim_client *made = NULL;
    bool valid = false;
    char *token = NULL;

    switch (which) {
    case 0:
        client = sign_in();
        return true;
    case 1:
        check(evrim_validate_token(client, &valid, &error), &error, "validate");
        return true;
    case 2:
        check(evrim_refresh_token(client, &error), &error, "refresh");
        return true;
    case 3:
        check(evrim_set_token(client, &error), &error, "sign in again");
        return true;
    case 4:
        get(client, "reports/1/");
        return true;
    case 5:
        check(evrim_copy_access_token(client, &token, &error), &error, "copy");
        check(evrim_from_token(url, token, NULL, NULL, &made, &error), &error, "from token");
        evrim_string_free(token);
        get(made, "echo/");
        evrim_free(made);
        return true;
    case 6:
        check(evrim_clone(client, NULL, &made, &error), &error, "clone");
        get(made, "echo/");
        evrim_free(made);
        return true;
    case 7:
        evrim_free(client);
        client = NULL;
        return true;
    default:
        return false;
    }
}

static void *on_a_thread(void *which)
{
    make_call(*(int *)which);
    return NULL;
}

static int threads(void)
{
    long before = process_status("Threads:");
    int fresh, which;

    for (fresh = 0; fresh < 2; fresh++) {
        for (which = 0; which < 8; which++) {
            if (fresh) {
                pthread_t thread;
                if (pthread_create(&thread, NULL, on_a_thread, &which) != 0 ||
                    pthread_join(thread, NULL) != 0)
                    exit(2);
            } else {
                make_call(which);
            }
            printf("left=%ld\n", threads_when_settled(before) - before);
        }
    }
    return 0;
}

static int cycles(long count)
{
    /* Enough for the allocator to have all that it will ever ask for at once. */
    long warm_up = count / 4 + 50;
    long threads_before, files_before, memory_before, done;

    for (done = 0; done < warm_up; done++)
        evrim_free(sign_in());
    threads_before = process_status("Threads:");
    files_before = open_files();
    memory_before = process_status("VmRSS:");
    for (done = 0; done < count; done++)
        evrim_free(sign_in());
    printf("cycles=%ld\n", done);
    printf("threads=%ld\n", threads_when_settled(threads_before) - threads_before);
    printf("files=%ld\n", open_files() - files_before);
    printf("kilobytes=%ld\n", process_status("VmRSS:") - memory_before);
    return 0;
}

static int handles(void)
{
    static evrim_client *made[HANDLES], *clones[HANDLES];
    evrim_options *options = evrim_options_new();
    evrim_error *error = NULL;
    const char *token = getenv("EVRIM_TOKEN");
    long memory, files;
    int at;

    check(evrim_options_set_validate_on_start(options, false), NULL, "option");
    check(evrim_from_token(url, token, NULL, options, &client, &error), &error, "from token");
    get(client, "echo/");

    memory = process_status("VmRSS:");
    files = open_files();
    for (at = 0; at < HANDLES; at++)
        check(evrim_from_token(url, token, NULL, options, &made[at], &error), &error, "from token");
    printf("client_bytes=%ld\n", (process_status("VmRSS:") - memory) * 1024 / HANDLES);
    memory = process_status("VmRSS:");
    for (at = 0; at < HANDLES; at++)
        check(evrim_clone(client, NULL, &clones[at], &error), &error, "clone");
    printf("clone_bytes=%ld\n", (process_status("VmRSS:") - memory) * 1024 / HANDLES);

    memory = process_status("VmRSS:");
    for (at = 0; at < HANDLES; at++) {
        get(made[at], "echo/");
        get(clones[at], "echo/");
    }
    printf("use_bytes=%ld\n", (process_status("VmRSS:") - memory) * 1024 / (2 * HANDLES));
    printf("files=%ld\n", open_files() - files);
    for (at = 0; at < HANDLES; at++) {
        evrim_free(made[at]);
        evrim_free(clones[at]);
    }
    evrim_free(client);
    evrim_options_free(options);
    return 0;
}

int main(int argc, char **argv)
{
    url = getenv("EVRIM_URL");
    username = getenv("EVRIM_USERNAME");
    password = getenv("EVRIM_PASSWORD");
    if (argc > 1 && strcmp(argv[1], "threads") == 0)
        return threads();
    if (argc > 2 && strcmp(argv[1], "cycles") == 0)
        return cycles(strtol(argv[2], NULL, 10));
    if (argc > 1 && strcmp(argv[1], "handles") == 0)
        return handles();
    fprintf(stderr, "transport threads | cycles N | handles\n");
    return 2;
}
