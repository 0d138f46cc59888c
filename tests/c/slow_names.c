/*
 * Preloaded in place of the system's: of "slow.test" every other look-up takes for ever, from the first on;
 * of "never.test" each; and no other name is known.
 */

#include <netdb.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **result);
void freeaddrinfo(struct addrinfo *result);

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>

static int asked;

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **result)
{
    struct addrinfo *found;
    struct sockaddr_in *address;
    (void)service;
    (void)hints;
    if (strcmp(node, "slow.test") != 0 && strcmp(node, "never.test") != 0) {
        return EAI_NONAME;
    }
    if (strcmp(node, "never.test") == 0 ||
        __atomic_fetch_add(&asked, 1, __ATOMIC_SEQ_CST) % 2 == 0) {
        for (;;) {
            pause();
        }
    }
    found = calloc(1, sizeof *found);
    address = calloc(1, sizeof *address);
    if (found == NULL || address == NULL) {
        return EAI_MEMORY;
    }
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    found->ai_family = AF_INET;
    found->ai_socktype = SOCK_STREAM;
    found->ai_addrlen = sizeof *address;
    found->ai_addr = (struct sockaddr *)address;
    *result = found;
    return 0;
}

void freeaddrinfo(struct addrinfo *result)
{
    free(result->ai_addr);
    free(result);
}
