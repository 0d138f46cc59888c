/*
 * Every part of evrim.hpp against the sandbox, with these faults in it:
 *
 *     /echo/limited/  429 with Retry-After, an id and a code     /echo/broken/  503, always
 *     /echo/silent/   never answers                              /echo/lost/    acts, then hangs up
 *     /echo/values/   {"yes": true, "half": 0.5, "large": 9007199254740993, "list": [1, 2]}
 */
#include "check.hpp"

#include <array>
#include <atomic>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#if __cplusplus >= 202002L
#include <span>
#endif

using evrim::status;
using namespace std::chrono_literals;

/* What holds before anything runs. */

template <class T>
constexpr bool is_move_only = std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_assignable_v<T>
                              && !std::is_copy_constructible_v<T> && !std::is_copy_assignable_v<T>;

static_assert(is_move_only<evrim::client> && is_move_only<evrim::options>);
static_assert(is_move_only<evrim::response> && is_move_only<evrim::secret>);
static_assert(sizeof(evrim::client) == sizeof(void *) && sizeof(evrim::response) == sizeof(void *));
static_assert(sizeof(evrim::options) == sizeof(void *) && sizeof(evrim::secret) == sizeof(void *));

static_assert(std::is_base_of_v<std::runtime_error, evrim::error>);
static_assert(std::is_nothrow_copy_constructible_v<evrim::error>);
static_assert(std::is_nothrow_copy_assignable_v<evrim::error>);

/* Literals and pointers are passed on without anything that could throw; views may need memory. */
static_assert(noexcept(std::declval<evrim::response &>().string("/title")));
static_assert(noexcept(std::declval<evrim::response &>().integer("/id")));
static_assert(!noexcept(std::declval<evrim::response &>().string(std::string_view())));
static_assert(noexcept(std::declval<evrim::client &>().cancel()));
static_assert(noexcept(std::declval<evrim::client &>().token_expires_at()));
static_assert(noexcept(evrim::options()) && noexcept(evrim::version()));

/* Nothing is borrowed from a response or a secret that is about to go. */
template <class T, class = void>
constexpr bool lends_body = false;
template <class T>
constexpr bool lends_body<T, std::void_t<decltype(std::declval<T>().body())>> = true;
template <class T, class = void>
constexpr bool lends_string = false;
template <class T>
constexpr bool lends_string<T, std::void_t<decltype(std::declval<T>().string(""))>> = true;
static_assert(lends_body<evrim::response &> && !lends_body<evrim::response>);
static_assert(lends_string<evrim::response &> && !lends_string<evrim::response>);
static_assert(std::is_convertible_v<evrim::secret &, std::string_view>);
static_assert(!std::is_convertible_v<evrim::secret, std::string_view>);

static_assert(std::is_convertible_v<std::vector<std::byte>, evrim::bytes_view>);
static_assert(std::is_convertible_v<std::array<unsigned char, 3>, evrim::bytes_view>);
static_assert(std::is_convertible_v<std::string_view, evrim::bytes_view>);
static_assert(!std::is_convertible_v<std::vector<int>, evrim::bytes_view>);
#if __cplusplus >= 202002L
static_assert(std::is_convertible_v<evrim::bytes_view, std::span<const unsigned char>>);
static_assert(std::is_convertible_v<std::span<const std::byte>, evrim::bytes_view>);
#endif

/* A view of something that goes on behind it. */
static std::string_view unterminated(std::string &storage, std::string_view text)
{
    storage = std::string(text) + "#and more";
    return std::string_view(storage).substr(0, text.size());
}

