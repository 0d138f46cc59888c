/* Links two static Rust libraries, and uses both. */
#include <evrim.h>

#include <stdint.h>
#include <stdio.h>

int32_t second_answer(void);

int main(void)
{
    evrim_client *client = NULL;
    evrim_error *error = NULL;
    if (evrim_from_env(NULL, &client, &error) != EVRIM_OK) {
        fprintf(stderr, "%s\n", evrim_error_message(error));
        evrim_error_free(error);
        return 1;
    }
    evrim_free(client);
    return second_answer() == 42 ? 0 : 2;
}
