/*
 * Evrim's own things, downloads, pages, requests that are built and JSON through evrim.hpp. Works in the
 * folder that it is given; a research is pending for a short while. In the sandbox is this fault:
 *
 *     /echo/shapes/   {"z": null, "a/b": [true, 7, 0.5, "text", {}], "title": "Grüße", "yes": true}
 */
#include "check.hpp"

#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <vector>

using evrim::json_type;
using evrim::status;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

using bytes_so_far = std::uint64_t;
using all_bytes = std::optional<std::uint64_t>;

template <class T, class = void>
constexpr bool lends_key = false;
template <class T>
constexpr bool lends_key<T, std::void_t<decltype(std::declval<T>().key("", 0))>> = true;
template <class T, class = void>
constexpr bool lends_required = false;
template <class T>
constexpr bool lends_required<T, std::void_t<decltype(std::declval<T>().require_string(""))>> = true;
static_assert(lends_key<evrim::response &> && !lends_key<evrim::response>);
static_assert(lends_required<evrim::response &> && !lends_required<evrim::response>);
static_assert(std::is_nothrow_move_constructible_v<evrim::request_options>);
static_assert(!std::is_copy_constructible_v<evrim::request_options>);
static_assert(sizeof(evrim::request_options) == sizeof(void *));
static_assert(noexcept(std::declval<evrim::response &>().type("/id")));
#if defined(__cpp_lib_ranges)
static_assert(std::input_iterator<evrim::page_range::iterator>);
#endif

/* What a lambda throws; nothing of the library's. */
struct enough {
    int after;
};

