#include "_cgo_export.h"

static void log_line(void *user_data, int32_t level, const char *subject, const char *message)
{
    evrimgoLog((uintptr_t)user_data, level, (char *)subject, (char *)message);
}

static void tokens(void *user_data, const char *access, const char *refresh, int64_t expires_at)
{
    evrimgoTokens((uintptr_t)user_data, (char *)access, (char *)refresh, expires_at);
}

static void release(void *user_data)
{
    evrimgoRelease((uintptr_t)user_data);
}

evrim_status evrimgo_set_log(evrim_options *options, uintptr_t handle)
{
    return evrim_options_set_log_callback(options, EVRIM_LOG_DEBUG, log_line, (void *)handle, release);
}

evrim_status evrimgo_set_tokens(evrim_options *options, uintptr_t handle)
{
    return evrim_options_set_token_callback(options, tokens, (void *)handle, release);
}
