/* SPDX-License-Identifier: Apache-2.0 OR MIT */

/*
 * libevrim for C++17 and later: evrim.h with destructors, exceptions and views.
 *
 *     try {
 *         evrim::client client("https://api.evrim.ai/prod", user, password);
 *         evrim::response report = client.get_report(1);
 *         std::cout << report.string("/report/title").value_or("(no title)") << '\n';
 *     } catch (const evrim::error &error) {
 *         std::cerr << error.what() << '\n';
 *     }
 *
 * Header only: there is nothing to link but libevrim. What a call does is told in evrim.h; here is told
 * what C++ adds. A member has the name of its C function without "evrim_" and the handle's name, but
 * where that is a word of the language (int is integer, double number, bool boolean), and
 * access_token() and copy_refresh_token(), which copy.
 *
 * Handles. client, options, request_options, response and secret own one C handle each, free it when they
 * end, and can be moved but not copied. One that was moved from is empty: options are then the defaults
 * again, a response has nothing in it, and a client refuses its calls with status::invalid_argument. get()
 * lends the C handle, release() gives it away, and a constructor takes one over.
 *
 * Errors. What fails throws an evrim::error, or std::bad_alloc where the memory for a copy is missing.
 * What can't fail is noexcept.
 *
 * Functions that are given to a call, to follow its progress or to take what it brings, run while it does
 * and are neither copied nor kept. One that returns false ends the call with status::cancelled; one that
 * returns nothing has it go on. One that throws ends the call too, which then throws the same.
 *
 * Text that goes in is a `const text &`: a string literal, a const char *, a std::string, a
 * std::string_view or a secret. A view need not end in a NUL.
 *
 * What comes out as a std::string_view, or as a bytes_view, is borrowed: it lives as long as the response
 * or error it was asked of. Asking it of a response that is gone at the end of the line does not compile.
 *
 * Cost. The functions are inline, and each is its C call. A literal, a const char * and a std::string end
 * in a NUL already and are passed on as they are; a view is copied, up to 255 bytes to the stack and
 * longer ones to the heap. Nothing else is allocated but the exception of a call that failed and the
 * lambda of a callback. Two costs remain: the length of each string that comes out is counted, and a
 * std::string that goes in is searched for a NUL. Whoever minds takes get() and the C function.
 *
 * Threads. As in evrim.h: any number of threads may use one client at once. Moving or destroying it is
 * like evrim_free(): calls that have begun end, and none may begin any more.
 */

#ifndef EVRIM_HPP
#define EVRIM_HPP

#if !(__cplusplus >= 201703L || (defined(_MSVC_LANG) && _MSVC_LANG >= 201703L))
#error "evrim.hpp needs C++17 or later; evrim.h serves C++11"
#endif
#if !defined(__cpp_exceptions) && !defined(_CPPUNWIND)
#error "evrim.hpp reports errors by exceptions, which are switched off here; evrim.h does without"
#endif

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "evrim.h"

/* The exception is one type in every library of a program, though they hide their symbols. */
#if defined(__GNUC__) || defined(__clang__)
#define EVRIM_VISIBLE __attribute__((__visibility__("default")))
#else
#define EVRIM_VISIBLE
#endif

namespace evrim {

/** An `evrim_status`. Later versions of the library may return others than these. */
enum class status : std::int32_t {
    ok = EVRIM_OK,
    invalid_argument = EVRIM_ERROR_INVALID_ARGUMENT,
    invalid_url = EVRIM_ERROR_INVALID_URL,
    insecure_url = EVRIM_ERROR_INSECURE_URL,
    no_credentials = EVRIM_ERROR_NO_CREDENTIALS,
    no_refresh_token = EVRIM_ERROR_NO_REFRESH_TOKEN,
    cancelled = EVRIM_ERROR_CANCELLED,
    internal = EVRIM_ERROR_INTERNAL,
    network = EVRIM_ERROR_NETWORK,
    tls = EVRIM_ERROR_TLS,
    timeout = EVRIM_ERROR_TIMEOUT,
    protocol = EVRIM_ERROR_PROTOCOL,
    redirect = EVRIM_ERROR_REDIRECT,
    too_large = EVRIM_ERROR_TOO_LARGE,
    io = EVRIM_ERROR_IO,
    authentication = EVRIM_ERROR_AUTHENTICATION,
    permission = EVRIM_ERROR_PERMISSION,
    not_found = EVRIM_ERROR_NOT_FOUND,
    conflict = EVRIM_ERROR_CONFLICT,
    rate_limited = EVRIM_ERROR_RATE_LIMITED,
    request = EVRIM_ERROR_REQUEST,
    server = EVRIM_ERROR_SERVER,
};

/** An `evrim_log_level`. */
enum class log_level : std::int32_t {
    error = EVRIM_LOG_ERROR,
    warn = EVRIM_LOG_WARN,
    info = EVRIM_LOG_INFO,
    debug = EVRIM_LOG_DEBUG,
};

/** An `evrim_tls_version`. */
enum class tls_version : std::int32_t {
    v1_2 = EVRIM_TLS_1_2,
    v1_3 = EVRIM_TLS_1_3,
};

/** An `evrim_json_type`. */
enum class json_type : std::int32_t {
    none = EVRIM_JSON_NONE,
    null = EVRIM_JSON_NULL,
    boolean = EVRIM_JSON_BOOL,
    integer = EVRIM_JSON_INT,
    number = EVRIM_JSON_DOUBLE,
    string = EVRIM_JSON_STRING,
    array = EVRIM_JSON_ARRAY,
    object = EVRIM_JSON_OBJECT,
};

/** The name of a status code, such as "EVRIM_ERROR_TIMEOUT". */
inline std::string_view status_name(status code) noexcept
{
    return evrim_status_name(static_cast<std::int32_t>(code));
}

/** The version of the library that is loaded; `EVRIM_VERSION` is that of the headers. */
inline std::string_view version() noexcept
{
    return evrim_version();
}

namespace detail {

struct free_handle {
    void operator()(evrim_client *handle) const noexcept { evrim_free(handle); }
    void operator()(evrim_options *handle) const noexcept { evrim_options_free(handle); }
    void operator()(evrim_request_options *handle) const noexcept
    {
        evrim_request_options_free(handle);
    }
    void operator()(evrim_response *handle) const noexcept { evrim_response_free(handle); }
    void operator()(evrim_error *handle) const noexcept { evrim_error_free(handle); }
    void operator()(char *string) const noexcept { evrim_string_free(string); }
};

template <class T>
using owned = std::unique_ptr<T, free_handle>;

inline std::optional<std::string_view> view(const char *string) noexcept
{
    if (string == nullptr)
        return std::nullopt;
    return std::string_view(string);
}

/* Views of C++23 can't be made of a null pointer, so pointers are taken apart from the rest. */
template <class T>
inline constexpr bool is_view = std::is_convertible_v<const T &, std::string_view>
                                && !std::is_convertible_v<const T &, const char *>;

template <class T>
inline constexpr bool is_byte = std::is_same_v<T, unsigned char> || std::is_same_v<T, std::byte>
                                || std::is_same_v<T, char>;

template <class T, class = void>
inline constexpr bool is_bytes = false;

template <class T>
inline constexpr bool is_bytes<T, std::void_t<decltype(std::data(std::declval<const T &>())),
                                              decltype(std::size(std::declval<const T &>()))>>
    = is_byte<std::remove_cv_t<std::remove_pointer_t<decltype(std::data(std::declval<const T &>()))>>>
      && !std::is_convertible_v<const T &, const char *>;

} // namespace detail

/**
 * Bytes that belong to someone else: what goes into a request as its body, and what comes out as the body
 * of an answer. Made of a literal or a const char *, of a string or string_view, or of a vector, array or
 * span of char, unsigned char or std::byte. In C++20 it is itself taken for a std::span of const bytes.
 */
class bytes_view {
public:
    using value_type = unsigned char;
    using const_iterator = const unsigned char *;
    using iterator = const_iterator;

