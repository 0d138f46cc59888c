/*
 * Prints a report as text, with the marks of Markdown. What it does not have is passed over.
 *
 *     c++ -std=c++17 report.cpp -levrim -o report
 *     EVRIM_URL=… EVRIM_USERNAME=… EVRIM_PASSWORD=… ./report 1
 */
#include <evrim.hpp>

#include <cstdlib>
#include <iostream>
#include <string>

/* Strings are UTF-8 and go out as they came. */
static void print(const char *before, std::optional<std::string_view> string, const char *after)
{
    if (string && !string->empty())
        std::cout << before << *string << after;
}

static void print_paragraph(const evrim::response &report, const std::string &at)
{
    print("### ", report.string(at + "/title"), "\n\n");
    const std::size_t sentences = report.count(at + "/sentences");
    for (std::size_t i = 0; i < sentences; ++i)
        print(i == 0 ? "" : " ", report.string(at + "/sentences/" + std::to_string(i)), "");
    std::cout << (sentences > 0 ? "\n\n" : "");
}

static void print_section(const evrim::response &report, const std::string &at)
{
    print("## ", report.string(at + "/title"), "\n\n");
    for (std::size_t i = 0; i < report.count(at + "/paragraphs"); ++i)
        print_paragraph(report, at + "/paragraphs/" + std::to_string(i));
    const std::size_t sources = report.count(at + "/sources");
    for (std::size_t i = 0; i < sources; ++i)
        print("- ", report.string(at + "/sources/" + std::to_string(i)), "\n");
    std::cout << (sources > 0 ? "\n" : "");
}

int main(int argc, char **argv)
{
    const std::int64_t id = argc == 2 ? std::strtoll(argv[1], nullptr, 10) : 0;
    if (id <= 0) {
        std::cerr << "usage: report ID\n";
        return EXIT_FAILURE;
    }
    try {
        evrim::client client = evrim::client::from_env();
        const evrim::response report = client.get_report(id);
        print("# ", report.string("/report/title"), "\n\n");
        print("", report.string("/report/description"), "\n\n");
        for (std::size_t i = 0; i < report.count("/report/sections"); ++i)
            print_section(report, "/report/sections/" + std::to_string(i));
        return std::cout.flush() ? EXIT_SUCCESS : EXIT_FAILURE;
    } catch (const std::exception &error) {
        std::cerr << error.what() << '\n';
        return EXIT_FAILURE;
    }
}
