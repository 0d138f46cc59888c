/* A module map names headers by path; this one finds the installed header where pkg-config says it is. */
#include <evrim.h>