    /** None at all: a request without a body. */
    constexpr bytes_view() noexcept = default;

    bytes_view(const void *data, std::size_t size) noexcept
        : data_(static_cast<const unsigned char *>(data)), size_(size)
    {
    }

    /** Up to the NUL. None for a null pointer. */
    bytes_view(const char *string) noexcept
        : bytes_view(string, string == nullptr ? 0 : std::strlen(string))
    {
    }

    template <class T, std::enable_if_t<detail::is_bytes<T>, int> = 0>
    bytes_view(const T &container) noexcept : bytes_view(std::data(container), std::size(container))
    {
    }

    constexpr const unsigned char *data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_; }
    constexpr bool empty() const noexcept { return size_ == 0; }
    constexpr const unsigned char *begin() const noexcept { return data_; }
    constexpr const unsigned char *end() const noexcept { return data_ + size_; }
    constexpr unsigned char operator[](std::size_t at) const noexcept { return data_[at]; }

    /** The same bytes as characters. */
    std::string_view text() const noexcept
    {
        return std::string_view(static_cast<const char *>(static_cast<const void *>(data_)), size_);
    }

private:
    const unsigned char *data_ = nullptr;
    std::size_t size_ = 0;
};

/**
 * Why a call failed. what() is a sentence for people; programs go by status(). Copies are cheap and share
 * what they hold. What is borrowed from one lives as long as any of its copies.
 */
class EVRIM_VISIBLE error : public std::runtime_error {
public:
    /** Takes over what a C call returned, which may not be NULL. */
    explicit error(evrim_error *handle) : error(detail::owned<evrim_error>(handle)) {}

    /** One that the library did not make. */
    error(evrim::status code, const char *message) : std::runtime_error(message), status_(code) {}

    evrim::status status() const noexcept { return status_; }

    /** The HTTP status of the answer, such as 404; 0 if there was no answer. */
    int http_status() const noexcept { return evrim_error_http_status(handle_.get()); }

    /** The server's own code, such as "token_not_valid". */
    std::optional<std::string_view> server_code() const noexcept
    {
        return detail::view(evrim_error_server_code(handle_.get()));
    }

    /** The id under which the server logged the request. */
    std::optional<std::string_view> request_id() const noexcept
    {
        return detail::view(evrim_error_request_id(handle_.get()));
    }

    /** How long the server asks to wait before the next try. */
    std::optional<std::chrono::milliseconds> retry_after() const noexcept
    {
        const std::int64_t wait = evrim_error_retry_after_ms(handle_.get());
        if (wait < 0)
            return std::nullopt;
        return std::chrono::milliseconds(wait);
    }

    /** Whether the same call may succeed if it is made again later. */
    bool is_retryable() const noexcept { return evrim_error_is_retryable(handle_.get()); }

    /** Whether the server may have acted on the request. */
    bool may_have_been_sent() const noexcept { return evrim_error_may_have_been_sent(handle_.get()); }

    /** The body of the answer; empty if there was none. */
    bytes_view body() const noexcept
    {
        std::size_t size = 0;
        const std::uint8_t *data = evrim_error_body(handle_.get(), &size);
        return bytes_view(data, size);
    }

    /** The C error; null for one that the library did not make. */
    const evrim_error *get() const noexcept { return handle_.get(); }

private:
    explicit error(detail::owned<evrim_error> handle)
        : std::runtime_error(evrim_error_message(handle.get())),
          status_(static_cast<evrim::status>(evrim_error_status(handle.get()))), handle_(std::move(handle))
    {
    }

    evrim::status status_;
    /* Shared, as copying an exception may not fail. */
    std::shared_ptr<evrim_error> handle_;
};

