/*
 * Defects on purpose, one for each argument: a sanitizer that does not report them would not report others.
 * Each is in the program's use of the library, and is noticed in the library's memory or code.
 */

#include <evrim.h>

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static evrim_client *client(void)
{
    evrim_options *options = evrim_options_new();
    evrim_client *made = NULL;
    if (evrim_options_set_validate_on_start(options, false) != EVRIM_OK
        || evrim_from_token("http://127.0.0.1:9", "access", "refresh", options, &made, NULL) != EVRIM_OK) {
        exit(2);
    }
    evrim_options_free(options);
    return made;
}

static evrim_error *error(void)
{
    evrim_error *made = NULL;
    evrim_client *none = NULL;
    if (evrim_from_token("no URL", "access", NULL, NULL, &none, &made) == EVRIM_OK) {
        exit(2);
    }
    return made;
}

static void *change(void *options)
{
    for (int number = 1; number < 2000; number++) {
        if (evrim_options_set_user_agent(options, "planted/1.0") != EVRIM_OK) {
            exit(2);
        }
    }
    return NULL;
}

/* A string that is borrowed from an error, after its end. */
static void use_after_free(void)
{
    evrim_error *made = error();
    const char *message = evrim_error_message(made);
    evrim_error_free(made);
    printf("%c\n", message[0]);
}

/* The byte behind a borrowed string. */
static void overflow(void)
{
    evrim_error *made = error();
    const char *message = evrim_error_message(made);
    printf("%d\n", message[strlen(message) + 1]);
    evrim_error_free(made);
}

static void free_twice(void)
{
    evrim_options *options = evrim_options_new();
    evrim_options_free(options);
    evrim_options_free(options);
}

static void leak(void)
{
    printf("%d\n", client() == NULL);
}

static void undefined(const char *one)
{
    printf("%d\n", INT_MAX - 1 + (int)strlen(one));
}

/* The library goes by a value that nobody has set. */
static void uninitialised(void)
{
    uint32_t *timeout = malloc(sizeof *timeout);
    evrim_options *options = evrim_options_new();
    if (timeout != NULL && evrim_options_set_timeout_ms(options, *timeout) != EVRIM_OK) {
        puts("refused");
    }
    evrim_options_free(options);
    free(timeout);
}

/* Options are for one thread at a time. */
static void race(void)
{
    evrim_options *options = evrim_options_new();
    pthread_t other;
    if (pthread_create(&other, NULL, change, options) != 0) {
        exit(2);
    }
    change(options);
    pthread_join(other, NULL);
    evrim_options_free(options);
}

int main(int count, char **arguments)
{
    const char *defect = count == 2 ? arguments[1] : "";
    if (strcmp(defect, "none") == 0) {
        evrim_free(client());
        evrim_error_free(error());
    } else if (strcmp(defect, "use-after-free") == 0) {
        use_after_free();
    } else if (strcmp(defect, "overflow") == 0) {
        overflow();
    } else if (strcmp(defect, "free-twice") == 0) {
        free_twice();
    } else if (strcmp(defect, "leak") == 0) {
        leak();
    } else if (strcmp(defect, "undefined") == 0) {
        undefined(defect);
    } else if (strcmp(defect, "uninitialised") == 0) {
        uninitialised();
    } else if (strcmp(defect, "race") == 0) {
        race();
    } else {
        return 2;
    }
    return 0;
}
