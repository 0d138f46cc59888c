/*
 * Shows on a terminal how far a call is; where stderr is none, nothing is shown.
 */
#include <evrim.h>

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

static bool line_is_open = false;

/* For evrim_wait_for_task(): what is done is the time, and nobody knows how much it will be. */
static bool show_time(void *what, uint64_t milliseconds, int64_t total)
{
    (void)total;
    if (isatty(STDERR_FILENO)) {
        char hand = "|/-\\"[milliseconds / 250 % 4];
        fprintf(stderr, "\r%s %c %" PRIu64 " s", (const char *)what, hand, milliseconds / 1000);
        line_is_open = true;
    }
    return true; /* false would end the call */
}

/* For downloads. Not every server says how many bytes there are in all. */
static bool show_bytes(void *what, uint64_t done, int64_t total)
{
    static const char bar[] = "########################################";
    if (isatty(STDERR_FILENO)) {
        double share = total > 0 ? (double)done / (double)total : 0;
        if (total > 0)
            fprintf(stderr, "\r%s [%-40.*s] %3.0f %%", (const char *)what, (int)(share * 40), bar, share * 100);
        else
            fprintf(stderr, "\r%s %" PRIu64 " bytes", (const char *)what, done);
        line_is_open = true;
    }
    return true;
}

/* Before anything else is printed. */
static void end_line(void)
{
    if (line_is_open)
        fputc('\n', stderr);
    line_is_open = false;
}