namespace detail {

/* Makes a C call, and throws its error. */
template <class F>
void call(F &&function)
{
    evrim_error *handle = nullptr;
    if (function(&handle) != EVRIM_OK)
        throw error(handle);
}

/* The same with a function of the caller's in it, which may have thrown. */
template <class F>
void call(const std::exception_ptr &thrown, F &&function)
{
    evrim_error *handle = nullptr;
    const evrim_status code = function(&handle);
    if (thrown) {
        evrim_error_free(handle);
        std::rethrow_exception(thrown);
    }
    if (code != EVRIM_OK)
        throw error(handle);
}

/* Calls a function of the caller's; says whether to go on. No exception may get into the library, which
 * is not C++: it is kept until the C call has ended. */
template <class F, class... A>
bool go_on(F &function, std::exception_ptr &thrown, A... arguments) noexcept
{
    try {
        if constexpr (std::is_void_v<std::invoke_result_t<F &, A...>>) {
            function(arguments...);
            return true;
        } else {
            return static_cast<bool>(function(arguments...));
        }
    } catch (...) {
        thrown = std::current_exception();
        return false;
    }
}

/* Whether what a function returns says whether to go on, or is nothing. */
template <class F, class... A>
constexpr bool tells_to_go_on()
{
    if constexpr (std::is_invocable_v<F &, A...>) {
        using result = std::invoke_result_t<F &, A...>;
        return std::is_void_v<result> || std::is_convertible_v<result, bool>;
    } else {
        return false;
    }
}

/* Pointers to functions and std::function can be empty; lambdas can't. */
template <class F>
bool is_empty(const F &function) noexcept
{
    if constexpr (std::is_null_pointer_v<F>)
        return true;
    else if constexpr (std::is_constructible_v<F, std::nullptr_t>
                       && std::is_constructible_v<bool, const F &>)
        return !static_cast<bool>(function);
    else
        return false;
}

/* What does not fit is 0 to the library, which refuses that. */
inline std::uint32_t count(std::chrono::milliseconds limit) noexcept
{
    const bool fits = limit.count() > 0 && limit.count() <= UINT32_MAX;
    return fits ? static_cast<std::uint32_t>(limit.count()) : 0;
}

[[noreturn]] inline void refuse(evrim_status code, const char *what)
{
    const std::string message = std::string(what) + " was refused: " + evrim_status_name(code);
    throw error(static_cast<status>(code), message.c_str());
}

} // namespace detail

/**
 * A string that the library made for the caller, such as a token. It is wiped when it ends. A view of it
 * lives no longer than it does.
 */
class secret {
public:
    /** Takes over a string that is for evrim_string_free(). */
    explicit secret(char *string) noexcept : string_(string) {}

    /** The string; "" for one that was moved from. */
    const char *c_str() const & noexcept { return string_ ? string_.get() : ""; }
    const char *c_str() const && = delete;
    std::string_view view() const & noexcept { return c_str(); }
    std::string_view view() const && = delete;
    operator std::string_view() const & noexcept { return c_str(); }
    operator std::string_view() const && = delete;

    char *release() noexcept { return string_.release(); }

private:
    detail::owned<char> string_;
};

/** The same for a string that is no secret. */
using owned_string = secret;

/**
 * Text that goes in, for the time of one call. Not to be kept; it is made of the arguments by itself.
 *
 * Text of a known length may not have a NUL in it, behind which C would not see the rest:
 * status::invalid_argument. Copies are wiped, as the text may be a password.
 */
class text {
public:
    /** Passed on as it is, a null pointer too, which the library refuses where it must. */
    text(const char *string) noexcept : string_(string) {}

    /** Passed on as it is. */
    text(const std::string &string) { set(string); }

    /** Passed on as it is. */
    text(const secret &string) noexcept { set(string); }

    /** A string_view, and whatever else can be taken for one: copied, and ended with a NUL. */
    template <class T, std::enable_if_t<detail::is_view<T>, int> = 0>
    text(const T &string)
    {
        set(static_cast<std::string_view>(string));
    }

    ~text()
    {
        if (copy_ == nullptr)
            return;
        volatile char *place = copy_;
        for (std::size_t at = 0; at < size_; ++at)
            place[at] = 0;
        if (copy_ != buffer_)
            delete[] copy_;
    }

    text(const text &) = delete;
    text &operator=(const text &) = delete;

    const char *c_str() const noexcept { return string_; }

protected:
    text() noexcept = default;

    void set(const char *string) noexcept { string_ = string; }

    void set(const secret &string) noexcept { string_ = string.c_str(); }

    void set(const std::string &string)
    {
        refuse_nul(string);
        string_ = string.c_str();
    }

    void set(std::string_view string)
    {
        refuse_nul(string);
        copy_ = string.size() < sizeof buffer_ ? buffer_ : new char[string.size() + 1];
        size_ = string.copy(copy_, string.size());
        copy_[size_] = '\0';
        string_ = copy_;
    }

private:
    static void refuse_nul(std::string_view string)
    {
        if (string.find('\0') != std::string_view::npos)
            throw error(status::invalid_argument, "an argument has a NUL character in it");
    }

    const char *string_ = nullptr;
    char *copy_ = nullptr;
    std::size_t size_ = 0;
    char buffer_[256];
};

/** Text, or std::nullopt, or a std::optional of what is text. */
class optional_text : public text {
public:
    optional_text(std::nullopt_t) noexcept {}

    template <class T, std::enable_if_t<std::is_constructible_v<text, const T &>, int> = 0>
    optional_text(const T &string) noexcept(std::is_nothrow_constructible_v<text, const T &>)
        : text(string)
    {
    }

    template <class T, std::enable_if_t<std::is_constructible_v<text, const T &>, int> = 0>
    optional_text(const std::optional<T> &string)
    {
        if (string)
            set(*string);
    }
};

/**
 * What can be chosen for a client; the names and defaults are those of evrim.h. A value that is refused
 * throws and changes nothing. Setters can be chained:
 *
 *     evrim::client client(url, user, password, evrim::options().set_timeout(10s).set_retries(0));
 *
 * For one thread at a time. Options that nobody changed hold and allocate nothing.
 */
class options {
public:
    options() noexcept = default;

    /** Takes over a C handle; NULL for the defaults. */
    explicit options(evrim_options *handle) noexcept : handle_(handle) {}

    /** From 1 ms to some 49 days, here and below. */
    options &set_timeout(std::chrono::milliseconds limit)
    {
        return check(evrim_options_set_timeout_ms(changed(), detail::count(limit)), "the timeout");
    }

    options &set_connect_timeout(std::chrono::milliseconds limit)
    {
        return check(evrim_options_set_connect_timeout_ms(changed(), detail::count(limit)),
                     "the connect timeout");
    }

