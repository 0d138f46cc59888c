/*
 * Signs in, validates, refreshes and replaces the token, and reads a report.
 *
 *     c++ -std=c++17 quickstart.cpp -levrim -o quickstart
 *     EVRIM_URL=… EVRIM_USERNAME=… EVRIM_PASSWORD=… ./quickstart
 */
#include <evrim.hpp>

#include <cstdlib>
#include <iostream>

static void use(evrim::client &client)
{
    std::cout << "the token is " << (client.validate_token() ? "valid" : "not valid") << '\n';

    client.refresh_token();
    std::cout << "the access token was refreshed\n";

    client.set_token();
    std::cout << "both tokens were replaced\n";

    const evrim::response report = client.request("GET", "reports/1/");
    std::cout << "report 1 is \"" << report.string("/report/title").value_or("(no title)") << "\", in "
              << report.count("/report/sections") << " sections\n";
}

int main()
{
    const char *url = std::getenv("EVRIM_URL");
    const char *username = std::getenv("EVRIM_USERNAME");
    const char *password = std::getenv("EVRIM_PASSWORD");
    if (url == nullptr || username == nullptr || password == nullptr) {
        std::cerr << "set EVRIM_URL, EVRIM_USERNAME and EVRIM_PASSWORD\n";
        return EXIT_FAILURE;
    }
    try {
        evrim::client client(url, username, password);
        std::cout << "signed in to " << url << '\n';
        use(client);
        return EXIT_SUCCESS;
    } catch (const evrim::error &error) {
        std::cerr << error.what() << '\n';
        if (const auto wait = error.retry_after())
            std::cerr << "try again in " << wait->count() << " ms\n";
        return EXIT_FAILURE;
    }
}
