/* Looks for passwords and tokens in its own memory once the clients are freed. The argument is the case. */

#include "trial.h"

#include <fcntl.h>
#include <stdint.h>

/* What the program itself knows of a secret is kept under this mask. */
enum { MASK = 0x5a, PIECE = 20, MOST_PIECES = 256, CHUNK = 1 << 20 };

struct piece {
    unsigned char masked[PIECE];
    size_t length;
    char name[40];
};

static struct piece pieces[MOST_PIECES];
static size_t piece_count;

/* "demo-password" */
static const unsigned char PASSWORD[] = {0x3e, 0x3f, 0x37, 0x35, 0x77, 0x2a, 0x3b,
                                         0x29, 0x29, 0x2d, 0x35, 0x28, 0x3e};
/* "wrong-secret-word" */
static const unsigned char WRONG[] = {0x2d, 0x28, 0x35, 0x34, 0x3d, 0x77, 0x29, 0x3f, 0x39,
                                      0x28, 0x3f, 0x2e, 0x77, 0x2d, 0x35, 0x28, 0x3e};

static evrim_client *line;

static void wipe(void *data, size_t length)
{
    volatile unsigned char *bytes = data;
    while (length-- > 0) {
        *bytes++ = 0;
    }
}

static void add_piece(const char *name, const char *text, size_t length)
{
    struct piece *piece = &pieces[piece_count];
    size_t i;
    CHECK(piece_count < MOST_PIECES && length <= PIECE);
    for (i = 0; i < length; i++) {
        piece->masked[i] = (unsigned char)(text[i] ^ MASK);
    }
    piece->length = length;
    snprintf(piece->name, sizeof piece->name, "%s", name);
    piece_count++;
}

static void add_masked(const char *name, const unsigned char *masked, size_t length)
{
    struct piece *piece = &pieces[piece_count++];
    memcpy(piece->masked, masked, length);
    piece->length = length;
    snprintf(piece->name, sizeof piece->name, "%s", name);
}

/* Of a token its signature, in two pieces: the rest is no secret, or the same in many. */
static void add_token(const char *name, char *token)
{
    size_t length;
    if (token == NULL) {
        return;
    }
    length = strlen(token);
    CHECK(length > 2 * PIECE);
    add_piece(name, token + length - PIECE, PIECE);
    add_piece(name, token + length - 2 * PIECE, PIECE);
}

static void note_tokens(evrim_client *client, const char *when)
{
    char name[40];
    char *access = access_token(client), *refresh = refresh_token(client);
    snprintf(name, sizeof name, "access token %s", when);
    add_token(name, access);
    snprintf(name, sizeof name, "refresh token %s", when);
    add_token(name, refresh);
    evrim_string_free(access);
    evrim_string_free(refresh);
}

static char chunk[CHUNK];

static bool is_piece(const char *at, const struct piece *piece)
{
    size_t i;
    for (i = 0; i < piece->length; i++) {
        if ((unsigned char)at[i] != (piece->masked[i] ^ MASK)) {
            return false;
        }
    }
    return true;
}

static int search(const char *where, unsigned long address, size_t length, bool tell)
{
    int found = 0;
    size_t p;
    for (p = 0; p < piece_count; p++) {
        const struct piece *piece = &pieces[p];
        const char *at = chunk, *end = chunk + length;
        while ((size_t)(end - at) >= piece->length) {
            at = memchr(at, piece->masked[0] ^ MASK, (size_t)(end - at) - piece->length + 1);
            if (at == NULL) {
                break;
            }
            if (is_piece(at, piece)) {
                found++;
                if (tell) {
                    const char *from = at - chunk > 160 ? at - 160 : chunk;
                    fprintf(stderr, "found: %s at %lx in %s, after \"", piece->name,
                            address + (unsigned long)(at - chunk), where);
                    for (; from < at + piece->length && from < end; from++) {
                        fputc(*from >= ' ' && *from <= '~' ? *from : '.', stderr);
                    }
                    fputs("\"\n", stderr);
                }
            }
            at++;
        }
    }
    return found;
}

