/* Loads the library, uses it and lets it go, again and again. Not linked with it. */

#include <evrim.h>

#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WARM = 20 };

#define CHECK(condition)                                                            \
    do {                                                                            \
        if (!(condition)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            exit(1);                                                                \
        }                                                                           \
    } while (0)

static void *library;

static void *symbol(const char *name)
{
    void *found = dlsym(library, name);
    CHECK(found != NULL);
    return found;
}

/* A function from a void *, as POSIX promises that it can be made. */
#define FIND(variable, name)                                \
    do {                                                    \
        void *found = symbol(name);                         \
        memcpy(&(variable), &found, sizeof(variable));      \
    } while (0)

static void use(void)
{
    evrim_status (*make)(const char *, const char *, const char *, const evrim_options *,
                         evrim_client **, evrim_error **);
    evrim_status (*request)(evrim_client *, const char *, const char *, const void *, size_t,
                            evrim_response **, evrim_error **);
    void (*free_response)(evrim_response *);
    void (*free_client)(evrim_client *);
    evrim_client *client;
    evrim_response *response;
    FIND(make, "evrim_new");
    FIND(request, "evrim_request");
    FIND(free_response, "evrim_response_free");
    FIND(free_client, "evrim_free");
    CHECK(make(getenv("EVRIM_URL"), getenv("EVRIM_USERNAME"), getenv("EVRIM_PASSWORD"), NULL,
               &client, NULL) == EVRIM_OK);
    CHECK(request(client, "GET", "reports/1/", NULL, 0, &response, NULL) == EVRIM_OK);
    free_response(response);
    free_client(client);
}

static long resident_kib(void)
{
    long pages = 0, all = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file != NULL);
    CHECK(fscanf(file, "%ld %ld", &all, &pages) == 2);
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static int threads(void)
{
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    CHECK(tasks != NULL);
    while (readdir(tasks) != NULL) {
        count++;
    }
    closedir(tasks);
    return count - 2;
}

static int open_files(void)
{
    int file, count = 0;
    for (file = 0; file < 256; file++) {
        int copy = dup(file);
        if (copy >= 0) {
            count++;
            close(copy);
        }
    }
    return count;
}

int main(int argc, char **argv)
{
    long before = 0, growth;
    int files = 0, i, times;
    CHECK(argc == 3);
    times = atoi(argv[2]);
    alarm(100 + (unsigned)times);
    for (i = 0; i < times; i++) {
        library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
        CHECK(library != NULL);
        use();
        CHECK(dlclose(library) == 0);
        if (i == WARM) {
            before = resident_kib();
            files = open_files();
        }
    }
    growth = resident_kib() - before;
    printf("grew by %ld KiB in %d rounds\n", growth, times - WARM);
    CHECK(growth < 1024);
    CHECK(open_files() == files);
    CHECK(threads() == 1);
    return 0;
}
