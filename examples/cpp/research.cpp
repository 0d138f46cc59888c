/*
 * Has something looked into, waits for its report, and saves that as a PDF.
 *
 *     c++ -std=c++17 research.cpp -levrim -o research
 *     EVRIM_URL=… EVRIM_USERNAME=… EVRIM_PASSWORD=… ./research https://example.org/ "Title" "What to find out" .
 */
#include <evrim.hpp>

#include <cstdlib>
#include <iostream>
#include <string>

#include <unistd.h>

using namespace std::chrono_literals;

/* A bar with marks from one place to another; on a terminal only, as a log is no place for it. */
static void bar(const char *label, std::size_t from, std::size_t to)
{
    std::string marks(30, ' ');
    marks.replace(from, to - from, to - from, '#');
    if (isatty(STDERR_FILENO))
        std::cerr << '\r' << label << " [" << marks << ']';
}

static void end_bar()
{
    if (isatty(STDERR_FILENO))
        std::cerr << '\n';
}

/* How long it takes is not known: a mark that moves says that it goes on. */
static void show_wait(std::chrono::milliseconds gone)
{
    const auto at = static_cast<std::size_t>(gone / 250ms % 28);
    bar("research", at, at + 3);
}

static void show_bytes(std::uint64_t done, std::optional<std::uint64_t> total)
{
    bar("PDF     ", 0, total && *total > 0 ? static_cast<std::size_t>(done * 30 / *total) : 0);
}

/* A task does not say which report came of it, but each report names its task. */
static std::optional<std::int64_t> report_of(std::string_view task_id, const evrim::response &reports)
{
    for (std::size_t i = 0; i < reports.count(""); ++i) {
        const std::string at = "/" + std::to_string(i);
        if (reports.string(at + "/report/task") == task_id)
            return reports.require_integer(at + "/id");
    }
    return std::nullopt;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        std::cerr << "usage: research URL TITLE DESCRIPTION PLACE\n";
        return EXIT_FAILURE;
    }
    try {
        evrim::client client = evrim::client::from_env();
        const evrim::response task = client.submit_research(argv[1], argv[2], argv[3]);
        const std::string id(task.require_string("/task_id"));
        std::cout << "task " << id << '\n'; /* with it the task can be asked for later, too */

        const evrim::response ended = client.wait_for_task(id, 30min, show_wait);
        end_bar();
        const auto report = report_of(id, client.get_reports());
        if (!report) {
            std::cerr << "status " << ended.require_string("/status") << " and no report\n";
            return EXIT_FAILURE;
        }
        const evrim::owned_string place = client.download_report(*report, "pdf", argv[4], show_bytes);
        end_bar();
        std::cout << "saved as " << place.view() << '\n';
        return EXIT_SUCCESS;
    } catch (const std::exception &error) {
        std::cerr << '\n' << error.what() << '\n';
        return EXIT_FAILURE;
    }
}
