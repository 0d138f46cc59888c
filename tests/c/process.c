/*
 * What a process may do to a library that lives in it: no descriptors, no disk, signals all the time, calls
 * while it ends. The argument names the case; the second is a folder.
 */
#define _GNU_SOURCE /* for unshare() */
#include "trial.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

static const char *folder;

static int entries(const char *path)
{
    int count = 0;
    DIR *open = opendir(path);
    CHECK(open != NULL);
    while (readdir(open) != NULL) {
        count++;
    }
    closedir(open);
    return count - 2;
}

static const char *in_folder(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static evrim_status download(evrim_client *client, evrim_error **error)
{
    return evrim_download(client, "blob/300000/", in_folder("file"), NULL, NULL, NULL, error);
}

/* Everything once; all of it succeeds. */
static void all_is_well(evrim_client *client)
{
    evrim_error *error;
    evrim_status status;
    bool valid;
    get_ok(client, "reports/1/");
    status = evrim_validate_token(client, &valid, &error);
    EXPECT(EVRIM_OK, status, error);
    CHECK(valid);
    status = evrim_refresh_token(client, &error);
    EXPECT(EVRIM_OK, status, error);
    status = evrim_set_token(client, &error);
    EXPECT(EVRIM_OK, status, error);
    status = download(client, &error);
    EXPECT(EVRIM_OK, status, error);
    CHECK(unlink(in_folder("file")) == 0);
}

/* ---- descriptors */

static void limit_descriptors(rlim_t count)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = count;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static void expect_ok_or_resources(evrim_status status, evrim_error *error)
{
    if (status != EVRIM_OK && status != EVRIM_ERROR_IO) {
        fprintf(stderr, "%s: %s\n", evrim_status_name((int32_t)status), evrim_error_message(error));
        exit(1);
    }
    CHECK((status == EVRIM_OK) == (error == NULL));
    evrim_error_free(error);
}

/* Without any descriptor, even in place of one that is closed; with none to spare, one, two and so on, until
 * there are enough. */
static void no_descriptors(void)
{
    evrim_client *line = control_line();
    int spare, failed[6] = {0}, used, i;
    for (spare = -1; spare <= 12; spare++) {
        evrim_options *options = evrim_options_new(), *others = evrim_options_new();
        evrim_client *client, *fresh = NULL;
        evrim_error *error = NULL;
        evrim_status status[6];
        char *before, *after;
        bool valid;
        CHECK(evrim_options_set_retries(options, 0) == EVRIM_OK);
        /* Connections of its own, for which everything is set up anew. */
        CHECK(evrim_options_set_retries(others, 0) == EVRIM_OK);
        CHECK(evrim_options_set_connect_timeout_ms(others, (uint32_t)(7001 + spare)) == EVRIM_OK);
        client = sign_in(options);
        before = access_token(client);
        control(line, "POST", "drop", NULL);
        sleep_ms(50);
        /* As many as there are: none is free below. */
        used = dup(0);
        CHECK(used >= 0);
        close(used);
        limit_descriptors((rlim_t)(spare < 0 ? 3 : used + spare));
        status[0] = evrim_validate_token(client, &valid, &error);
        expect_ok_or_resources(status[0], error);
        status[1] = get(client, "reports/1/", &error);
        expect_ok_or_resources(status[1], error);
        status[2] = download(client, &error);
        expect_ok_or_resources(status[2], error);
        status[3] = evrim_new(variable("EVRIM_URL"), variable("EVRIM_USERNAME"),
                              variable("EVRIM_PASSWORD"), others, &fresh, &error);
        expect_ok_or_resources(status[3], error);
        evrim_free(fresh);
        after = access_token(client);
        CHECK(strcmp(before, after) == 0);
        evrim_string_free(before);
        evrim_string_free(after);
        status[4] = evrim_refresh_token(client, &error);
        expect_ok_or_resources(status[4], error);
        status[5] = evrim_set_token(client, &error);
        expect_ok_or_resources(status[5], error);
        limit_descriptors(1024);
        for (i = 0; i < 6; i++) {
            failed[i] += status[i] != EVRIM_OK;
        }
        /* A download that failed has left nothing. */
        CHECK(entries(folder) == (status[2] == EVRIM_OK));
        (void)unlink(in_folder("file"));
        all_is_well(client);
        evrim_free(client);
        fresh = sign_in(others);
        all_is_well(fresh);
        evrim_free(fresh);
        evrim_options_free(options);
        evrim_options_free(others);
    }
    evrim_free(line);
    printf("of 14: validate %d, get %d, download %d, new %d, refresh %d, set %d failed\n", failed[0],
           failed[1], failed[2], failed[3], failed[4], failed[5]);
    for (i = 0; i < 6; i++) {
        /* The shortage was one, and it ended. */
        CHECK(failed[i] > 0 && failed[i] < 14);
    }
}

/* ---- a full disk */

static void expect_no_room(evrim_client *client)
{
    evrim_error *error;
    evrim_status status = download(client, &error);
    CHECK(status == EVRIM_ERROR_IO);
    CHECK(strlen(evrim_error_message(error)) > 0);
    printf("%s\n", evrim_error_message(error));
    evrim_error_free(error);
    CHECK(entries(folder) == 0);
    get_ok(client, "reports/1/");
}

static void files_may_not_be_large(void)
{
    evrim_client *client = sign_in(NULL);
    struct rlimit limit;
    struct sigaction ignore;
    memset(&ignore, 0, sizeof ignore);
    ignore.sa_handler = SIG_IGN;
    CHECK(sigaction(SIGXFSZ, &ignore, NULL) == 0);
    CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = 100000;
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    expect_no_room(client);
    limit.rlim_cur = limit.rlim_max;
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    all_is_well(client);
    evrim_free(client);
}

static void disk_is_full(void)
{
    evrim_client *client;
    /* For root alone. */
    if (unshare(CLONE_NEWNS) != 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", folder, "tmpfs", 0, "size=64k") != 0) {
        printf("skipped: no file system may be mounted here\n");
        return;
    }
    client = sign_in(NULL);
    expect_no_room(client);
    CHECK(umount(folder) == 0);
    all_is_well(client);
    evrim_free(client);
}

/* ---- signals */

static volatile sig_atomic_t interrupts;
static bool is_over;

static void on_signal(int number)
{
    (void)number;
    interrupts++;
}

static void *interrupt(void *data)
{
    pthread_t target = *(pthread_t *)data;
    while (!__atomic_load_n(&is_over, __ATOMIC_SEQ_CST)) {
        pthread_kill(target, SIGUSR1);
        sleep_ms(1);
    }
    return NULL;
}

/* A thousand a second, on the thread that makes the calls, whose system calls are not restarted. */
static void interrupted(void)
{
    evrim_client *line = control_line(), *client;
    evrim_error *error;
    evrim_status status;
    pthread_t self = pthread_self(), thread;
    struct sigaction action;
    double begin;
    int i;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    CHECK(pthread_create(&thread, NULL, interrupt, &self) == 0);
    for (i = 0; i < 20; i++) {
        client = sign_in(NULL);
        all_is_well(client);
        evrim_free(client);
    }
    client = sign_in(NULL);
    /* In the wait for an answer, between two attempts, and in the middle of a body. */
    fault(line, "GET /reports/1/", "delay:400ms", 1);
    begin = now_ms();
    get_ok(client, "reports/1/");
    CHECK(now_ms() - begin >= 400);
    fault(line, "GET /reports/1/", "status:503", 2);
    begin = now_ms();
    get_ok(client, "reports/1/");
    CHECK(now_ms() - begin >= 1000);
    fault(line, "GET /blob/300000/", "drip:20000:20ms", 1);
    status = download(client, &error);
    EXPECT(EVRIM_OK, status, error);
    /* And a timeout is neither early nor late for it. */
    {
        evrim_options *options = evrim_options_new();
        evrim_client *clone;
        CHECK(evrim_options_set_timeout_ms(options, 300) == EVRIM_OK);
        CHECK(evrim_options_set_retries(options, 0) == EVRIM_OK);
        EXPECT_STATUS(EVRIM_OK, evrim_clone(client, options, &clone, NULL));
        evrim_options_free(options);
        fault(line, "GET /reports/1/", "silent", 1);
        begin = now_ms();
        EXPECT_STATUS(EVRIM_ERROR_TIMEOUT, get(clone, "reports/1/", NULL));
        CHECK(now_ms() - begin >= 299 && now_ms() - begin < 20000);
        evrim_free(clone);
    }
    __atomic_store_n(&is_over, true, __ATOMIC_SEQ_CST);
    CHECK(pthread_join(thread, NULL) == 0);
    printf("%d interrupts\n", (int)interrupts);
    CHECK(interrupts > 500);
    evrim_free(client);
    evrim_free(line);
}

/* ---- the end of a thread, and of the process */

static evrim_client *kept;
static pthread_key_t key;
static volatile int calls_at_end;

/* A new client, and the one of before. */
static void use_all(void)
{
    evrim_client *fresh = sign_in(NULL), *clone;
    evrim_error *error;
    evrim_status status;
    get_ok(fresh, "reports/1/");
    evrim_free(fresh);
    all_is_well(kept);
    status = evrim_clone(kept, NULL, &clone, &error);
    EXPECT(EVRIM_OK, status, error);
    get_ok(clone, "reports/1/");
    evrim_free(clone);
    EXPECT_STATUS(EVRIM_ERROR_NOT_FOUND, get(kept, "reports/987654/", NULL));
    calls_at_end++;
}

static void at_end_of_thread(void *rounds)
{
    use_all();
    /* Again after all other destructors, in the next round of them. */
    if (rounds != (void *)&calls_at_end) {
        CHECK(pthread_setspecific(key, (void *)&calls_at_end) == 0);
    }
}

static void *short_life(void *makes_calls)
{
    CHECK(pthread_setspecific(key, &key) == 0);
    if (makes_calls != NULL) {
        get_ok(kept, "reports/1/");
    }
    return NULL;
}

static long heap_in_use(void)
{
    struct mallinfo2 heap = mallinfo2();
    return (long)(heap.uordblks + heap.hblkhd);
}

static void thread_ends(void)
{
    pthread_t thread;
    long before, left = LONG_MAX;
    int i, round;
    kept = sign_in(NULL);
    CHECK(pthread_key_create(&key, at_end_of_thread) == 0);
    for (i = 0; i < 10; i++) {
        /* One that has used the library before, and one that has not. */
        CHECK(pthread_create(&thread, NULL, short_life, i % 2 ? &key : NULL) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
    }
    CHECK(calls_at_end == 20);
    /* Of the one that has, nothing is left. What a connection reads into may have grown once; what a thread
       leaves is there each time. */
    for (round = 0; round < 5 && left > 2000; round++) {
        before = heap_in_use();
        for (i = 0; i < 100; i++) {
            CHECK(pthread_create(&thread, NULL, short_life, &key) == 0);
            CHECK(pthread_join(thread, NULL) == 0);
        }
        left = heap_in_use() - before;
        printf("%ld bytes are left of 100 threads\n", left);
    }
    CHECK(left <= 2000);
    all_is_well(kept);
    evrim_free(kept);
}

static void at_exit(void)
{
    use_all();
    printf("at exit: ok\n");
    fflush(stdout);
}

static void at_exit_last(void)
{
    use_all();
    evrim_free(kept);
    printf("at the very end: ok\n");
    fflush(stdout);
}

static void process_ends(void)
{
    /* Runs after the other, and after all that the library might have registered on its first use. */
    CHECK(atexit(at_exit_last) == 0);
    kept = sign_in(NULL);
    CHECK(atexit(at_exit) == 0);
    get_ok(kept, "reports/1/");
}

static void *never_ends(void *data)
{
    (void)data;
    for (;;) {
        evrim_error *error = NULL;
        (void)get(kept, "reports/1/", &error);
        evrim_error_free(error);
        if (evrim_refresh_token(kept, NULL) == EVRIM_ERROR_INTERNAL) {
            abort();
        }
    }
    return NULL;
}

/* exit() while threads are in the middle of calls, which nobody has told. */
static void process_ends_during_calls(void)
{
    pthread_t thread;
    int i;
    kept = sign_in(NULL);
    for (i = 0; i < 6; i++) {
        CHECK(pthread_create(&thread, NULL, never_ends, NULL) == 0);
    }
    CHECK(atexit(at_exit) == 0);
    sleep_ms(200);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } CASES[] = {
        {"descriptors", no_descriptors},
        {"file-size", files_may_not_be_large},
        {"disk", disk_is_full},
        {"interrupts", interrupted},
        {"thread", thread_ends},
        {"exit", process_ends},
        {"exit-during-calls", process_ends_during_calls},
    };
    size_t i;
    CHECK(argc == 3);
    folder = argv[2];
    limit_time();
    for (i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        if (strcmp(CASES[i].name, argv[1]) == 0) {
            CASES[i].run();
            return 0;
        }
    }
    return 2;
}