    options &set_total_timeout(std::chrono::milliseconds limit)
    {
        return check(evrim_options_set_total_timeout_ms(changed(), detail::count(limit)),
                     "the total timeout");
    }

    options &set_ca_file(const text &path)
    {
        return check(evrim_options_set_ca_file(changed(), path.c_str()), "the CA file");
    }

    options &set_ca_pem(bytes_view pem)
    {
        return check(evrim_options_set_ca_pem(changed(), pem.data(), pem.size()), "the CA in PEM");
    }

    options &set_system_ca(bool trust)
    {
        return check(evrim_options_set_system_ca(changed(), trust), "the choice of authorities");
    }

    options &set_crl_file(const text &path)
    {
        return check(evrim_options_set_crl_file(changed(), path.c_str()), "the CRL file");
    }

    options &set_client_certificate(const text &certificate_path, const text &key_path)
    {
        return check(evrim_options_set_client_certificate(changed(), certificate_path.c_str(),
                                                          key_path.c_str()),
                     "the client certificate");
    }

    options &set_min_tls_version(tls_version oldest)
    {
        return check(evrim_options_set_min_tls_version(changed(), static_cast<std::int32_t>(oldest)),
                     "the version of TLS");
    }

    /** std::nullopt for no proxy at all. */
    options &set_proxy(const optional_text &url)
    {
        return check(evrim_options_set_proxy(changed(), url.c_str()), "the proxy");
    }

    options &set_retries(std::uint32_t retries)
    {
        return check(evrim_options_set_retries(changed(), retries), "the number of retries");
    }

    options &set_max_body_size(std::uint64_t bytes)
    {
        return check(evrim_options_set_max_body_size(changed(), bytes), "the size of bodies");
    }

    /** std::nullopt takes the header out again. */
    options &set_header(const text &name, const optional_text &value)
    {
        return check(evrim_options_set_header(changed(), name.c_str(), value.c_str()), "the header");
    }

    options &set_allow_insecure_http(bool allow)
    {
        return check(evrim_options_set_allow_insecure_http(changed(), allow), "plain http");
    }

    options &set_validate_on_start(bool validate)
    {
        return check(evrim_options_set_validate_on_start(changed(), validate), "the validation");
    }

    options &set_auto_renew(bool renew)
    {
        return check(evrim_options_set_auto_renew(changed(), renew), "the renewal");
    }

    options &set_user_agent(const text &name)
    {
        return check(evrim_options_set_user_agent(changed(), name.c_str()), "the user agent");
    }

    /**
     * Has log lines up to a level passed to a function, called with a log_level and two
     * std::string_view: subject and message, which live until it returns. It is moved here, and destroyed
     * when neither options nor clients hold it any more. As it may be called by several threads at the
     * same time, it must be callable when const. What it throws goes no further: the exception is dropped
     * and the request goes on. An empty std::function, or nullptr, switches the callback off.
     */
    template <class F>
    options &set_log_callback(log_level level, F &&function)
    {
        using kept = std::decay_t<F>;
        if constexpr (std::is_same_v<kept, std::nullptr_t>) {
            return set_log(level, nullptr, nullptr, nullptr);
        } else {
            static_assert(
                std::is_invocable_v<const kept &, log_level, std::string_view, std::string_view>,
                "a log callback takes (log_level, string_view subject, string_view message) and is not "
                "mutable, as threads may call it at the same time");
            if (detail::is_empty<kept>(function))
                return set_log(level, nullptr, nullptr, nullptr);
            auto owner = std::make_unique<kept>(std::forward<F>(function));
            set_log(level, &tell_log<kept>, owner.get(), &destroy<kept>);
            owner.release();
            return *this;
        }
    }

    /**
     * Has a function told of the tokens whenever they were replaced. It is called with a std::string_view,
     * the access token; a std::optional of one, the refresh token; and the end of the access token as
     * client::token_expires_at() gives it. Both live until it returns, and are wiped then. It is called by
     * one thread at a time and may be mutable; otherwise as with set_log_callback().
     */
    template <class F>
    options &set_token_callback(F &&function)
    {
        using kept = std::decay_t<F>;
        if constexpr (std::is_same_v<kept, std::nullptr_t>) {
            return set_tokens(nullptr, nullptr, nullptr);
        } else {
            static_assert(std::is_invocable_v<kept &, std::string_view, std::optional<std::string_view>,
                                              std::optional<std::chrono::system_clock::time_point>>,
                          "a token callback takes (string_view access, optional<string_view> refresh, "
                          "optional<system_clock::time_point> expires_at)");
            if (detail::is_empty<kept>(function))
                return set_tokens(nullptr, nullptr, nullptr);
            auto owner = std::make_unique<kept>(std::forward<F>(function));
            set_tokens(&tell_tokens<kept>, owner.get(), &destroy<kept>);
            owner.release();
            return *this;
        }
    }

    /** The C handle; null while nothing was changed, which C functions take for the defaults. */
    const evrim_options *get() const noexcept { return handle_.get(); }

    evrim_options *release() noexcept { return handle_.release(); }

private:
    friend class client;

    evrim_options *changed()
    {
        if (!handle_)
            handle_.reset(evrim_options_new());
        if (!handle_)
            throw std::bad_alloc();
        return handle_.get();
    }

    options &check(evrim_status code, const char *what)
    {
        if (code != EVRIM_OK)
            detail::refuse(code, what);
        return *this;
    }

    static std::optional<std::chrono::system_clock::time_point> time(std::int64_t seconds) noexcept
    {
        using clock = std::chrono::system_clock;
        constexpr auto last = std::chrono::duration_cast<std::chrono::seconds>(clock::duration::max());
        if (seconds < 0)
            return std::nullopt;
        if (seconds > last.count())
            return clock::time_point::max();
        return clock::time_point(std::chrono::seconds(seconds));
    }

    options &set_log(log_level level, evrim_log_fn function, void *data, evrim_destroy_fn end)
    {
        return check(evrim_options_set_log_callback(changed(), static_cast<std::int32_t>(level),
                                                    function, data, end),
                     "the log callback");
    }