static std::string read(const fs::path &path)
{
    std::ifstream file(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

static std::size_t files(const fs::path &folder)
{
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

static void things_are_asked_for(evrim::client &client)
{
    CHECK(client.get_reports().count("") >= 3 && client.get_report(1).integer("/id") == 1);
    CHECK(client.get_runs().count("") > 1 && client.get_run(2).integer("/id") == 2);
    CHECK(client.get_sections().count("") > 1 && client.get_section(3).integer("/id") == 3);
    CHECK(client.get_paragraphs().count("") > 1 && client.get_paragraph(101).integer("/id") == 101);
    const evrim::response tasks = client.get_tasks();
    const std::string_view id = tasks.require_string("/0/task_id");
    const evrim::response same = client.get_task(id);
    CHECK(same.string("/task_id") == id);

    CHECK(status_of([&] { client.get_report(999999); }) == status::not_found);
    CHECK(status_of([&] { client.get_run(-1); }) == status::invalid_argument);
    CHECK(status_of([&] { client.get_task(""); }) == status::invalid_argument);
    evrim::client moved = client.clone();
    const evrim::client taken = std::move(moved);
    CHECK(status_of([&] { moved.get_reports(); }) == status::invalid_argument);
    CHECK(status_of([&] { moved.get_report(1); }) == status::invalid_argument);
}

static void research_is_waited_for(evrim::client &client)
{
    const evrim::response task = client.submit_research("https://example.org/", "Snow", "How much there is");
    CHECK(task.status() == 201 && task.string("/status") == "P");
    const std::string id(task.require_string("/task_id"));
    const std::string input(task.require_string("/event/input"));
    CHECK(input.find("NARRATIVE") != std::string::npos && input.find("THIRD_PERSON") != std::string::npos);
    int told = 0;
    std::chrono::milliseconds last = -1ms;
    const evrim::response done = client.wait_for_task(id, 30s, [&](std::chrono::milliseconds gone) {
        CHECK(gone >= last);
        last = gone;
        return ++told > 0;
    });
    CHECK(done.string("/status") == "C" && done.string("/task_id") == id && told > 0);
    CHECK(client.wait_for_task(id, 1h).status() == 200);
    CHECK(client.wait_for_task(id, 1h, nullptr).status() == 200);
    CHECK(client.wait_for_task(id, 1h, std::function<bool(std::chrono::milliseconds)>()).status() == 200);

    const evrim::response other = client.submit_research("https://example.org/", std::string("Ice"), "x",
                                                         std::nullopt, "CASUAL", std::optional<std::string>());
    const std::string more(other.require_string("/event/input"));
    CHECK(more.find("NARRATIVE") != std::string::npos && more.find("CASUAL") != std::string::npos);
    CHECK(status_of([&] { client.submit_research("no url", "t", "d"); }) == status::request);
    CHECK(status_of([&] { client.submit_research("https://example.org/", nullptr, "d"); })
          == status::invalid_argument);

    /* Task 5 is pending for ever. */
    const char *pending = "5ea1ce00-0000-4000-8000-000000000005";
    CHECK(status_of([&] { client.wait_for_task(pending, 50ms); }) == status::timeout);
    CHECK(status_of([&] { client.wait_for_task(pending, 30s, [](auto) { return false; }); })
          == status::cancelled);
    CHECK(status_of([&] { client.wait_for_task(pending, 0ms); }) == status::invalid_argument);
    CHECK(status_of([&] { client.wait_for_task(pending, -1s); }) == status::invalid_argument);
    CHECK(status_of([&] { client.wait_for_task(pending, 24h * 100); }) == status::invalid_argument);
    int caught = 0;
    try {
        client.wait_for_task(pending, 30s, [](std::chrono::milliseconds) -> bool { throw enough{3}; });
    } catch (const enough &thrown) {
        caught = thrown.after;
    }
    CHECK(caught == 3);
    CHECK(client.validate_token()); /* and the client goes on */
}

static void documents_are_saved(evrim::client &client, const fs::path &folder)
{
    fs::create_directories(folder);
    bytes_so_far last = 0;
    all_bytes known;
    const evrim::owned_string pdf
        = client.download_report(1, "pdf", folder.string(), [&](bytes_so_far done, all_bytes total) {
              CHECK(done >= last && total && done <= *total);
              last = done;
              known = total;
          });
    CHECK(fs::path(pdf.c_str()) == folder / "report.pdf");
    const std::string saved = read(pdf.c_str());
    CHECK(saved.substr(0, 5) == "%PDF-" && last == saved.size() && known == last);

    const std::string named = (folder / "named.docx").string();
    const evrim::owned_string docx = client.download_report(1, "docx", named);
    CHECK(docx.view() == named && read(named).substr(0, 2) == "PK");
    const evrim::owned_string replaced = client.download("generate/1/pdf/", named);
    CHECK(replaced.view() == named && read(named) == saved);
    const auto file = client.download("generate/1/pdf/", folder.c_str(),
                                      std::function<bool(bytes_so_far, all_bytes)>());
    CHECK(read(file.c_str()) == saved && files(folder) == 2);

    /* Nothing new is left of one that failed, whoever ended it. */
    const std::string none = (folder / "none.pdf").string();
    const auto stop = [](bytes_so_far, all_bytes) { return false; };
    CHECK(status_of([&] { client.download_report(1, "pdf", none, stop); }) == status::cancelled);
    CHECK(status_of([&] { client.download_report(999999, "pdf", none); }) == status::not_found);
    CHECK(status_of([&] { client.download_report(1, "txt", none); }) == status::invalid_argument);
    CHECK(status_of([&] { client.download("reports/", none + "/file"); }) == status::io);
    std::string said;
    try {
        (void)client.download_report(1, "pdf", none, [](bytes_so_far, all_bytes) {
            throw std::runtime_error("the disk is mine");
        });
    } catch (const std::runtime_error &error) {
        CHECK(dynamic_cast<const evrim::error *>(&error) == nullptr);
        said = error.what();
    }
    CHECK(said == "the disk is mine" && files(folder) == 2);

    /* To a function. What can only be moved, and changes, is used as it is. */
    std::string body;
    client.download_to("generate/1/pdf/", [&, owner = std::make_unique<int>(0)](evrim::bytes_view bytes) mutable {
        ++*owner;
        body.append(bytes.text());
    });
    CHECK(body == saved);
    body.clear();
    last = 0;
    client.download_to(
        "generate/1/pdf/",
        [&](evrim::bytes_view bytes) {
            body.append(bytes.text());
            return true;
        },
        [&](bytes_so_far done, all_bytes) { last = done; });
    CHECK(body == saved && last == saved.size());
    CHECK(status_of([&] {
              client.download_to("generate/1/pdf/", [](evrim::bytes_view) { return false; });
          })
          == status::cancelled);
    CHECK(status_of([&] {
              client.download_to("generate/1/pdf/", std::function<void(evrim::bytes_view)>());
          })
          == status::invalid_argument);
    int caught = 0;
    try {
        client.download_to(
            "generate/1/pdf/", [&](evrim::bytes_view) { ++caught; },
            [&](bytes_so_far, all_bytes) -> bool { throw enough{caught}; });
    } catch (const enough &thrown) {
        CHECK(thrown.after == caught);
        caught = -1;
    }
    CHECK(caught == -1);
    CHECK(client.validate_token());
}

static void pages_are_followed(evrim::client &client)
{
    std::vector<std::int64_t> ids;
    int number = 0;
    for (const evrim::response &page : client.pages("v0/reports/")) {
        CHECK(page.integer("/count") == 25);
        for (std::size_t i = 0; i < page.count("/results"); ++i)
            ids.push_back(page.require_integer("/results/" + std::to_string(i) + "/id"));
        ++number;
    }
    CHECK(number == 3 && ids.size() == 25 && ids.front() == 1 && ids.back() == 25);

    std::optional<evrim::response> page = client.request("GET", "v0/reports/?page=2");
    page = client.next_page(*page);
    CHECK(page && page->count("/results") == 5);
    CHECK(!client.next_page(*page) && !client.next_page(client.get_reports()));

    evrim::page_range rest = client.pages("v0/reports/", evrim::request_options().add_query("page", "3"));
    evrim::page_range moved = std::move(rest);
    auto at = moved.begin();
    CHECK(at != moved.end() && at->count("/results") == 5);
    CHECK(++at == moved.end());
    /* What is no list is one page. */
    number = 0;
    for (const evrim::response &only : client.pages("reports/"))
        number += only.status();
    CHECK(number == 200);
    CHECK(status_of([&] { (void)client.pages("none/"); }) == status::not_found);
}

static void requests_are_built(evrim::client &client)
{
    evrim::request_options choices;
    CHECK(choices.get() == nullptr);
    CHECK(client.request_with("GET", "echo/", choices).integer("/length") == 0);
    choices.add_query("search", "ice & sea").add_query("ü", "").set_header("X-Key", "one");
    choices.set_string("/title", "Grüße \"an\" alle").set_string("/tags/-", std::string("snow"));
    choices.set_integer("/count", 7).set_number("/part", 0.5).set_boolean("/yes", true);
    choices.set_json("/more", R"([null, {"x": 1}])");
    choices.set_header("X-Gone", "two").set_header("X-Gone", std::nullopt);

    /* What is refused changes nothing. */
    const evrim::error refused = failure([&] { choices.set_string("title", "x"); });
    CHECK(refused.status() == status::invalid_argument);
    CHECK(std::string_view(refused.what()) == "the string was refused: EVRIM_ERROR_INVALID_ARGUMENT");
    CHECK(status_of([&] { choices.add_query("", "x"); }) == status::invalid_argument);
    CHECK(status_of([&] { choices.set_header("Host", "x"); }) == status::invalid_argument);
    CHECK(status_of([&] { choices.set_integer("/title/x", 1); }) == status::invalid_argument);
    CHECK(status_of([&] { choices.set_number("/x", std::strtod("inf", nullptr)); })
          == status::invalid_argument);
    CHECK(status_of([&] { choices.set_boolean("/tags/7", true); }) == status::invalid_argument);
    CHECK(status_of([&] { choices.set_json("/x", "{"); }) == status::invalid_argument);
    CHECK(status_of([&] { choices.set_json("/x", nullptr); }) == status::invalid_argument);

    const evrim::request_options taken = std::move(choices);
    CHECK(choices.get() == nullptr && taken.get() != nullptr);
    const evrim::response echo = client.request_with("POST", "echo/?a=1", taken);
    CHECK(echo.string("/query") == "a=1&search=ice%20%26%20sea&%C3%BC=");
    CHECK(echo.string("/headers/x-key") == "one" && !echo.string("/headers/x-gone"));
    CHECK(echo.string("/body")
          == R"({"count":7,"more":[null,{"x":1}],"part":0.5,"tags":["snow"],"title":"Grüße \"an\" alle",)"
             R"("yes":true})");
    evrim::request_options from_c(evrim_request_options_new());
    CHECK(from_c.get() != nullptr);
    evrim_request_options *bare = from_c.add_query("a", "b").release();
    CHECK(from_c.get() == nullptr && bare != nullptr);
    const evrim::response adopted = client.request_with("GET", "echo/", evrim::request_options(bare));
    CHECK(adopted.string("/query") == "a=b");
}

static void json_is_walked(evrim::client &client)
{
    const evrim::response shapes = client.request("GET", "echo/shapes/");
    CHECK(shapes.type("") == json_type::object && shapes.type("/z") == json_type::null);
    CHECK(shapes.type("/a~1b") == json_type::array && shapes.type("/a~1b/0") == json_type::boolean);
    CHECK(shapes.type("/a~1b/1") == json_type::integer && shapes.type("/a~1b/2") == json_type::number);
    CHECK(shapes.type("/a~1b/3") == json_type::string && shapes.type("/none") == json_type::none);
    CHECK(shapes.key("", 0) == "z" && shapes.key("", 1) == "a/b" && !shapes.key("", 4));
    CHECK(!shapes.key("/a~1b", 0));
    const evrim::owned_string json = shapes.copy_json("/a~1b");
    CHECK(json.view() == R"([true, 7, 0.5, "text", {}])");

    CHECK(shapes.require_string("/title") == "Grüße" && shapes.require_integer("/a~1b/1") == 7);
    CHECK(shapes.require_number("/a~1b/1") == 7.0 && shapes.require_number("/a~1b/2") == 0.5);
    CHECK(shapes.require_boolean("/yes"));
    const evrim::error missing = failure([&] { (void)shapes.require_string("/z"); });
    CHECK(missing.status() == status::protocol);
    CHECK(std::string_view(missing.what()).find("/z") != std::string_view::npos);
    CHECK(status_of([&] { (void)shapes.require_integer("/title"); }) == status::protocol);
    CHECK(status_of([&] { (void)shapes.require_number("/title"); }) == status::protocol);
    CHECK(status_of([&] { (void)shapes.require_boolean("/z"); }) == status::protocol);
    CHECK(status_of([&] { (void)shapes.copy_json("/none"); }) == status::protocol);
    CHECK(status_of([&] { (void)client.request("GET", "echo/").require_integer(nullptr); })
          == status::invalid_argument);
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    evrim::client client = sign_in();
    things_are_asked_for(client);
    research_is_waited_for(client);
    documents_are_saved(client, argv[1]);
    pages_are_followed(client);
    requests_are_built(client);
    json_is_walked(client);
    std::puts("all of it works");
    return 0;
}
