/*
 * A process whose memory runs out: while it is armed, no allocation of LARGE bytes or more succeeds. What is
 * as large as a caller or a server likes must then be an error, and the next call succeeds. The argument
 * names the case.
 */
#include "trial.h"

#include <stddef.h>

enum { LARGE = 1 << 20, HUGE_SIZE = 4 << 20 };

/* The C library's own, under the names that stay when the others are replaced. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static volatile int is_armed, refused;

static int is_refused(size_t size)
{
    if (!is_armed || size < LARGE) {
        return 0;
    }
    refused++;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    return is_refused(size) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return size != 0 && is_refused(count * size) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return is_refused(size) ? NULL : __libc_realloc(old, size);
}

int posix_memalign(void **place, size_t alignment, size_t size)
{
    *place = is_refused(size) ? NULL : __libc_memalign(alignment, size);
    return *place == NULL ? ENOMEM : 0;
}

static evrim_client *client;
static char *text;

static void expect_no_memory(evrim_status status, evrim_error *error)
{
    is_armed = 0;
    if (refused == 0) {
        fprintf(stderr, "nothing large was asked for\n");
        exit(1);
    }
    EXPECT(EVRIM_ERROR_IO, status, error);
    get_ok(client, "reports/1/");
    printf("%d refused\n", refused);
}

/* An answer of the size that the server says, and of one that it does not. */
static void answer(void)
{
    evrim_response *response = NULL;
    evrim_error *error = NULL;
    evrim_status status;
    is_armed = 1;
    status = evrim_request(client, "GET", "blob/4194304/", NULL, 0, &response, &error);
    CHECK(response == NULL);
    expect_no_memory(status, error);
}

static void answer_in_chunks(void)
{
    evrim_response *response = NULL;
    evrim_error *error = NULL;
    evrim_status status;
    is_armed = 1;
    status = evrim_request(client, "GET", "blob/4194304/?chunked", NULL, 0, &response, &error);
    CHECK(response == NULL);
    expect_no_memory(status, error);
}

/* A body of the caller's. */
static void body(void)
{
    evrim_response *response = NULL;
    evrim_error *error = NULL;
    evrim_status status;
    is_armed = 1;
    status = evrim_request(client, "POST", "echo/", text, HUGE_SIZE, &response, &error);
    expect_no_memory(status, error);
}

/* Nothing of a file is in memory as a whole. */
static bool take(void *data, const uint8_t *bytes, size_t len)
{
    (void)bytes;
    *(size_t *)data += len;
    return true;
}

static void streamed(void)
{
    size_t got = 0;
    evrim_error *error = NULL;
    evrim_status status;
    is_armed = 1;
    status = evrim_download_to(client, "blob/4194304/", take, NULL, &got, &error);
    is_armed = 0;
    EXPECT(EVRIM_OK, status, error);
    CHECK(got == HUGE_SIZE && refused == 0);
}

static evrim_response *large(void)
{
    evrim_response *response;
    evrim_error *error;
    evrim_status status = evrim_request(client, "POST", "echo/", text, HUGE_SIZE, &response, &error);
    EXPECT(EVRIM_OK, status, error);
    return response;
}

/* A value of an answer, copied. */
static void copy(void)
{
    evrim_response *response = large();
    evrim_error *error = NULL;
    evrim_status status;
    char *json = NULL;
    /* Read once, when first asked for: that takes what the header says it takes. */
    CHECK(evrim_response_count(response, "") > 0);
    is_armed = 1;
    status = evrim_response_copy_json(response, "", &json, &error);
    CHECK(json == NULL);
    expect_no_memory(status, error);
    evrim_response_free(response);
}

static void list(void)
{
    evrim_response *response = NULL;
    evrim_error *error = NULL;
    evrim_client *line = control_line();
    evrim_status status;
    fault(line, "GET /reports/", "huge:4m", 1);
    evrim_free(line);
    is_armed = 1;
    status = evrim_get_reports(client, &response, &error);
    CHECK(response == NULL);
    expect_no_memory(status, error);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } CASES[] = {
        {"answer", answer},     {"chunks", answer_in_chunks},
        {"body", body},         {"stream", streamed},
        {"copy", copy},         {"list", list},
    };
    size_t i;
    CHECK(argc == 2);
    limit_time();
    text = malloc(HUGE_SIZE + 1);
    CHECK(text != NULL);
    memset(text, 'x', HUGE_SIZE);
    text[0] = text[HUGE_SIZE - 1] = '"';
    text[HUGE_SIZE] = 0;
    client = sign_in(NULL);
    for (i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        if (strcmp(CASES[i].name, argv[1]) == 0) {
            CASES[i].run();
            evrim_free(client);
            free(text);
            return 0;
        }
    }
    return 2;
}