    options &set_tokens(evrim_token_fn function, void *data, evrim_destroy_fn end)
    {
        return check(evrim_options_set_token_callback(changed(), function, data, end),
                     "the token callback");
    }

    /* No exception may get into the library, which is not C++. */
    template <class F>
    static void tell_log(void *data, std::int32_t level, const char *subject,
                         const char *message) noexcept
    {
        try {
            (*static_cast<const F *>(data))(static_cast<log_level>(level), std::string_view(subject),
                                            std::string_view(message));
        } catch (...) {
        }
    }

    template <class F>
    static void tell_tokens(void *data, const char *access_token, const char *refresh_token,
                            std::int64_t expires_at) noexcept
    {
        try {
            (*static_cast<F *>(data))(std::string_view(access_token), detail::view(refresh_token),
                                      time(expires_at));
        } catch (...) {
        }
    }

    template <class F>
    static void destroy(void *data) noexcept
    {
        delete static_cast<F *>(data);
    }

    detail::owned<evrim_options> handle_;
};

/**
 * What a request has besides its method and path. A value that is refused throws and changes nothing.
 * Setters can be chained:
 *
 *     client.request_with("GET", "reports/", evrim::request_options().add_query("search", "ice & sea"));
 *
 * Those of values take an RFC 6901 pointer into the JSON body, such as "/title", or "/tags/-" to append.
 * For one thread at a time. Request options that nobody changed hold and allocate nothing.
 */
class request_options {
public:
    request_options() noexcept = default;

    /** Takes over a C handle; NULL for none. */
    explicit request_options(evrim_request_options *handle) noexcept : handle_(handle) {}

    request_options &add_query(const text &name, const text &value)
    {
        return check(evrim_request_options_add_query(changed(), name.c_str(), value.c_str()),
                     "the parameter");
    }

    /** std::nullopt takes the header out again. */
    request_options &set_header(const text &name, const optional_text &value)
    {
        return check(evrim_request_options_set_header(changed(), name.c_str(), value.c_str()),
                     "the header");
    }

    request_options &set_string(const text &pointer, const text &value)
    {
        return check(evrim_request_options_set_string(changed(), pointer.c_str(), value.c_str()),
                     "the string");
    }

    request_options &set_integer(const text &pointer, std::int64_t value)
    {
        return check(evrim_request_options_set_int(changed(), pointer.c_str(), value), "the integer");
    }

    request_options &set_number(const text &pointer, double value)
    {
        return check(evrim_request_options_set_double(changed(), pointer.c_str(), value), "the number");
    }

    request_options &set_boolean(const text &pointer, bool value)
    {
        return check(evrim_request_options_set_bool(changed(), pointer.c_str(), value), "the boolean");
    }

    request_options &set_json(const text &pointer, bytes_view json)
    {
        return check(evrim_request_options_set_json(changed(), pointer.c_str(), json.data(), json.size()),
                     "the JSON");
    }

    /** The C handle; null while nothing was changed, which C functions take for none. */
    const evrim_request_options *get() const noexcept { return handle_.get(); }

    evrim_request_options *release() noexcept { return handle_.release(); }

private:
    evrim_request_options *changed()
    {
        if (!handle_)
            handle_.reset(evrim_request_options_new());
        if (!handle_)
            throw std::bad_alloc();
        return handle_.get();
    }

    request_options &check(evrim_status code, const char *what)
    {
        if (code != EVRIM_OK)
            detail::refuse(code, what);
        return *this;
    }

    detail::owned<evrim_request_options> handle_;
};

/**
 * An answer of the server. Never changes: any number of threads may read it. The body is read by RFC 6901
 * pointers, such as "/report/sections/0/title".
 */
class response {
public:
    /** Takes over a C handle. */
    explicit response(evrim_response *handle) noexcept : handle_(handle) {}

    /** The HTTP status, such as 200 or 201. */
    int status() const noexcept { return evrim_response_status(handle_.get()); }

    bytes_view body() const & noexcept
    {
        std::size_t size = 0;
        const std::uint8_t *data = evrim_response_body(handle_.get(), &size);
        return bytes_view(data, size);
    }
    bytes_view body() const && = delete;

    /** The value of a header, its name in upper or lower case. */
    std::optional<std::string_view> header(const text &name) const & noexcept
    {
        return detail::view(evrim_response_header(handle_.get(), name.c_str()));
    }
    std::optional<std::string_view> header(const text &name) const && = delete;

    /** The string at a pointer. */
    std::optional<std::string_view> string(const text &pointer) const & noexcept
    {
        return detail::view(evrim_response_string(handle_.get(), pointer.c_str()));
    }
    std::optional<std::string_view> string(const text &pointer) const && = delete;

    /** The whole number at a pointer, if it has no fraction and fits. */
    std::optional<std::int64_t> integer(const text &pointer) const noexcept
    {
        std::int64_t value = 0;
        if (!evrim_response_int(handle_.get(), pointer.c_str(), &value))
            return std::nullopt;
        return value;
    }

    /** The number at a pointer. */
    std::optional<double> number(const text &pointer) const noexcept
    {
        double value = 0;
        if (!evrim_response_double(handle_.get(), pointer.c_str(), &value))
            return std::nullopt;
        return value;
    }

    /** The boolean at a pointer. */
    std::optional<bool> boolean(const text &pointer) const noexcept
    {
        bool value = false;
        if (!evrim_response_bool(handle_.get(), pointer.c_str(), &value))
            return std::nullopt;
        return value;
    }

    /** The number of items of the array, or of members of the object, at a pointer; 0 if neither. */
    std::size_t count(const text &pointer) const noexcept
    {
        return evrim_response_count(handle_.get(), pointer.c_str());
    }

    /** What kind of value is at a pointer. */
    json_type type(const text &pointer) const noexcept
    {
        return static_cast<json_type>(evrim_response_type(handle_.get(), pointer.c_str()));
    }

    /** The name of the member with this index of the object at a pointer; there are count() of them. */
    std::optional<std::string_view> key(const text &pointer, std::size_t index) const & noexcept
    {
        return detail::view(evrim_response_key(handle_.get(), pointer.c_str(), index));
    }
    std::optional<std::string_view> key(const text &pointer, std::size_t index) const && = delete;