/* How often secrets are in the writable memory of this process. */
static int scan(bool tell)
{
    char text[512];
    int found = 0;
    int memory = open("/proc/self/mem", O_RDONLY);
    FILE *maps = fopen("/proc/self/maps", "r");
    CHECK(memory >= 0 && maps != NULL);
    setvbuf(stderr, NULL, _IONBF, 0);
    while (fgets(text, sizeof text, maps) != NULL) {
        unsigned long start, end, at;
        char access[8], where[256] = "memory without a name";
        CHECK(sscanf(text, "%lx-%lx %7s %*s %*s %*s %255[^\n]", &start, &end, access, where) >= 3);
        if (access[0] != 'r' || access[1] != 'w') {
            continue;
        }
        for (at = start; at < end;) {
            unsigned long own = (unsigned long)chunk, next;
            size_t length = end - at < CHUNK ? end - at : CHUNK;
            ssize_t got;
            /* Not the buffer that all this is read into. */
            if (at >= own && at < own + CHUNK) {
                at = own + CHUNK;
                continue;
            }
            if (at < own && at + length > own) {
                length = own - at;
            }
            got = pread(memory, chunk, length, (off_t)at);
            if (got <= 0) {
                break;
            }
            found += search(where, at, (size_t)got, tell);
            next = at + (unsigned long)got;
            /* What lies across two chunks is seen with the second. */
            at = next < end && got > PIECE && next != own ? next - PIECE : next;
        }
    }
    fclose(maps);
    close(memory);
    wipe(chunk, sizeof chunk);
    return found;
}

static evrim_client *sign_in_as(const unsigned char *masked, size_t length,
                                evrim_status *status)
{
    char password[32];
    evrim_client *client;
    evrim_error *error;
    size_t i;
    for (i = 0; i < length; i++) {
        password[i] = (char)(masked[i] ^ MASK);
    }
    password[length] = '\0';
    *status = evrim_new(variable("EVRIM_URL"), variable("EVRIM_USERNAME"), password, NULL,
                        &client, &error);
    wipe(password, sizeof password);
    evrim_error_free(error);
    return client;
}

static evrim_client *signed_in(void)
{
    evrim_status status;
    evrim_client *client = sign_in_as(PASSWORD, sizeof PASSWORD, &status);
    EXPECT_STATUS(EVRIM_OK, status);
    note_tokens(client, "of the sign-in");
    return client;
}

static void requests(evrim_client *client)
{
    evrim_error *error;
    evrim_status status;
    evrim_response *response;
    bool valid;
    static const char BODY[] = "{\"title\": \"x\"}";
    get_ok(client, "reports/");
    status = evrim_request(client, "POST", "echo/", BODY, sizeof BODY - 1, &response, &error);
    EXPECT(EVRIM_OK, status, error);
    /* The echo quotes the token; that is the body's holder's affair until it is freed. */
    evrim_response_free(response);
    status = evrim_validate_token(client, &valid, &error);
    EXPECT(EVRIM_OK, status, error);
    CHECK(valid);
}

static void refreshes(evrim_client *client)
{
    evrim_error *error;
    int i;
    for (i = 0; i < 3; i++) {
        evrim_status status = evrim_refresh_token(client, &error);
        EXPECT(EVRIM_OK, status, error);
        note_tokens(client, "of a refresh");
        get_ok(client, "reports/1/");
    }
}

static void renewal(evrim_client *client)
{
    evrim_error *error;
    evrim_status status;
    control(line, "POST", "revoke", NULL);
    get_ok(client, "reports/");
    note_tokens(client, "of the renewal");
    status = evrim_set_token(client, &error);
    EXPECT(EVRIM_OK, status, error);
    note_tokens(client, "of set_token");
}

static void failures(evrim_client *client)
{
    evrim_error *error;
    evrim_status status;
    evrim_client *none;
    static const char *const KINDS[] = {"status:500", "cut",     "truncate:20", "html",
                                        "garbage",    "length:9"};
    size_t i;
    for (i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        fault(line, "POST /token/refresh/", KINDS[i], 0);
        status = evrim_refresh_token(client, &error);
        CHECK(status != EVRIM_OK);
        evrim_error_free(error);
        clear_faults(line);
        fault(line, "GET /reports/", KINDS[i], 0);
        (void)!get(client, "reports/", &error);
        evrim_error_free(error);
        clear_faults(line);
        note_tokens(client, "of a failure");
    }
    none = sign_in_as(WRONG, sizeof WRONG, &status);
    EXPECT_STATUS(EVRIM_ERROR_AUTHENTICATION, status);
    CHECK(none == NULL);
    /* An answer that was cut short took the new refresh token with it. */
    status = evrim_set_token(client, &error);
    EXPECT(EVRIM_OK, status, error);
    note_tokens(client, "after the failures");
}

static void cancels(evrim_client *client)
{
    static const enum call CALLS[] = {GET_REPORTS, VALIDATE, REFRESH, SET_TOKEN};
    size_t i;
    for (i = 0; i < sizeof CALLS / sizeof *CALLS; i++) {
        struct caller caller;
        long long total = counter(line, "/total");
        fault(line, "*", "silent", 0);
        start(&caller, client, CALLS[i]);
        await_counter(line, "/total", total + 1);
        evrim_cancel(client);
        join(&caller);
        EXPECT_STATUS(EVRIM_ERROR_CANCELLED, caller.status);
        clear_faults(line);
    }
}

