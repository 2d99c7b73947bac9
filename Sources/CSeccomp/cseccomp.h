// The same as in clinux.h, or the C library's types differ between the two modules.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <seccomp.h>
