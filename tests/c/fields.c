/*
 * Reads a report field by field, by types, keys and pointers alone, and writes it down again as JSON: the
 * test compares it with what the server sent. Then asks for the same things again, which allocates nothing.
 */
#include "trial.h"

#include <inttypes.h>
#include <malloc.h>

static evrim_response *response;

/* A member's name as a token of a pointer. */
static void append_name(char *pointer, size_t room, const char *name)
{
    size_t at = strlen(pointer);
    pointer[at++] = '/';
    for (; *name != '\0'; name++) {
        CHECK(at + 3 < room);
        if (*name == '~' || *name == '/') {
            pointer[at++] = '~';
            pointer[at++] = *name == '~' ? '0' : '1';
        } else {
            pointer[at++] = *name;
        }
    }
    pointer[at] = '\0';
}

static void write_string(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\')
            printf("\\%c", byte);
        else if (byte == '\n')
            printf("\\n");
        else if (byte < 0x20)
            printf("\\u%04x", byte);
        else
            putchar(byte);
    }
    putchar('"');
}

static void write_value(const char *pointer)
{
    char inner[512];
    size_t at, count = evrim_response_count(response, pointer);
    int64_t integer;
    double real;
    bool flag;

    switch (evrim_response_type(response, pointer)) {
    case EVRIM_JSON_NONE:
        CHECK(!"there is something");
        break;
    case EVRIM_JSON_NULL:
        CHECK(evrim_response_string(response, pointer) == NULL);
        printf("null");
        break;
    case EVRIM_JSON_BOOL:
        CHECK(evrim_response_bool(response, pointer, &flag));
        printf(flag ? "true" : "false");
        break;
    case EVRIM_JSON_INT:
        CHECK(evrim_response_int(response, pointer, &integer));
        printf("%" PRId64, integer);
        break;
    case EVRIM_JSON_DOUBLE:
        CHECK(evrim_response_double(response, pointer, &real));
        printf("%.17g", real);
        break;
    case EVRIM_JSON_STRING:
        write_string(evrim_response_string(response, pointer));
        break;
    case EVRIM_JSON_ARRAY:
        CHECK(evrim_response_key(response, pointer, 0) == NULL);
        for (at = 0; at < count; at++) {
            snprintf(inner, sizeof inner, "%s/%zu", pointer, at);
            putchar(at == 0 ? '[' : ',');
            write_value(inner);
        }
        printf(count == 0 ? "[]" : "]");
        break;
    case EVRIM_JSON_OBJECT:
        for (at = 0; at < count; at++) {
            const char *name = evrim_response_key(response, pointer, at);
            snprintf(inner, sizeof inner, "%s", pointer);
            append_name(inner, sizeof inner, name);
            putchar(at == 0 ? '{' : ',');
            write_string(name);
            putchar(':');
            write_value(inner);
        }
        CHECK(evrim_response_key(response, pointer, count) == NULL);
        printf(count == 0 ? "{}" : "}");
        break;
    }
}

static void read_again(void)
{
    static const char *const pointers[] = {"/report/title", "/a~1b/~0", "/report/sections/0/title", "/none"};
    size_t round, at;
    struct mallinfo2 before, after;

    for (at = 0; at < 4; at++)
        evrim_response_string(response, pointers[at]);
    before = mallinfo2();
    for (round = 0; round < 1000; round++) {
        for (at = 0; at < 4; at++) {
            const char *first = evrim_response_string(response, pointers[at]);
            CHECK(evrim_response_string(response, pointers[at]) == first);
            evrim_response_type(response, pointers[at]);
            evrim_response_count(response, pointers[at]);
        }
    }
    after = mallinfo2();
    CHECK(after.uordblks == before.uordblks && after.fordblks == before.fordblks);
}

static void require(void)
{
    evrim_status status;
    evrim_error *error;
    const char *text;
    char *json;
    int64_t integer;
    double real;
    bool flag;

    status = evrim_response_require_int(response, "/id", &integer, &error);
    EXPECT(EVRIM_OK, status, error);
    status = evrim_response_require_double(response, "/id", &real, &error);
    EXPECT(EVRIM_OK, status, error);
    CHECK(integer >= 0 && real >= 0);
    CHECK(evrim_response_require_string(response, "/id", &text, &error) == EVRIM_ERROR_PROTOCOL);
    CHECK(text == NULL && strstr(evrim_error_message(error), "no string at \"/id\": there is a whole number"));
    evrim_error_free(error);
    CHECK(evrim_response_require_bool(response, "/none", &flag, &error) == EVRIM_ERROR_PROTOCOL);
    CHECK(strstr(evrim_error_message(error), "no boolean at \"/none\": there is nothing"));
    evrim_error_free(error);
    status = evrim_response_copy_json(response, "", &json, &error);
    EXPECT(EVRIM_OK, status, error);
    printf("\n%s\n", json);
    evrim_string_free(json);
    CHECK(evrim_response_copy_json(response, "/none", &json, &error) == EVRIM_ERROR_PROTOCOL && json == NULL);
    evrim_error_free(error);
}

/* An answer that is no JSON has nothing at any pointer, whichever function asks. */
static void read_nothing(evrim_client *client, const char *path)
{
    evrim_error *error;
    char *json;
    evrim_status status = evrim_request(client, "GET", path, NULL, 0, &response, &error);
    EXPECT(EVRIM_OK, status, error);
    CHECK(evrim_response_type(response, "") == EVRIM_JSON_NONE);
    CHECK(evrim_response_type(response, "/0") == EVRIM_JSON_NONE);
    CHECK(evrim_response_copy_json(response, "/0", &json, &error) == EVRIM_ERROR_PROTOCOL && json == NULL);
    CHECK(strstr(evrim_error_message(error), "no value at \"/0\": it is not JSON"));
    evrim_error_free(error);
    evrim_response_free(response);
}

int main(int argc, char **argv)
{
    evrim_status status;
    evrim_error *error;
    evrim_client *client = sign_in(NULL);
    CHECK(argc >= 2);
    if (argc == 3) {
        read_nothing(client, argv[2]);
        evrim_free(client);
        return 0;
    }
    status = evrim_get_report(client, atoi(argv[1]), &response, &error);
    EXPECT(EVRIM_OK, status, error);
    write_value("");
    require();
    read_again();
    evrim_response_free(response);
    evrim_free(client);
    return 0;
}
