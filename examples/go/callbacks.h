/* The library's callbacks carry a void *; Go's handles are numbers, which must not pass for pointers. */
#include <evrim.h>

evrim_status evrimgo_set_log(evrim_options *options, uintptr_t handle);
evrim_status evrimgo_set_tokens(evrim_options *options, uintptr_t handle);