static void text_goes_in()
{
    std::string one, two, three, four;
    evrim::client client(unterminated(one, env("EVRIM_URL")), unterminated(two, env("EVRIM_USERNAME")),
                         unterminated(three, env("EVRIM_PASSWORD")));
    const std::string method = "GET";
    evrim::response echo = client.request(method, unterminated(four, "echo/part/"));
    CHECK(echo.string(std::string("/path")) == "/echo/part/");

    /* On the stack, the longest there, the shortest on the heap, and a long one. */
    for (std::size_t length : {std::size_t(20), std::size_t(255), std::size_t(256), std::size_t(3000)}) {
        std::string path = "echo/?";
        path.resize(length, 'x');
        echo = client.request("GET", unterminated(four, path));
        CHECK(echo.string("/query") == path.substr(6));
    }

    char array[] = "echo/array/";
    CHECK(client.request("GET", array).status() == 200);
    CHECK(client.request("GET", "echo/", std::string_view()).integer("/length") == 0);
    CHECK(status_of([&] { client.request("GET", std::string_view()); }) == status::not_found);

    /* A NUL would end the text too early; a null pointer is no text. */
    using namespace std::string_literals;
    using namespace std::string_view_literals;
    CHECK(status_of([&] { client.request("GET", "reports/\0/1/"s); }) == status::invalid_argument);
    CHECK(status_of([&] { client.request("GET", "reports/\0/1/"sv); }) == status::invalid_argument);
    CHECK(status_of([&] { client.request("GET\0"sv, "reports/"); }) == status::invalid_argument);
    CHECK(status_of([] { evrim::client("http://127.0.0.1", "ada", "pass\0word"sv); })
          == status::invalid_argument);
    CHECK(status_of([] { evrim::options().set_user_agent("a\0b"sv); }) == status::invalid_argument);
    CHECK(status_of([&] { (void)echo.string("/pa\0th"sv); }) == status::invalid_argument);
    CHECK(status_of([&] { client.request("GET", nullptr); }) == status::invalid_argument);
    CHECK(status_of([] { evrim::client(nullptr, "ada", "secret"); }) == status::invalid_argument);
    CHECK(status_of([&] { client.request("GET", "reports/\xff/"); }) == status::invalid_argument);
    CHECK(!echo.string(nullptr));
}

static void bodies_go_in(evrim::client &client)
{
    const auto length_of = [&](evrim::bytes_view body) {
        return client.request("POST", "echo/", body).integer("/length");
    };
    CHECK(length_of(R"({"a": 1})") == 8);
    CHECK(length_of(std::string("{}")) == 2);
    CHECK(length_of(std::string_view("{}and more", 2)) == 2);
    CHECK(length_of(std::vector<std::byte>(5, std::byte('1'))) == 5);
    CHECK(length_of(std::array<unsigned char, 3>{'1', '2', '3'}) == 3);
    CHECK(length_of({"1234", 4}) == 4);
    CHECK(length_of(nullptr) == 0);
    CHECK(length_of({}) == 0);

    const std::string large(300000, '7');
    const evrim::response echo = client.request("PUT", "echo/", large);
    CHECK(echo.string("/body") == large);
    CHECK(echo.string("/headers/content-type") == "application/json");
}

