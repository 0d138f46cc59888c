/* The floor: one write and as many reads as it takes, on a socket. No TLS, no JSON, no care. */
#include "../peer.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct thread {
    int socket;
    const char *url;
    char *access;
    char *buffer;
    size_t room;
};

static void connect_to(struct thread *thread)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int port = 0, on = 1;

    if (sscanf(thread->url, "http://127.0.0.1:%d/", &port) != 1)
        fail("raw: http to 127.0.0.1 only");
    address.sin_port = htons((uint16_t)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    thread->socket = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(thread->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(thread->socket, (struct sockaddr *)&address, sizeof address) != 0)
        fail("raw: no connection");
}

/* Sends a request and returns the length of the body, which ends up at *body. */
static size_t exchange(struct thread *thread, const char *request, size_t length, char **body)
{
    size_t received = 0, wanted = 0;

    if (write(thread->socket, request, length) != (ssize_t)length)
        fail("raw: can't write");
    *body = NULL;
    while (*body == NULL || received < wanted) {
        ssize_t count = read(thread->socket, thread->buffer + received, thread->room - received - 1);
        if (count <= 0)
            fail("raw: can't read");
        received += (size_t)count;
        if (*body != NULL)
            continue;
        thread->buffer[received] = '\0';
        char *end = strstr(thread->buffer, "\r\n\r\n");
        char *announced = strstr(thread->buffer, "Content-Length: ");
        if (end == NULL || announced == NULL)
            continue;
        wanted = (size_t)(end - thread->buffer) + 4 + strtoul(announced + 16, NULL, 10);
        if (wanted + 1 > thread->room) {
            size_t offset = (size_t)(end - thread->buffer);
            thread->room = wanted + 1;
            thread->buffer = realloc(thread->buffer, thread->room);
            end = thread->buffer + offset;
        }
        *body = end + 4;
    }
    if (strncmp(thread->buffer, "HTTP/1.1 200", 12) != 0)
        fail("raw: the server refused");
    return wanted - (size_t)(*body - thread->buffer);
}

static size_t post(struct thread *thread, const char *path, const char *json, char **body)
{
    char request[2048];
    int length = snprintf(request, sizeof request,
                          "POST /prod/%s HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n"
                          "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                          path, strlen(json), json);
    return exchange(thread, request, (size_t)length, body);
}

static struct thread *connected(const char *url)
{
    struct thread *thread = calloc(1, sizeof *thread);
    thread->url = url;
    thread->room = 16 << 10;
    thread->buffer = malloc(thread->room);
    connect_to(thread);
    return thread;
}

static void *open_client(const struct settings *settings)
{
    struct thread *thread = connected(settings->url);
    char *body;

    size_t length = post(thread, "token/", "{\"username\":\"" USERNAME "\",\"password\":\"" PASSWORD "\"}", &body);
    body[length] = '\0';
    char *access = strstr(body, "\"access\":\"");
    if (access == NULL)
        fail("raw: no access token");
    thread->access = strndup(access + 10, strcspn(access + 10, "\""));
    return thread;
}

static void *new_thread(void *client)
{
    struct thread *thread = connected(((struct thread *)client)->url);
    thread->access = ((struct thread *)client)->access;
    return thread;
}

static struct outcome make_call(void *data, const struct call *call)
{
    struct thread *thread = data;
    struct outcome outcome = {0, 0};
    char text[1024], *body;

    if (call->work == WORK_VALIDATE) {
        snprintf(text, sizeof text, "{\"token\":\"%s\"}", thread->access);
        post(thread, "token/verify/", text, &body);
        return outcome;
    }
    int length = snprintf(text, sizeof text,
                          "GET /prod/%s HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n"
                          "Authorization: Bearer %s\r\n\r\n",
                          call->path, thread->access);
    outcome.bytes = exchange(thread, text, (size_t)length, &body);
    return outcome;
}

const struct peer peer = {open_client, new_thread, make_call};