static void from_token(evrim_client *client)
{
    char *access = access_token(client), *refresh = refresh_token(client);
    evrim_client *second, *clone;
    evrim_error *error;
    evrim_status status = evrim_from_token(variable("EVRIM_URL"), access, refresh, NULL, &second,
                                           &error);
    evrim_string_free(access);
    evrim_string_free(refresh);
    EXPECT(EVRIM_OK, status, error);
    get_ok(second, "reports/");
    status = evrim_refresh_token(second, &error);
    EXPECT(EVRIM_OK, status, error);
    note_tokens(second, "of a second client");
    status = evrim_clone(second, NULL, &clone, &error);
    EXPECT(EVRIM_OK, status, error);
    evrim_free(second);
    get_ok(clone, "reports/");
    evrim_free(clone);
    /* Where refresh tokens rotate, the second client has used up the first one's. */
    status = evrim_set_token(client, &error);
    EXPECT(EVRIM_OK, status, error);
    note_tokens(client, "after a second client");
}

static void busy(evrim_client *client)
{
    enum { THREADS = 12 };
    struct caller callers[THREADS];
    int i;
    for (i = 0; i < THREADS; i++) {
        start(&callers[i], client, i % 4 == 3 ? VALIDATE : GET_REPORTS);
    }
    for (i = 0; i < THREADS; i++) {
        join(&callers[i]);
        EXPECT_STATUS(EVRIM_OK, callers[i].status);
    }
}

/* Another client that shares the connections and lives on. */
static evrim_client *other;

static void beside_another(evrim_client *client)
{
    evrim_options *options = evrim_options_new();
    evrim_error *error;
    evrim_status status;
    CHECK(evrim_options_set_validate_on_start(options, false) == EVRIM_OK);
    status = evrim_from_token(variable("EVRIM_URL"), "another", NULL, options, &other, &error);
    evrim_options_free(options);
    EXPECT(EVRIM_OK, status, error);
    requests(client);
    refreshes(client);
    busy(client);
}

/* A handle with connections of its own, which it shares with a client that lives on. */
static void clone_beside_another(evrim_client *client)
{
    evrim_options *options = evrim_options_new();
    evrim_error *error;
    evrim_status status;
    evrim_client *clone;
    CHECK(evrim_options_set_connect_timeout_ms(options, 4321) == EVRIM_OK);
    CHECK(evrim_options_set_validate_on_start(options, false) == EVRIM_OK);
    status = evrim_from_token(variable("EVRIM_URL"), "another", NULL, options, &other, &error);
    EXPECT(EVRIM_OK, status, error);
    status = evrim_clone(client, options, &clone, &error);
    EXPECT(EVRIM_OK, status, error);
    evrim_options_free(options);
    busy(clone);
    evrim_free(clone);
}

static void nothing(evrim_client *client)
{
    (void)client;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(evrim_client *client);
    } CASES[] = {
        {"sign-in", nothing},   {"requests", requests}, {"refreshes", refreshes},
        {"renewal", renewal},   {"failures", failures}, {"cancels", cancels},
        {"from-token", from_token}, {"busy", busy}, {"beside-another", beside_another},
        {"clone-beside-another", clone_beside_another},
    };
    size_t i;
    int ran = 0;
    evrim_client *client;
    alarm(100);
    CHECK(argc == 2);
    line = control_line();
    add_masked("password", PASSWORD, sizeof PASSWORD);
    add_masked("wrong password", WRONG, sizeof WRONG);
    client = signed_in();
    for (i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        bool is_beside = CASES[i].run == clone_beside_another;
        if ((strcmp(argv[1], "all") == 0 && !is_beside) || strcmp(argv[1], CASES[i].name) == 0) {
            CASES[i].run(client);
            ran++;
        }
    }
    CHECK(ran > 0);
    evrim_free(line);
    /* The search is worth something: it finds what must be there. */
    i = (size_t)scan(false);
    CHECK(i >= 2);
    evrim_free(client);
    if (other != NULL) {
        /* A session that never comes about leaves no more than one that ends. */
        evrim_status status;
        CHECK(sign_in_as(WRONG, sizeof WRONG, &status) == NULL);
        EXPECT_STATUS(EVRIM_ERROR_AUTHENTICATION, status);
    }
    printf("%s: %d pieces of secrets, found %d times while the client lived\n", argv[1],
           (int)piece_count, (int)i);
    CHECK(scan(true) == 0);
    evrim_free(other);
    return 0;
}
