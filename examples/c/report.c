/*
 * Prints a report as text, with the marks of Markdown. What it does not have is passed over.
 *     cc report.c -levrim -o report
 *     EVRIM_URL=… EVRIM_USERNAME=… EVRIM_PASSWORD=… ./report 1
 */
#include <evrim.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* A JSON pointer, written as printf writes; it lasts until the next one. */
static const char *at(const char *format, ...)
{
    static char pointer[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(pointer, sizeof pointer, format, arguments);
    va_end(arguments);
    return pointer;
}

/* Strings are UTF-8 and go out as they came. True if there was one. */
static bool print(const char *before, const char *string, const char *after)
{
    if (string == NULL || string[0] == '\0')
        return false;
    printf("%s%s%s", before, string, after);
    return true;
}

static void print_paragraph(const evrim_response *report, size_t s, size_t p)
{
    bool begun = false;
    print("### ", evrim_response_string(report, at("/report/sections/%zu/paragraphs/%zu/title", s, p)), "\n\n");
    size_t count = evrim_response_count(report, at("/report/sections/%zu/paragraphs/%zu/sentences", s, p));
    for (size_t i = 0; i < count; i++) {
        const char *sentence = at("/report/sections/%zu/paragraphs/%zu/sentences/%zu", s, p, i);
        begun |= print(begun ? " " : "", evrim_response_string(report, sentence), "");
    }
    print("", begun ? "\n\n" : NULL, "");
}

static void print_report(const evrim_response *report)
{
    print("# ", evrim_response_string(report, "/report/title"), "\n\n");
    print("", evrim_response_string(report, "/report/description"), "\n\n");
    size_t sections = evrim_response_count(report, "/report/sections");
    for (size_t s = 0; s < sections; s++) {
        print("## ", evrim_response_string(report, at("/report/sections/%zu/title", s)), "\n\n");
        size_t paragraphs = evrim_response_count(report, at("/report/sections/%zu/paragraphs", s));
        for (size_t p = 0; p < paragraphs; p++)
            print_paragraph(report, s, p);
        size_t sources = evrim_response_count(report, at("/report/sections/%zu/sources", s));
        for (size_t i = 0; i < sources; i++)
            print("- ", evrim_response_string(report, at("/report/sections/%zu/sources/%zu", s, i)), "\n");
        print("", sources > 0 ? "\n" : NULL, "");
    }
}

int main(int argc, char **argv)
{
    evrim_client *client = NULL;
    evrim_response *report = NULL;
    evrim_error *error = NULL;
    int64_t id = argc == 2 ? strtoll(argv[1], NULL, 10) : 0;
    if (id <= 0)
        fprintf(stderr, "usage: report ID\n");
    else if (evrim_from_env(NULL, &client, &error) == EVRIM_OK
             && evrim_get_report(client, id, &report, &error) == EVRIM_OK)
        print_report(report);
    else
        fprintf(stderr, "%s\n", evrim_error_message(error));
    int result = report != NULL && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    evrim_response_free(report);
    evrim_error_free(error);
    evrim_free(client);
    return result;
}