static void answers_come_out(evrim::client &client)
{
    const evrim::response report = client.request("GET", "reports/1/");
    CHECK(report && report.status() == 200);
    CHECK(report.header("Content-TYPE") == "application/json");
    CHECK(!report.header("x-none"));
    CHECK(report.string("/report/title").value().substr(0, 8) == "Glaciers");
    CHECK(!report.string("/report/none") && !report.string("/id"));
    CHECK(report.integer("/id") == 1 && !report.integer("/report/title"));
    CHECK(report.number("/id") == 1.0 && !report.number("/none"));
    CHECK(!report.boolean("/id"));
    CHECK(report.count("/report/sections") > 0 && report.count("/none") == 0);
    CHECK(report.body().size() > 100 && report.body()[0] == '{' && !report.body().empty());
    CHECK(report.body().text().find("Glaciers") != std::string_view::npos);
    CHECK(std::string(report.body().begin(), report.body().end()) == report.body().text());
#if __cplusplus >= 202002L
    const std::span<const unsigned char> bytes = report.body();
    CHECK(bytes.data() == report.body().data() && bytes.size() == report.body().size());
#endif

    const evrim::response values = client.request("GET", "echo/values/");
    CHECK(values.boolean("/yes") == true && values.number("/half") == 0.5 && !values.integer("/half"));
    CHECK(values.integer("/large") == 9007199254740993 && values.count("/list") == 2);
    CHECK(values.integer("/list/1") == 2 && !values.integer("/list/2"));

    const evrim::response task = client.request(
        "POST", "research/", R"({"url": "https://example.org", "title": "Snow", "description": "x"})");
    CHECK(task.status() == 201);

    /* Of one that is about to go, values may be asked. */
    CHECK(client.request("GET", "reports/").count("") > 1);
    CHECK(client.request("GET", "reports/1/").integer("/id") == 1);
}

static void handles_move(evrim::client &other)
{
    evrim::client first = other.clone();
    evrim::client second = std::move(first);
    CHECK(!first && second); /* NOLINT: what is left behind is the point */
    CHECK(status_of([&] { first.request("GET", "reports/"); }) == status::invalid_argument);
    CHECK(status_of([&] { first.set_token(); }) == status::invalid_argument);
    CHECK(status_of([&] { first.refresh_token(); }) == status::invalid_argument);
    CHECK(status_of([&] { (void)first.validate_token(); }) == status::invalid_argument);
    CHECK(status_of([&] { (void)first.access_token(); }) == status::invalid_argument);
    CHECK(status_of([&] { (void)first.clone(); }) == status::invalid_argument);
    CHECK(!first.token_expires_at());
    first.cancel();
    first = std::move(second);
    CHECK(first.validate_token());

    evrim::response one = first.request("GET", "reports/1/");
    evrim::response two = std::move(one);
    CHECK(!one && one.status() == 0 && one.body().empty() && !one.string("") && !one.header("a"));
    CHECK(two.status() == 200);
    one = std::move(two);
    CHECK(one.integer("/id") == 1);

    evrim::secret token = first.access_token();
    evrim::secret moved = std::move(token);
    CHECK(token.view().empty() && moved.view().size() > 20);
    CHECK(std::strlen(moved.c_str()) == moved.view().size());
    CHECK(evrim::client::from_token(env("EVRIM_URL"), moved).validate_token());

    evrim::options choices;
    CHECK(choices.get() == nullptr);
    choices.set_retries(0);
    CHECK(choices.get() != nullptr);
    evrim::options taken = std::move(choices);
    CHECK(choices.get() == nullptr && taken.get() != nullptr);
    choices.set_retries(1);

    /* To C and back. */
    evrim_client *bare = first.release();
    CHECK(!first && bare != nullptr);
    evrim::client adopted(bare);
    CHECK(adopted.get() == bare && adopted.validate_token());
    evrim::response answer(adopted.request("GET", "reports/").release());
    CHECK(evrim_response_status(answer.get()) == 200);
    evrim::options from_c(taken.release());
    CHECK(from_c.get() != nullptr);
    evrim::secret copied(adopted.access_token().release());
    CHECK(!copied.view().empty());

    std::vector<evrim::client> many;
    for (int i = 0; i < 5; ++i)
        many.push_back(other.clone());
    CHECK(many.front().validate_token() && many.back().validate_token());
}

static void errors_tell(evrim::client &client)
{
    const evrim::error limited = failure([&] { client.request("GET", "echo/limited/"); });
    CHECK(limited.status() == status::rate_limited && limited.http_status() == 429);
    CHECK(limited.server_code() == "throttled");
    CHECK(limited.request_id() == "req-7");
    CHECK(limited.retry_after() == 90s);
    CHECK(limited.is_retryable());
    CHECK(limited.body().text() == R"({"detail":"slow down","code":"throttled"})");
    CHECK(limited.get() != nullptr && evrim_error_http_status(limited.get()) == 429);
    CHECK(std::string_view(limited.what()) == evrim_error_message(limited.get()));
    CHECK(evrim::status_name(limited.status()) == "EVRIM_ERROR_RATE_LIMITED");

    const evrim::error missing = failure([&] { client.request("GET", "reports/999999/"); });
    CHECK(missing.status() == status::not_found && missing.http_status() == 404);
    CHECK(!missing.retry_after() && !missing.is_retryable());
    CHECK(!missing.body().empty());

    CHECK(status_of([&] { client.request("GET", "echo/broken/"); }) == status::server);
    CHECK(status_of([&] { client.request("GET", "echo/?status=403"); }) == status::permission);
    CHECK(status_of([&] { client.request("GET", "echo/?status=409"); }) == status::conflict);
    CHECK(status_of([&] { client.request("GET", "echo/?status=418"); }) == status::request);

    const evrim::error lost = failure([&] { client.request("POST", "echo/lost/", "{}"); });
    CHECK(lost.status() == status::network && lost.http_status() == 0);
    CHECK(lost.may_have_been_sent() && lost.body().empty() && lost.body().data() == nullptr);
    CHECK(!lost.server_code() && !lost.request_id());

    const evrim::error refused = failure([] { evrim::client("http://127.0.0.1:1", "ada", "secret"); });
    CHECK(refused.status() == status::network && !refused.may_have_been_sent());
    CHECK(status_of([] { evrim::client("no url", "ada", "secret"); }) == status::invalid_url);
    CHECK(status_of([] { evrim::client("http://example.org", "a", "b"); }) == status::insecure_url);
    CHECK(status_of([] { evrim::client(env("EVRIM_URL"), "", ""); }) == status::no_credentials);
    CHECK(status_of([] { evrim::client(env("EVRIM_URL"), "demo", "wrong"); }) == status::authentication);

    /* Copies share; they outlive the first, may go to another thread, and are a std::exception. */
    std::exception_ptr carried;
    std::optional<evrim::error> copy;
    {
        const evrim::error first = failure([&] { client.request("GET", "echo/limited/"); });
        carried = std::make_exception_ptr(first);
        copy = first;
        CHECK(copy->body().data() == first.body().data());
    }
    std::thread([&] {
        try {
            std::rethrow_exception(carried);
        } catch (const std::runtime_error &error) {
            CHECK(dynamic_cast<const evrim::error &>(error).server_code() == "throttled");
        }
    }).join();
    CHECK(copy->request_id() == "req-7");

    const evrim::error own(status::io, "no such disk");
    CHECK(own.status() == status::io && std::string_view(own.what()) == "no such disk");
    CHECK(own.http_status() == 0 && !own.retry_after() && own.body().empty() && own.get() == nullptr);
}

static void options_count()
{
    evrim::options choices;
    choices.set_timeout(10s).set_connect_timeout(5000ms).set_total_timeout(1min).set_retries(0);
    choices.set_max_body_size(100000).set_user_agent("wrapper/1.0").set_auto_renew(true);
    choices.set_min_tls_version(evrim::tls_version::v1_2).set_allow_insecure_http(false);
    choices.set_proxy(std::nullopt).set_validate_on_start(true).set_system_ca(true);
    choices.set_header("X-Key", "one").set_header("X-Gone", std::string("two"));
    choices.set_header("X-Gone", std::nullopt);
    choices.set_header("X-Maybe", std::optional<std::string_view>("three"));
    choices.set_header("X-Maybe-Not", std::optional<std::string>());

    evrim::client client = sign_in(choices);
    const evrim::response echo = client.request("GET", "echo/");
    CHECK(echo.string("/headers/x-key") == "one");
    CHECK(echo.string("/headers/x-maybe") == "three");
    CHECK(!echo.string("/headers/x-gone") && !echo.string("/headers/x-maybe-not"));
    CHECK(echo.string("/headers/user-agent").value().substr(0, 12) == "wrapper/1.0 ");
    CHECK(status_of([&] { client.request("POST", "echo/", std::string(200000, '1')); })
          == status::too_large);

    /* Each refusal names what it refuses, and leaves the options as they were. */
    const evrim::error zero = failure([&] { choices.set_timeout(0ms); });
    CHECK(zero.status() == status::invalid_argument);
    CHECK(std::string_view(zero.what()) == "the timeout was refused: EVRIM_ERROR_INVALID_ARGUMENT");
    CHECK(status_of([&] { choices.set_timeout(-1ms); }) == status::invalid_argument);
    CHECK(status_of([&] { choices.set_total_timeout(std::chrono::hours(2000)); })
          == status::invalid_argument);
    CHECK(status_of([&] { choices.set_connect_timeout(std::chrono::milliseconds::max()); })
          == status::invalid_argument);
    CHECK(status_of([&] { choices.set_retries(11); }) == status::invalid_argument);
    CHECK(status_of([&] { choices.set_max_body_size(0); }) == status::invalid_argument);
    CHECK(status_of([&] { choices.set_header("Host", "x"); }) == status::invalid_argument);
    CHECK(status_of([&] { choices.set_user_agent("a\nb"); }) == status::invalid_argument);
    CHECK(status_of([&] { choices.set_ca_file("/no/such/file"); }) == status::io);
    CHECK(status_of([&] { choices.set_crl_file("/no/such/file"); }) == status::io);
    CHECK(status_of([&] { choices.set_ca_pem("no certificate"); }) == status::tls);
    CHECK(status_of([&] { choices.set_ca_pem(nullptr); }) == status::invalid_argument);
    CHECK(status_of([&] { choices.set_client_certificate("/no/such", "/file"); }) == status::io);
    CHECK(status_of([&] { choices.set_min_tls_version(evrim::tls_version(11)); })
          == status::invalid_argument);
    CHECK(sign_in(choices).validate_token());

    if (std::string_view(env("EVRIM_URL")).substr(0, 6) == "https:") {
        evrim::options sandbox_only;
        sandbox_only.set_ca_file(env("SSL_CERT_FILE")).set_system_ca(false);
        sandbox_only.set_min_tls_version(evrim::tls_version::v1_3);
        CHECK(sign_in(sandbox_only).validate_token());
        CHECK(status_of([] { sign_in(evrim::options().set_system_ca(false)); }) == status::tls);
    }

    evrim::client hasty = client.clone(evrim::options().set_timeout(100ms).set_retries(0));
    CHECK(status_of([&] { hasty.request("GET", "echo/silent/"); }) == status::timeout);
    /* Options that say nothing are the defaults, not those of the client. */
    const evrim::response plain = client.clone(evrim::options()).request("GET", "echo/");
    CHECK(!plain.string("/headers/x-key"));
    const evrim::response same = client.clone().request("GET", "echo/");
    CHECK(same.string("/headers/x-key") == "one");
}

static void sessions_start()
{
    const auto url = env("EVRIM_URL");
    evrim::client from_env = evrim::client::from_env();
    CHECK(from_env.validate_token());

    evrim::client first = sign_in();
    const auto end = first.token_expires_at();
    CHECK(end && *end > std::chrono::system_clock::now() + 60s);
    const evrim::secret access = first.access_token();
    const std::optional<evrim::secret> refresh = first.copy_refresh_token();
    CHECK(refresh && refresh->view() != access.view());

    evrim::client bare = evrim::client::from_token(url, access);
    CHECK(bare.validate_token() && !bare.copy_refresh_token());
    CHECK(status_of([&] { bare.refresh_token(); }) == status::no_refresh_token);
    CHECK(status_of([&] { bare.set_token(); }) == status::no_credentials);

    evrim::client resumed = evrim::client::from_token(url, access, refresh,
                                                      evrim::options().set_validate_on_start(false));
    CHECK(resumed.copy_refresh_token()->view() == refresh->view());
    resumed.refresh_token();
    CHECK(resumed.validate_token());

    CHECK(!evrim::client::from_token(url, access, std::nullopt).copy_refresh_token());
    CHECK(!evrim::client::from_token(url, access, nullptr).copy_refresh_token());
    CHECK(status_of([&] { (void)evrim::client::from_token(url, "not.a.token"); })
          == status::authentication);

    evrim::client opaque = evrim::client::from_token(url, "opaque",
                                                     evrim::options().set_validate_on_start(false));
    CHECK(!opaque.token_expires_at());
    CHECK(!opaque.validate_token());
}

/* Counts how many there are. */
struct counted {
    static inline std::atomic<int> alive{0};
    counted() noexcept { ++alive; }
    counted(const counted &) noexcept { ++alive; }
    counted(counted &&) noexcept { ++alive; }
    ~counted() { --alive; }
};

static void plain_log(evrim::log_level, std::string_view, std::string_view) {}

static void callbacks_are_called()
{
    using time = std::optional<std::chrono::system_clock::time_point>;
    std::mutex lock;
    std::vector<std::string> lines;
    std::string access, refresh;
    int changes = 0;
    {
        evrim::options choices;
        choices.set_log_callback(evrim::log_level::debug,
                                 [&, guard = counted()](evrim::log_level level, std::string_view subject,
                                                        std::string_view message) {
                                     const std::lock_guard<std::mutex> hold(lock);
                                     CHECK(level >= evrim::log_level::error);
                                     CHECK(level <= evrim::log_level::debug);
                                     lines.push_back(std::string(subject) + ": " + std::string(message));
                                     throw std::runtime_error("goes no further");
                                 });
        auto unique = std::make_unique<int>(0); /* a lambda that can only be moved, and changes */
        choices.set_token_callback([&, guard = counted(), owner = std::move(unique), calls = 0](
                                       std::string_view new_access,
                                       std::optional<std::string_view> new_refresh, time end) mutable {
            changes = *owner + ++calls;
            access = new_access;
            refresh = new_refresh.value_or("none");
            CHECK(end && *end > std::chrono::system_clock::now());
            throw 1;
        });
        CHECK(counted::alive == 2);

        evrim::client client = sign_in(choices);
        choices = evrim::options();
        CHECK(counted::alive == 2); /* the client holds them */
        client.refresh_token();
        const evrim::secret token = client.access_token();
        CHECK(changes == 1 && access == token.view());
        client.set_token();
        CHECK(changes == 2 && refresh != "none");
        CHECK(client.request("GET", "reports/1/").status() == 200);
        CHECK(lines.size() >= 3);

        evrim::client second = client.clone();
        client = sign_in();
        CHECK(counted::alive == 2); /* the clone does */
        second.refresh_token();
        CHECK(changes == 3);
    }
    CHECK(counted::alive == 0);

    /* Replaced, switched off, and refused. */
    evrim::options choices;
    const auto quiet = [guard = counted()](auto, auto, auto) {};
    choices.set_log_callback(evrim::log_level::info, quiet);
    choices.set_log_callback(evrim::log_level::info, quiet);
    choices.set_token_callback(quiet);
    CHECK(counted::alive == 3);
    choices.set_log_callback(evrim::log_level::info, nullptr);
    choices.set_token_callback(std::function<void(std::string_view, std::optional<std::string_view>, time)>());
    CHECK(counted::alive == 1);
    CHECK(status_of([&] { choices.set_log_callback(evrim::log_level(9), quiet); })
          == status::invalid_argument);
    CHECK(counted::alive == 1); /* nothing leaks of one that was refused */

    choices.set_log_callback(evrim::log_level::debug, plain_log);
    decltype(&plain_log) none = nullptr;
    choices.set_log_callback(evrim::log_level::debug, none);

    /* Inside a callback, what waits for the server is an error, and what does not wait works. */
    evrim::client *inside = nullptr;
    status seen = status::ok;
    std::string copied;
    choices.set_token_callback([&](std::string_view token, auto, auto) {
        seen = status_of([&] { (void)inside->validate_token(); });
        const evrim::secret same = inside->access_token();
        copied = same.view();
        CHECK(copied == token);
    });
    evrim::client client = sign_in(choices);
    inside = &client;
    client.refresh_token();
    CHECK(seen == status::invalid_argument && !copied.empty());
}

static void calls_are_cancelled(evrim::client &client)
{
    evrim::client first = client.clone();
    evrim::client second = client.clone();
    std::atomic<bool> done{false};
    std::thread waiting([&] {
        const evrim::error ended = failure([&] { first.request("GET", "echo/silent/"); });
        CHECK(ended.status() == status::cancelled);
        done = true;
    });
    const auto start = std::chrono::steady_clock::now();
    while (!done) {
        std::this_thread::sleep_for(20ms);
        second.cancel(); /* not this one */
        CHECK(second.validate_token());
        if (std::chrono::steady_clock::now() - start > 200ms)
            first.cancel();
        CHECK(std::chrono::steady_clock::now() - start < 10s);
    }
    waiting.join();
    CHECK(first.validate_token()); /* the next call is a new one */

    /* One client, many threads. */
    std::vector<std::thread> threads;
    std::atomic<int> answered{0};
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&] { answered += client.request("GET", "reports/1/").status(); });
    for (std::thread &thread : threads)
        thread.join();
    CHECK(answered == 4 * 200);
}

void a_close_is_for_good(const evrim::client &client)
{
    const evrim::token_pair pair = client.tokens();
    const evrim::secret access = client.access_token();
    CHECK(pair.access.view() == access.view() && pair.refresh && pair.expires_at);
    evrim::client hurried = client.clone(client.copy_options().set_timeout(7s));
    hurried.close();
    CHECK(status_of([&] { (void)hurried.request("GET", "reports/"); }) == status::cancelled);
    CHECK(client.clone().request("GET", "reports/1/").status() == 200);
}

int main()
{
    CHECK(evrim::version() == EVRIM_VERSION);
    CHECK(evrim::status_name(status(12345)) == "EVRIM_ERROR_UNKNOWN");
    evrim::client client = sign_in();
    text_goes_in();
    bodies_go_in(client);
    answers_come_out(client);
    handles_move(client);
    errors_tell(client);
    options_count();
    sessions_start();
    callbacks_are_called();
    calls_are_cancelled(client);
    a_close_is_for_good(client);
    std::puts("all of it works");
    return 0;
}