    /** The value at a pointer as JSON text; status::protocol if there is none. */
    [[nodiscard]] owned_string copy_json(const text &pointer) const
    {
        char *json = nullptr;
        detail::call([&](evrim_error **failure) {
            return evrim_response_copy_json(handle_.get(), pointer.c_str(), &json, failure);
        });
        return owned_string(json);
    }

    /** Like string() and those below it, but what is missing is status::protocol. */
    std::string_view require_string(const text &pointer) const &
    {
        const char *value = nullptr;
        detail::call([&](evrim_error **failure) {
            return evrim_response_require_string(handle_.get(), pointer.c_str(), &value, failure);
        });
        return value;
    }
    std::string_view require_string(const text &pointer) const && = delete;

    std::int64_t require_integer(const text &pointer) const
    {
        std::int64_t value = 0;
        detail::call([&](evrim_error **failure) {
            return evrim_response_require_int(handle_.get(), pointer.c_str(), &value, failure);
        });
        return value;
    }

    double require_number(const text &pointer) const
    {
        double value = 0;
        detail::call([&](evrim_error **failure) {
            return evrim_response_require_double(handle_.get(), pointer.c_str(), &value, failure);
        });
        return value;
    }

    bool require_boolean(const text &pointer) const
    {
        bool value = false;
        detail::call([&](evrim_error **failure) {
            return evrim_response_require_bool(handle_.get(), pointer.c_str(), &value, failure);
        });
        return value;
    }

    /** Whether there is a response: false when it was moved from. */
    explicit operator bool() const noexcept { return handle_ != nullptr; }

    const evrim_response *get() const noexcept { return handle_.get(); }
    evrim_response *release() noexcept { return handle_.release(); }

private:
    detail::owned<evrim_response> handle_;
};

namespace detail {

inline std::optional<response> next_page(evrim_client *client, const response &page)
{
    evrim_response *next = nullptr;
    call([&](evrim_error **failure) { return evrim_next_page(client, page.get(), &next, failure); });
    if (next == nullptr)
        return std::nullopt;
    return response(next);
}

} // namespace detail

/**
 * The pages of a list, to go through once. Each is asked for when the loop comes to it, and the one before
 * is then gone. The client must live as long.
 *
 *     for (const evrim::response &page : client.pages("v0/reports/"))
 *         std::cout << page.count("/results") << '\n';
 */
class page_range {
public:
    class iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = response;
        using difference_type = std::ptrdiff_t;
        using pointer = const response *;
        using reference = const response &;

        iterator() noexcept = default;

        reference operator*() const noexcept { return *range_->page_; }
        pointer operator->() const noexcept { return &*range_->page_; }

        iterator &operator++()
        {
            range_->page_ = detail::next_page(range_->client_, *range_->page_);
            return *this;
        }
        void operator++(int) { ++*this; }

        friend bool operator==(const iterator &one, const iterator &other) noexcept
        {
            return one.is_at_end() == other.is_at_end();
        }
        friend bool operator!=(const iterator &one, const iterator &other) noexcept
        {
            return !(one == other);
        }

    private:
        friend class page_range;

        explicit iterator(page_range *range) noexcept : range_(range) {}

        bool is_at_end() const noexcept { return range_ == nullptr || !range_->page_; }

        page_range *range_ = nullptr;
    };

    page_range(evrim_client *client, response first) noexcept : client_(client), page_(std::move(first)) {}

    iterator begin() noexcept { return iterator(this); }
    iterator end() noexcept { return iterator(); }

private:
    evrim_client *client_;
    std::optional<response> page_;
};

/** Both tokens of a session, and when the access token ends, if it says so. */
struct token_pair {
    secret access;
    std::optional<secret> refresh;
    std::optional<std::chrono::system_clock::time_point> expires_at;
};

/**
 * A session with the server. Any number of threads may use one client at once. Every call may throw an
 * evrim::error unless it is noexcept.
 */
class client {
public:
    /** Signs in with a user name and a password. */
    client(const text &url, const text &username, const text &password,
           const options &choices = options())
    {
        evrim_client *handle = nullptr;
        detail::call([&](evrim_error **failure) {
            return evrim_new(url.c_str(), username.c_str(), password.c_str(), choices.get(), &handle,
                             failure);
        });
        handle_.reset(handle);
    }

    /** Takes over a C handle. */
    explicit client(evrim_client *handle) noexcept : handle_(handle) {}

    /** Starts from an existing token, which can't be renewed. */
    [[nodiscard]] static client from_token(const text &url, const text &access_token,
                                           const options &choices = options())
    {
        return from_token(url, access_token, std::nullopt, choices);
    }

    /** Starts from an existing token, which the refresh token renews. */
    [[nodiscard]] static client from_token(const text &url, const text &access_token,
                                           const optional_text &refresh_token,
                                           const options &choices = options())
    {
        evrim_client *handle = nullptr;
        detail::call([&](evrim_error **failure) {
            return evrim_from_token(url.c_str(), access_token.c_str(), refresh_token.c_str(),
                                    choices.get(), &handle, failure);
        });
        return client(handle);
    }

    /** Starts from the environment: EVRIM_URL, and EVRIM_USERNAME or EVRIM_TOKEN with theirs. */
    [[nodiscard]] static client from_env(const options &choices = options())
    {
        evrim_client *handle = nullptr;
        detail::call([&](evrim_error **failure) {
            return evrim_from_env(choices.get(), &handle, failure);
        });
        return client(handle);
    }

    /** Signs in again and replaces both tokens. */
    void set_token()
    {
        detail::call([&](evrim_error **failure) {
            return evrim_set_token(handle_.get(), failure);
        });
    }

    /** Buys a new access token with the refresh token. */
    void refresh_token()
    {
        detail::call([&](evrim_error **failure) {
            return evrim_refresh_token(handle_.get(), failure);
        });
    }

    /** Asks the server whether it accepts the access token; no clear answer is an error. */
    [[nodiscard]] bool validate_token()
    {
        bool valid = false;
        detail::call([&](evrim_error **failure) {
            return evrim_validate_token(handle_.get(), &valid, failure);
        });
        return valid;
    }

