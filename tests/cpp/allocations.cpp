/*
 * evrim.hpp allocates nothing on the way of a request. The library is not C++ and never calls operator
 * new, so what is counted here is the header's alone.
 */
#include "check.hpp"

#include <atomic>
#include <new>

static std::atomic<int> count{0};

void *operator new(std::size_t size)
{
    ++count;
    if (void *memory = std::malloc(size == 0 ? 1 : size))
        return memory;
    throw std::bad_alloc();
}

void *operator new[](std::size_t size)
{
    return operator new(size);
}

void operator delete(void *memory) noexcept
{
    std::free(memory);
}

void operator delete(void *memory, std::size_t) noexcept
{
    std::free(memory);
}

void operator delete[](void *memory) noexcept
{
    std::free(memory);
}

void operator delete[](void *memory, std::size_t) noexcept
{
    std::free(memory);
}

/* How often memory was asked for while it ran. */
template <class F>
static int allocations(F &&work)
{
    const int before = count;
    work();
    return count - before;
}

int main()
{
    evrim::client client = sign_in();
    const std::string path = "reports/1/?a=long&enough=not&to=fit&into=a&small=string";
    const std::string_view view(path.data(), 10);
    const std::string long_path = "reports/1/?" + std::string(300, 'x');

    CHECK(allocations([] { sign_in(); }) == 0);
    CHECK(allocations([&] { client.request("GET", "reports/1/"); }) == 0);
    CHECK(allocations([&] { client.request("GET", path); }) == 0);
    CHECK(allocations([&] { client.request("GET", view); }) == 0);
    CHECK(allocations([&] { client.request("POST", "echo/", R"({"a": 1})"); }) == 0);
    CHECK(allocations([&] { client.request("GET", std::string_view(long_path)); }) == 1);

    const evrim::response report = client.request("GET", "reports/1/");
    CHECK(allocations([&] {
              CHECK(report.string("/report/title") && report.integer("/id") && report.number("/id"));
              CHECK(report.count("/report/sections") > 0 && !report.boolean("/id"));
              CHECK(report.header("content-type") && report.body().size() > 0);
          })
          == 0);
    CHECK(allocations([&] {
              CHECK(client.validate_token());
              client.refresh_token();
              client.set_token();
              const evrim::secret token = client.access_token();
              CHECK(!token.view().empty() && client.copy_refresh_token());
              evrim::client clone = client.clone(evrim::options().set_retries(1));
              client = std::move(clone);
          })
          == 0);
    CHECK(allocations([&] {
              CHECK(client.get_reports().count("") > 1 && client.get_report(1).status() == 200);
              evrim::request_options choices;
              choices.add_query("a", "b").set_string("/title", path).set_integer("/id", 7);
              CHECK(client.request_with("POST", "echo/", choices).status() == 200);
              const evrim::owned_string json = report.copy_json("/report");
              CHECK(!json.view().empty() && report.require_integer("/id") == 1);
              for (const evrim::response &page : client.pages("v0/reports/"))
                  CHECK(page.key("", 0) && page.type("/results") == evrim::json_type::array);
          })
          == 0);
    /* A lambda that is called during a call is used where it is, however much it holds. */
    std::size_t size = 0;
    const auto write = [&size, many = std::string(300, 'x')](evrim::bytes_view bytes) {
        size += bytes.size();
    };
    CHECK(allocations([&] { client.download_to("reports/1/", write, [](auto, auto) { return true; }); }) == 0);
    CHECK(size == report.body().size());

    /* A lambda that stays is kept on the heap, and an exception is made there. */
    CHECK(allocations([] { evrim::options().set_token_callback([](auto, auto, auto) {}); }) == 1);
    std::puts("nothing is allocated");
    return 0;
}
