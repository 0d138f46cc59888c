/*
 * Saves the session whenever its tokens change, goes on with it the next time, and logs to std::clog.
 *
 *     c++ -std=c++17 callbacks.cpp -levrim -o callbacks
 *     EVRIM_URL=… EVRIM_USERNAME=… EVRIM_PASSWORD=… ./callbacks session.txt
 */
#include <evrim.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

/* For the owner alone: who has the file has the session. */
static void save(const std::string &path, std::string_view access, std::string_view refresh)
{
    namespace fs = std::filesystem;
    const std::string unfinished = path + ".new";
    std::ofstream(unfinished).flush();
    fs::permissions(unfinished, fs::perms::owner_read | fs::perms::owner_write);
    std::ofstream(unfinished) << access << '\n' << refresh << '\n';
    fs::rename(unfinished, path);
}

static evrim::client start(const std::string &path, const evrim::options &options)
{
    std::string access, refresh;
    std::ifstream saved(path);
    const char *url = std::getenv("EVRIM_URL");
    if (saved >> access >> refresh) {
        std::cout << "going on with the saved session\n";
        return evrim::client::from_token(url, access, refresh, options);
    }
    evrim::client client(url, std::getenv("EVRIM_USERNAME"), std::getenv("EVRIM_PASSWORD"), options);
    const evrim::secret first = client.access_token();
    const std::optional<evrim::secret> second = client.copy_refresh_token();
    save(path, first, second ? second->view() : "");
    return client;
}

int main(int argc, char **argv)
{
    const std::string path = argc > 1 ? argv[1] : "session.txt";
    evrim::options options;
    options.set_validate_on_start(false); /* the access token may have ended: it is renewed then */
    options.set_log_callback(evrim::log_level::info, [](auto, auto subject, auto message) {
        std::clog << subject << ": " << message << '\n';
    });
    options.set_token_callback([path](auto access, auto refresh, auto) {
        save(path, access, refresh.value_or(""));
        std::cout << "saved the new tokens\n";
    });
    try {
        evrim::client client = start(path, options);
        client.refresh_token(); /* what else happens by itself, when it is time */
        std::cout << client.request("GET", "reports/").count("") << " reports\n";
        return EXIT_SUCCESS;
    } catch (const std::exception &error) {
        std::cerr << error.what() << '\n';
        return EXIT_FAILURE;
    }
}
