/* What a client that is measured has to offer: a shared library with one such table in it. */
#ifndef PEER_H
#define PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

struct settings {
    const char *url;
    const char *ca_file;
    /* ca_file and the system's authorities in one file, for a library that takes only one. */
    const char *ca_bundle;
    bool system_ca;
};

enum work { WORK_GET, WORK_READ, WORK_VALIDATE };

struct call {
    enum work work;
    const char *path;
};

/* So that all can be seen to have done the same. */
struct outcome {
    size_t bytes;
    size_t read;
};

struct peer {
    /* Signs in. */
    void *(*open)(const struct settings *settings);
    /* What a thread needs to make calls on a client. */
    void *(*thread)(void *client);
    struct outcome (*call)(void *thread, const struct call *call);
};

extern const struct peer peer;

#define USERNAME "ada"
#define PASSWORD "correct horse battery staple"

/* The ten values that WORK_READ reads out of a report, the last one a count. */
#define STRINGS 7
#define INTEGERS 2
static const char *const string_at[STRINGS] = {
    "/report/title",
    "/report/description",
    "/report/sections/0/title",
    "/report/sections/3/paragraphs/2/sentences/5",
    "/report/sections/7/paragraphs/7/sentences/15",
    "/report/sections/5/sources/1",
    "/report/sections/6/tone",
};
static const char *const integer_at[INTEGERS] = {"/id", "/report/sections/4/paragraphs/1/id"};
static const char *const count_at = "/report/sections";

static inline _Noreturn void fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(EXIT_FAILURE);
}

#endif