    /** A copy of the access token. */
    [[nodiscard]] secret access_token() const
    {
        char *token = nullptr;
        detail::call([&](evrim_error **failure) {
            return evrim_copy_access_token(handle_.get(), &token, failure);
        });
        return secret(token);
    }

    /** A copy of the refresh token, if there is one; refresh_token() is the call that uses it. */
    [[nodiscard]] std::optional<secret> copy_refresh_token() const
    {
        char *token = nullptr;
        detail::call([&](evrim_error **failure) {
            return evrim_copy_refresh_token(handle_.get(), &token, failure);
        });
        if (token == nullptr)
            return std::nullopt;
        return secret(token);
    }

    /** Copies of both tokens as they belong together, to save a session with. */
    [[nodiscard]] token_pair tokens() const
    {
        char *access = nullptr, *refresh = nullptr;
        std::int64_t end = -1;
        detail::call([&](evrim_error **failure) {
            return evrim_copy_tokens(handle_.get(), &access, &refresh, &end, failure);
        });
        token_pair pair{secret(access), std::nullopt, options::time(end)};
        if (refresh != nullptr)
            pair.refresh.emplace(refresh);
        return pair;
    }

    /** The options that this handle has, to change one and clone with. */
    [[nodiscard]] options copy_options() const
    {
        evrim_options *copied = nullptr;
        detail::call([&](evrim_error **failure) {
            return evrim_copy_options(handle_.get(), &copied, failure);
        });
        return options(copied);
    }

    /** When the access token ends, if it says so. A time beyond the clock's last one is that one. */
    std::optional<std::chrono::system_clock::time_point> token_expires_at() const noexcept
    {
        return options::time(evrim_token_expires_at(handle_.get()));
    }

    /** A second handle on the same session, with the same options and a cancel() of its own. */
    [[nodiscard]] client clone() const { return clone_with(nullptr); }

    /** The same with options of its own: what they don't say is the default. See copy_options(). */
    [[nodiscard]] client clone(const options &choices) const
    {
        if (choices.get() != nullptr)
            return clone_with(choices.get());
        options defaults;
        return clone_with(defaults.changed());
    }

    /** Ends the calls that are running on this handle, in any thread: they throw status::cancelled. */
    void cancel() noexcept { evrim_cancel(handle_.get()); }

    /** The same, and for every call that begins on this handle later. */
    void close() noexcept { evrim_close(handle_.get()); }

    /**
     * Sends a request with a valid token and waits for the answer. A body goes as application/json:
     *
     *     client.request("POST", "research/", R"({"url": "https://example.org", "title": "Snow"})");
     */
    response request(const text &method, const text &path, bytes_view body = bytes_view())
    {
        return answer([&](evrim_response **place, evrim_error **failure) {
            return evrim_request(handle_.get(), method.c_str(), path.c_str(), body.data(), body.size(),
                                 place, failure);
        });
    }

    /** The same with query, headers and body from request options. */
    response request_with(const text &method, const text &path, const request_options &choices)
    {
        return answer([&](evrim_response **place, evrim_error **failure) {
            return evrim_request_with(handle_.get(), method.c_str(), path.c_str(), choices.get(), place,
                                      failure);
        });
    }

    response get_reports() { return list(evrim_get_reports); }
    response get_report(std::int64_t id) { return item(evrim_get_report, id); }
    response get_runs() { return list(evrim_get_runs); }
    response get_run(std::int64_t id) { return item(evrim_get_run, id); }
    response get_sections() { return list(evrim_get_sections); }
    response get_section(std::int64_t id) { return item(evrim_get_section, id); }
    response get_paragraphs() { return list(evrim_get_paragraphs); }
    response get_paragraph(std::int64_t id) { return item(evrim_get_paragraph, id); }
    response get_tasks() { return list(evrim_get_tasks); }

    response get_task(const text &task_id)
    {
        return answer([&](evrim_response **place, evrim_error **failure) {
            return evrim_get_task(handle_.get(), task_id.c_str(), place, failure);
        });
    }

    /** Starts a piece of research; its task comes back. What is left out is the default of evrim.h. */
    response submit_research(const text &url, const text &title, const text &description,
                             const optional_text &style = std::nullopt,
                             const optional_text &tone = std::nullopt,
                             const optional_text &point_of_view = std::nullopt)
    {
        return answer([&](evrim_response **place, evrim_error **failure) {
            return evrim_submit_research(handle_.get(), url.c_str(), title.c_str(), description.c_str(),
                                         style.c_str(), tone.c_str(), point_of_view.c_str(), place,
                                         failure);
        });
    }

    /** Waits until a task is no longer pending, for 1 ms to some 49 days; its "/status" says the rest. */
    response wait_for_task(const text &task_id, std::chrono::milliseconds limit)
    {
        return wait_for_task(task_id, limit, nullptr);
    }

    /** The same with a function that is called about four times a second with the time gone by. */
    template <class F>
    response wait_for_task(const text &task_id, std::chrono::milliseconds limit, F &&progress)
    {
        using function = std::remove_reference_t<F>;
        static_assert(std::is_null_pointer_v<std::decay_t<F>>
                          || detail::tells_to_go_on<function, std::chrono::milliseconds>(),
                      "the progress of a wait is a function of (std::chrono::milliseconds) that returns "
                      "bool, whether to go on, or nothing");
        hooks<function, std::nullptr_t> state{std::addressof(progress), nullptr, nullptr};
        evrim_response *task = nullptr;
        detail::call(state.thrown, [&](evrim_error **failure) {
            return evrim_wait_for_task(handle_.get(), task_id.c_str(), detail::count(limit),
                                       state.wait(), &state, &task, failure);
        });
        return response(task);
    }

    /** Saves what is at a path in a file or folder; where it is comes back. */
    owned_string download(const text &path, const text &destination)
    {
        return download(path, destination, nullptr);
    }

    /**
     * The same with a function that is called with the bytes so far, a std::uint64_t, and the total, a
     * std::optional of one.
     */
    template <class F>
    owned_string download(const text &path, const text &destination, F &&progress)
    {
        return save(progress, [&](auto tell, void *data, char **place, evrim_error **failure) {
            return evrim_download(handle_.get(), path.c_str(), destination.c_str(), tell, data, place,
                                  failure);
        });
    }

