/* What the C++ test programs share. */
#ifndef CHECK_HPP
#define CHECK_HPP

#include <evrim.hpp>

#include <cstdio>
#include <cstdlib>

/* Ends the program where something is not so. */
#define CHECK(condition)                                                                    \
    do {                                                                                    \
        if (!(condition)) {                                                                 \
            std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);    \
            std::exit(1);                                                                   \
        }                                                                                   \
    } while (false)

inline const char *env(const char *name)
{
    const char *value = std::getenv(name);
    if (value == nullptr) {
        std::fprintf(stderr, "%s is not set\n", name);
        std::exit(2);
    }
    return value;
}

/* Signs in to the sandbox. */
inline evrim::client sign_in(const evrim::options &options = evrim::options())
{
    return evrim::client(env("EVRIM_URL"), env("EVRIM_USERNAME"), env("EVRIM_PASSWORD"), options);
}

/* The error that must come of it. */
template <class F>
evrim::error failure(F &&work)
{
    try {
        work();
    } catch (const evrim::error &error) {
        return error;
    }
    std::fprintf(stderr, "no exception\n");
    std::exit(1);
}

template <class F>
evrim::status status_of(F &&work)
{
    return failure(work).status();
}

#endif
