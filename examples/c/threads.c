/*
 * One client in eight threads, a clone with a short timeout, and a clone that another thread cancels.
 *     cc threads.c -levrim -lpthread -o threads
 *     EVRIM_URL=… EVRIM_USERNAME=… EVRIM_PASSWORD=… ./threads
 */
#include <evrim.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 8, REPORTS = 25 };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* for the next line */
static int fetched = 0, stop = 0;

/* Every thread uses the same client. When the token is due for renewal, one of them does it for all. */
static void *fetch(void *client)
{
    for (int i = 0; i < REPORTS; i++) {
        evrim_response *report = NULL;
        evrim_status status = evrim_request(client, "GET", "reports/1/", NULL, 0, &report, NULL);
        pthread_mutex_lock(&lock);
        fetched += status == EVRIM_OK;
        pthread_mutex_unlock(&lock);
        evrim_response_free(report);
    }
    return NULL;
}

/* Asks for runs until it is told to stop. */
static void *watch(void *clone)
{
    for (bool done = false; !done;) {
        evrim_response *runs = NULL;
        evrim_status status = evrim_request(clone, "GET", "runs/", NULL, 0, &runs, NULL);
        evrim_response_free(runs);
        pthread_mutex_lock(&lock);
        done = stop != 0 || status != EVRIM_OK;
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

int main(void)
{
    evrim_client *client = NULL, *watcher = NULL, *impatient = NULL;
    evrim_error *error = NULL;
    bool valid = false;
    pthread_t threads[THREADS], watching;
    evrim_options *two_seconds = evrim_options_new();
    if (evrim_options_set_total_timeout_ms(two_seconds, 2000) != EVRIM_OK
        || evrim_from_env(NULL, &client, &error) != EVRIM_OK
        || evrim_clone(client, NULL, &watcher, &error) != EVRIM_OK
        || evrim_clone(client, two_seconds, &impatient, &error) != EVRIM_OK) {
        fprintf(stderr, "%s\n", evrim_error_message(error));
        exit(EXIT_FAILURE);
    }
    int refused = pthread_create(&watching, NULL, watch, watcher);
    for (int i = 0; i < THREADS; i++)
        refused |= pthread_create(&threads[i], NULL, fetch, client);
    if (refused != 0)
        exit(EXIT_FAILURE);

    evrim_status status = evrim_validate_token(impatient, &valid, NULL);
    printf("the impatient call: %s\n", evrim_status_name(status));
    pthread_mutex_lock(&lock);
    stop = 1;
    pthread_mutex_unlock(&lock);
    evrim_cancel(watcher); /* Ends the call that is running on this clone, and no other. */
    pthread_join(watching, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("%d of %d reports in %d threads\n", fetched, THREADS * REPORTS, THREADS);
    evrim_free(impatient);
    evrim_free(watcher);
    evrim_free(client);
    evrim_options_free(two_seconds);
    return fetched == THREADS * REPORTS ? EXIT_SUCCESS : EXIT_FAILURE;
}