    /** Saves a report as "pdf" or "docx". */
    owned_string download_report(std::int64_t report_id, const text &format, const text &destination)
    {
        return download_report(report_id, format, destination, nullptr);
    }

    /** The same with a function, as with download(). */
    template <class F>
    owned_string download_report(std::int64_t report_id, const text &format, const text &destination,
                                 F &&progress)
    {
        return save(progress, [&](auto tell, void *data, char **place, evrim_error **failure) {
            return evrim_download_report(handle_.get(), report_id, format.c_str(), destination.c_str(),
                                         tell, data, place, failure);
        });
    }

    /** Passes what is at a path to a function, piece by piece as bytes_views that live until it returns. */
    template <class W>
    void download_to(const text &path, W &&write)
    {
        download_to(path, std::forward<W>(write), nullptr);
    }

    /** The same with a second function, as with download(). */
    template <class W, class F>
    void download_to(const text &path, W &&write, F &&progress)
    {
        using writer = std::remove_reference_t<W>;
        using function = std::remove_reference_t<F>;
        static_assert(detail::tells_to_go_on<writer, bytes_view>(),
                      "what takes a download is a function of (evrim::bytes_view) that returns bool, "
                      "whether to go on, or nothing");
        check_progress<function>();
        hooks<function, writer> state{std::addressof(progress), std::addressof(write), nullptr};
        detail::call(state.thrown, [&](evrim_error **failure) {
            return evrim_download_to(handle_.get(), path.c_str(), state.writer(), state.teller(), &state,
                                     failure);
        });
    }

    /** The page after this one of a list in pages; none after the last. */
    [[nodiscard]] std::optional<response> next_page(const response &page)
    {
        return detail::next_page(handle_.get(), page);
    }

    /** All pages of the list at a path. The first is asked for now. */
    [[nodiscard]] page_range pages(const text &path)
    {
        return page_range(handle_.get(), request("GET", path));
    }

    /** The same with request options. */
    [[nodiscard]] page_range pages(const text &path, const request_options &choices)
    {
        return page_range(handle_.get(), request_with("GET", path, choices));
    }

    /** Whether there is a client: false when it was moved from. */
    explicit operator bool() const noexcept { return handle_ != nullptr; }

    evrim_client *get() const noexcept { return handle_.get(); }
    evrim_client *release() noexcept { return handle_.release(); }

private:
    /* The functions of one call, and what one of them threw. */
    template <class F, class W>
    struct hooks {
        F *progress;
        W *write;
        std::exception_ptr thrown;

        evrim_progress_fn wait() const noexcept
        {
            return detail::is_empty(*progress) ? nullptr : &hooks::tell_wait;
        }

        evrim_progress_fn teller() const noexcept
        {
            return detail::is_empty(*progress) ? nullptr : &hooks::tell;
        }

        evrim_write_fn writer() const noexcept
        {
            return detail::is_empty(*write) ? nullptr : &hooks::take;
        }

        static bool tell_wait([[maybe_unused]] void *data, [[maybe_unused]] std::uint64_t done,
                              std::int64_t) noexcept
        {
            if constexpr (std::is_null_pointer_v<std::remove_cv_t<F>>) {
                return true;
            } else {
                hooks &self = *static_cast<hooks *>(data);
                return detail::go_on(*self.progress, self.thrown,
                                     std::chrono::milliseconds(static_cast<std::int64_t>(done)));
            }
        }

        static bool tell([[maybe_unused]] void *data, [[maybe_unused]] std::uint64_t done,
                         [[maybe_unused]] std::int64_t total) noexcept
        {
            if constexpr (std::is_null_pointer_v<std::remove_cv_t<F>>) {
                return true;
            } else {
                hooks &self = *static_cast<hooks *>(data);
                std::optional<std::uint64_t> known;
                if (total >= 0)
                    known = static_cast<std::uint64_t>(total);
                return detail::go_on(*self.progress, self.thrown, done, known);
            }
        }

        static bool take(void *data, const std::uint8_t *bytes, std::size_t size) noexcept
        {
            hooks &self = *static_cast<hooks *>(data);
            return detail::go_on(*self.write, self.thrown, bytes_view(bytes, size));
        }
    };

    template <class F>
    static void check_progress() noexcept
    {
        static_assert(std::is_null_pointer_v<std::remove_cv_t<F>>
                          || detail::tells_to_go_on<F, std::uint64_t, std::optional<std::uint64_t>>(),
                      "the progress of a download is a function of (std::uint64_t done, "
                      "std::optional<std::uint64_t> total) that returns bool, whether to go on, or "
                      "nothing");
    }

    template <class F, class C>
    static owned_string save(F &progress, C &&download)
    {
        check_progress<F>();
        hooks<F, std::nullptr_t> state{std::addressof(progress), nullptr, nullptr};
        char *place = nullptr;
        detail::call(state.thrown, [&](evrim_error **failure) {
            return download(state.teller(), &state, &place, failure);
        });
        return owned_string(place);
    }

    template <class F>
    static response answer(F &&function)
    {
        evrim_response *handle = nullptr;
        detail::call([&](evrim_error **failure) { return function(&handle, failure); });
        return response(handle);
    }

    response list(evrim_status (*all)(evrim_client *, evrim_response **, evrim_error **))
    {
        return answer([&](evrim_response **place, evrim_error **failure) {
            return all(handle_.get(), place, failure);
        });
    }

    response item(evrim_status (*one)(evrim_client *, std::int64_t, evrim_response **, evrim_error **),
                  std::int64_t id)
    {
        return answer([&](evrim_response **place, evrim_error **failure) {
            return one(handle_.get(), id, place, failure);
        });
    }

    client clone_with(const evrim_options *choices) const
    {
        evrim_client *handle = nullptr;
        detail::call([&](evrim_error **failure) {
            return evrim_clone(handle_.get(), choices, &handle, failure);
        });
        return client(handle);
    }

    detail::owned<evrim_client> handle_;
};

} // namespace evrim

#undef EVRIM_VISIBLE

#endif /* EVRIM_HPP */
