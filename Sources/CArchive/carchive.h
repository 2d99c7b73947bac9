// libarchive: tar streams, and files between them and the disk.
#ifndef APUS_CARCHIVE_H
#define APUS_CARCHIVE_H

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>

// File types, which the library has as casts that Swift cannot import.
static const unsigned APUS_AE_IFDIR = 0040000;
static const unsigned APUS_AE_IFSOCK = 0140000;

#endif
