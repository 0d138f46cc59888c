/*
 * libcurl and cJSON, as their documentation advises: one easy handle for each thread, kept from call to
 * call, and so its connection and its buffer.
 */
#include "../peer.h"

#include <cjson/cJSON.h>
#include <curl/curl.h>
#include <string.h>

struct client {
    const struct settings *settings;
    char *access;
    struct curl_slist *get_headers;
    struct curl_slist *post_headers;
    /* The handle that signed in: the first thread's. */
    CURL *easy;
};

struct thread {
    const struct client *client;
    CURL *easy;
    char *body;
    size_t length, room;
    /* libcurl wants it to outlive the call. */
    char *post;
};

static void check(CURLcode code)
{
    if (code != CURLE_OK)
        fail(curl_easy_strerror(code));
}

static size_t receive(char *bytes, size_t one, size_t length, void *data)
{
    struct thread *thread = data;
    (void)one;
    if (thread->length + length > thread->room) {
        curl_off_t announced = 0;
        curl_easy_getinfo(thread->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
        size_t room = thread->length + length;
        if (announced > 0 && (size_t)announced > room)
            room = (size_t)announced;
        else if (2 * thread->room > room)
            room = 2 * thread->room;
        thread->body = realloc(thread->body, room);
        if (thread->body == NULL)
            return 0;
        thread->room = room;
    }
    memcpy(thread->body + thread->length, bytes, length);
    thread->length += length;
    return length;
}

static CURL *new_easy(const struct settings *settings)
{
    CURL *easy = curl_easy_init();
    if (easy == NULL)
        fail("no easy handle");
    check(curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, receive));
    check(curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L));
    check(curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 60000L));
    check(curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, 5000L));
    check(curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1));
    check(curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip"));
    check(curl_easy_setopt(easy, CURLOPT_USERAGENT, "bench"));
    /* Not the default 16 KB but what curl's own command line tool takes: less CPU time with large bodies over
     * http, and no more with small ones. */
    check(curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 102400L));
    check(curl_easy_setopt(easy, CURLOPT_CAINFO, settings->system_ca ? settings->ca_bundle : settings->ca_file));
    check(curl_easy_setopt(easy, CURLOPT_CAPATH, NULL));
    return easy;
}

static void perform(struct thread *thread, const char *path)
{
    char url[512];
    long status = 0;

    snprintf(url, sizeof url, "%s/%s", thread->client->settings->url, path);
    check(curl_easy_setopt(thread->easy, CURLOPT_URL, url));
    check(curl_easy_setopt(thread->easy, CURLOPT_WRITEDATA, thread));
    thread->length = 0;
    check(curl_easy_perform(thread->easy));
    check(curl_easy_getinfo(thread->easy, CURLINFO_RESPONSE_CODE, &status));
    if (status != 200)
        fail("the server refused");
}

static void post(struct thread *thread, const char *path, const char *json)
{
    check(curl_easy_setopt(thread->easy, CURLOPT_HTTPHEADER, thread->client->post_headers));
    check(curl_easy_setopt(thread->easy, CURLOPT_POSTFIELDS, json));
    perform(thread, path);
}

static void get(struct thread *thread, const char *path)
{
    check(curl_easy_setopt(thread->easy, CURLOPT_HTTPHEADER, thread->client->get_headers));
    check(curl_easy_setopt(thread->easy, CURLOPT_HTTPGET, 1L));
    perform(thread, path);
}

static void *open_client(const struct settings *settings)
{
    static bool is_initialized;
    struct client *client = calloc(1, sizeof *client);
    char bearer[1024];

    if (!is_initialized)
        check(curl_global_init(CURL_GLOBAL_DEFAULT));
    is_initialized = true;
    client->settings = settings;
    client->easy = new_easy(settings);
    client->post_headers = curl_slist_append(NULL, "Accept: application/json");
    client->post_headers = curl_slist_append(client->post_headers, "Content-Type: application/json");

    struct thread thread = {.client = client, .easy = client->easy};
    cJSON *credentials = cJSON_CreateObject();
    cJSON_AddStringToObject(credentials, "username", USERNAME);
    cJSON_AddStringToObject(credentials, "password", PASSWORD);
    char *json = cJSON_PrintUnformatted(credentials);
    post(&thread, "token/", json);
    cJSON *pair = cJSON_ParseWithLength(thread.body, thread.length);
    const char *access = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(pair, "access"));
    if (access == NULL)
        fail("no access token");
    client->access = strdup(access);
    snprintf(bearer, sizeof bearer, "Authorization: Bearer %s", access);
    client->get_headers = curl_slist_append(NULL, "Accept: application/json");
    client->get_headers = curl_slist_append(client->get_headers, bearer);
    cJSON_Delete(pair);
    cJSON_Delete(credentials);
    cJSON_free(json);
    free(thread.body);
    return client;
}

static void *new_thread(void *data)
{
    struct client *client = data;
    struct thread *thread = calloc(1, sizeof *thread);
    thread->client = client;
    thread->easy = client->easy != NULL ? client->easy : new_easy(client->settings);
    client->easy = NULL;
    return thread;
}

/* The paths of the benchmark have no escapes. */
static const cJSON *at(const cJSON *json, const char *path)
{
    char name[64];
    while (json != NULL && *path == '/') {
        size_t length = strcspn(++path, "/");
        memcpy(name, path, length);
        name[length] = '\0';
        json = cJSON_IsArray(json) ? cJSON_GetArrayItem(json, atoi(name)) : cJSON_GetObjectItemCaseSensitive(json, name);
        path += length;
    }
    return json;
}

static size_t read_ten(const struct thread *thread)
{
    cJSON *json = cJSON_ParseWithLength(thread->body, thread->length);
    size_t sum = (size_t)cJSON_GetArraySize(at(json, count_at));
    for (int i = 0; i < STRINGS; i++)
        sum += strlen(cJSON_GetStringValue(at(json, string_at[i])));
    for (int i = 0; i < INTEGERS; i++)
        sum += (size_t)cJSON_GetNumberValue(at(json, integer_at[i]));
    cJSON_Delete(json);
    return sum;
}

static struct outcome make_call(void *data, const struct call *call)
{
    struct thread *thread = data;
    struct outcome outcome = {0, 0};

    if (call->work == WORK_VALIDATE) {
        if (thread->post == NULL) {
            thread->post = malloc(strlen(thread->client->access) + 16);
            /* A token needs no escapes. */
            sprintf(thread->post, "{\"token\":\"%s\"}", thread->client->access);
        }
        post(thread, "token/verify/", thread->post);
        return outcome;
    }
    get(thread, call->path);
    outcome.bytes = thread->length;
    if (call->work == WORK_READ)
        outcome.read = read_ten(thread);
    return outcome;
}

const struct peer peer = {open_client, new_thread, make_call};
