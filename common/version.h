/* version.h -- the version that every program prints for -V. */
#ifndef COMMON_VERSION_H
#define COMMON_VERSION_H
#define POSTERN_VERSION "0.1.0"
#endif
