/*
 * Measures one peer, and prints what it found as one line of JSON:
 *
 *     client PEER URL CA_FILE CA_BUNDLE system|file calls WORK PATH THREADS CALLS WARM_UP
 *     client PEER URL CA_FILE CA_BUNDLE system|file clients COUNT
 *
 * "calls" makes a client and CALLS calls, WARM_UP more before the clock starts, with THREADS threads;
 * "clients" makes COUNT clients, each with one call. Times are nanoseconds, memory is bytes.
 */
#define _GNU_SOURCE
#include "peer.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

struct worker {
    pthread_t thread;
    void *own;
    size_t warm_up, calls;
    struct outcome sum;
    uint64_t *times;
};

static const struct peer *peer_used;
static struct call call;
static pthread_barrier_t barrier;

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static uint64_t cpu(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return ((uint64_t)usage.ru_utime.tv_sec + (uint64_t)usage.ru_stime.tv_sec) * 1000000000
           + ((uint64_t)usage.ru_utime.tv_usec + (uint64_t)usage.ru_stime.tv_usec) * 1000;
}

/* A line of /proc/self/status. */
static long status(const char *name)
{
    char line[256];
    long value = -1;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
            value = strtol(line + strlen(name) + 1, NULL, 10);
    if (file == NULL || value < 0)
        fail("can't read /proc/self/status");
    fclose(file);
    return value;
}

static long memory(const char *name)
{
    return 1024 * status(name);
}

static void *work(void *data)
{
    struct worker *worker = data;

    pthread_barrier_wait(&barrier);
    for (size_t i = 0; i < worker->warm_up; i++)
        peer_used->call(worker->own, &call);
    pthread_barrier_wait(&barrier);
    /* Here the clock starts. */
    pthread_barrier_wait(&barrier);
    for (size_t i = 0; i < worker->calls; i++) {
        uint64_t begun = now();
        struct outcome outcome = peer_used->call(worker->own, &call);
        worker->times[i] = now() - begun;
        worker->sum.bytes += outcome.bytes;
        worker->sum.read += outcome.read;
    }
    pthread_barrier_wait(&barrier);
    /* Until the main thread has looked. */
    pthread_barrier_wait(&barrier);
    return NULL;
}

static int compare(const void *one, const void *other)
{
    uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)other;
    return (a > b) - (a < b);
}

static void measure_calls(void *client, void *first, uint64_t cold, size_t threads, size_t calls, size_t warm_up)
{
    size_t each = calls / threads;
    struct worker *workers = calloc(threads, sizeof *workers);
    uint64_t *times = calloc(calls + 1, sizeof *times);

    pthread_barrier_init(&barrier, NULL, (unsigned)threads + 1);
    for (size_t i = 0; i < threads; i++) {
        struct worker *worker = &workers[i];
        worker->own = i == 0 ? first : peer_used->thread(client);
        worker->warm_up = warm_up;
        worker->calls = each;
        worker->times = times + i * each;
        if (pthread_create(&worker->thread, NULL, work, worker) != 0)
            fail("can't make a thread");
    }
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    uint64_t cpu_begun = cpu(), begun = now();
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    uint64_t wall = now() - begun, cpu_used = cpu() - cpu_begun;
    long background = status("Threads") - 1 - (long)threads;
    long resident = memory("VmRSS"), peak = memory("VmHWM");
    pthread_barrier_wait(&barrier);

    struct outcome sum = {0, 0};
    for (size_t i = 0; i < threads; i++) {
        pthread_join(workers[i].thread, NULL);
        sum.bytes += workers[i].sum.bytes;
        sum.read += workers[i].sum.read;
    }
    size_t made = each * threads;
    qsort(times, made, sizeof *times, compare);
    printf("{\"requests\": %zu, \"calls\": %zu, \"bytes\": %zu, \"read\": %zu, \"cold\": %llu, \"wall\": %llu, "
           "\"cpu\": %llu, \"p50\": %llu, \"p99\": %llu, \"threads\": %ld, \"resident\": %ld, \"peak\": %ld}\n",
           2 + threads * (warm_up + each), made, sum.bytes, sum.read, (unsigned long long)cold,
           (unsigned long long)wall, (unsigned long long)cpu_used, (unsigned long long)times[made / 2],
           (unsigned long long)times[made - made / 100 - (made > 0)], background, resident, peak);
}

static void measure_clients(const struct settings *settings, size_t count)
{
    long one = memory("VmRSS"), one_thread = status("Threads");
    for (size_t i = 1; i < count; i++)
        peer_used->call(peer_used->thread(peer_used->open(settings)), &call);
    printf("{\"requests\": %zu, \"one\": %ld, \"all\": %ld, \"threads\": %ld}\n", 2 * count, one,
           memory("VmRSS"), status("Threads") - one_thread);
}

int main(int argc, char **argv)
{
    bool is_calls = argc == 12 && strcmp(argv[6], "calls") == 0;
    bool is_clients = argc == 8 && strcmp(argv[6], "clients") == 0;
    if (!is_calls && !is_clients)
        fail("usage: see client.c");
    struct settings settings = {argv[2], argv[3], argv[4], strcmp(argv[5], "system") == 0};

    /* The cold start: from a library that is not loaded to its first answer. */
    uint64_t begun = now();
    void *library = dlopen(argv[1], RTLD_LAZY | RTLD_LOCAL);
    peer_used = library == NULL ? NULL : dlsym(library, "peer");
    if (peer_used == NULL)
        fail(dlerror());
    void *client = peer_used->open(&settings);
    void *first = peer_used->thread(client);
    call = (struct call){WORK_GET, "paragraphs/1/"};
    peer_used->call(first, &call);
    uint64_t cold = now() - begun;

    if (is_clients) {
        measure_clients(&settings, strtoul(argv[7], NULL, 10));
        return EXIT_SUCCESS;
    }
    call.work = strcmp(argv[7], "read") == 0 ? WORK_READ : strcmp(argv[7], "validate") == 0 ? WORK_VALIDATE : WORK_GET;
    call.path = argv[8];
    measure_calls(client, first, cold, strtoul(argv[9], NULL, 10), strtoul(argv[10], NULL, 10),
                  strtoul(argv[11], NULL, 10));
    return EXIT_SUCCESS;
}
