/*
 * Has something looked into, waits for its report, and saves that as a PDF. Ctrl-C ends it at any point.
 *     cc research.c -levrim -lpthread -o research
 *     EVRIM_URL=… EVRIM_USERNAME=… EVRIM_PASSWORD=… ./research https://example.org/ "Title" "What to find out" .
 */
#include "progress.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static sigset_t ctrl_c;

/* A signal handler may not call the library; a thread that waits for the signal may. */
static void *watch(void *client)
{
    int number;
    sigwait(&ctrl_c, &number);
    evrim_close(client); /* Ends the call that is running, and every later one. */
    return NULL;
}

/* A task does not say which report came of it, but each report names its task. -1 if none does. */
static int64_t report_of(const char *task_id, const evrim_response *reports)
{
    char pointer[64];
    int64_t id;
    for (size_t i = 0; i < evrim_response_count(reports, ""); i++) {
        snprintf(pointer, sizeof pointer, "/%zu/report/task", i);
        const char *task = evrim_response_string(reports, pointer);
        snprintf(pointer, sizeof pointer, "/%zu/id", i);
        if (task != NULL && strcmp(task, task_id) == 0 && evrim_response_int(reports, pointer, &id))
            return id;
    }
    return -1;
}

int main(int argc, char **argv)
{
    evrim_client *client = NULL;
    evrim_response *task = NULL, *ended = NULL, *reports = NULL;
    evrim_error *error = NULL;
    const char *id = NULL;
    char *saved_as = NULL;
    int64_t report = -1;
    pthread_t watcher;

    sigemptyset(&ctrl_c);
    sigaddset(&ctrl_c, SIGINT);
    if (argc != 5 || evrim_from_env(NULL, &client, &error) != EVRIM_OK
        || pthread_sigmask(SIG_BLOCK, &ctrl_c, NULL) != 0 || pthread_create(&watcher, NULL, watch, client) != 0) {
        fprintf(stderr, "%s\n", argc == 5 ? evrim_error_message(error) : "usage: research URL TITLE DESCRIPTION PLACE");
        exit(EXIT_FAILURE);
    }
    bool saved = evrim_submit_research(client, argv[1], argv[2], argv[3], NULL, NULL, NULL, &task, &error) == EVRIM_OK
        && evrim_response_require_string(task, "/task_id", &id, &error) == EVRIM_OK
        && evrim_wait_for_task(client, id, 30 * 60 * 1000, show_time, "research", &ended, &error) == EVRIM_OK
        && evrim_get_reports(client, &reports, &error) == EVRIM_OK && (report = report_of(id, reports)) >= 0
        && evrim_download_report(client, report, "pdf", argv[4], show_bytes, "PDF", &saved_as, &error) == EVRIM_OK;
    end_line();
    if (saved)
        printf("saved as %s\n", saved_as);
    else if (error != NULL) /* With its id, a task that goes on can be asked for later. */
        fprintf(stderr, "%s: %s\n", id != NULL ? id : "research", evrim_error_message(error));
    else
        fprintf(stderr, "%s: status %s and no report\n", id, evrim_response_string(ended, "/status"));

    pthread_kill(watcher, SIGINT); /* If it still waits. */
    pthread_join(watcher, NULL);
    evrim_string_free(saved_as);
    evrim_response_free(reports);
    evrim_response_free(ended);
    evrim_response_free(task);
    evrim_error_free(error);
    evrim_free(client);
    return saved ? EXIT_SUCCESS : EXIT_FAILURE;
}
