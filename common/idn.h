/*
 * idn.h -- internationalized domain names: U-labels into A-labels (RFC 5890, UTS 46 without its transitional part).
 *
 * The one file that needs libidn2: a room that takes addresses or domains in UTF-8 links it, and calls
 * idn_init() once, before its sandbox.
 */
#ifndef COMMON_IDN_H
#define COMMON_IDN_H

void	idn_init(void);

#endif
