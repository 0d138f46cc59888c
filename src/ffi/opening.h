/**
 * @file
 *
 * libevrim: the Evrim client.
 *
 * A client signs in with a user name and a password, or starts from an existing token; every request it
 * then sends carries a token that is valid.
 *
 *     evrim_client *client;
 *     evrim_error *error;
 *     if (evrim_new("https://api.evrim.ai/prod", user, password, NULL, &client, &error) != EVRIM_OK) {
 *         fprintf(stderr, "%s\n", evrim_error_message(error));
 *         evrim_error_free(error);
 *         return 1;
 *     }
 *     ...
 *     evrim_free(client);
 *
 * Handles. Clients, options, responses and errors are opaque. Each has one function that frees it, and
 * each of those takes NULL.
 *
 * Results. A function that can fail returns an evrim_status; EVRIM_OK is 0. Its results come through
 * pointers: they are set to NULL or zero when the call begins, and written when it succeeds.
 *
 * Errors. The last argument, `error`, may be NULL. Otherwise *error is set to NULL on success, and on
 * failure to an error that the caller frees with evrim_error_free(). There is no hidden "last error".
 *
 * Strings. What goes in is NUL-terminated UTF-8 and is copied where it is kept. A const char * that
 * comes out is borrowed: it lives as long as the error or response it was asked of. A char * that comes
 * out is the caller's, to be freed with evrim_string_free(). Bodies are bytes with a length. NULL or
 * text that is not UTF-8, where it may not be, is EVRIM_ERROR_INVALID_ARGUMENT; it is never a crash.
 *
 * Threads. A client may be used by any number of threads at once; options by one at a time; responses
 * and errors never change. Every call does its work in the thread that makes it, and blocks that thread
 * until it is done, cancelled or out of time: no wait is without an end. The library keeps no threads; a
 * name is looked up on one that ends with the lookup, at the latest when the system gives it up.
 * A thread that makes calls needs 128 KiB of stack. Calls may be made while a thread or the process ends,
 * in a destructor of its data or a handler of atexit(): they, and their callbacks, then run on another
 * thread, which ends with the call. A thread that first uses the library in such a destructor leaves
 * some 500 bytes behind.
 *
 * Memory. A body of a request or an answer, or a copy, for which there is not enough memory is
 * EVRIM_ERROR_IO. Where there is not even enough for what is small, or for the values of an answer, the
 * process is aborted, as by any program in Rust.
 *
 * Processes. After fork() the child may go on using a client, free it, or make new ones. Both then hold
 * the same refresh token: where the server takes each only once, the second to renew has to sign in.
 */
