/*
 * sandbox.c -- what smtpd keeps: the sockets it was given, and those it accepts on them.
 *
 * threat-model.md 4, column smtpd: no file, no way to make a socket, no thread, no child.
 */
#include "common/sandbox.h"
#include "smtpd/smtpd.h"

#define SMTPD_DATA_MAX	(1ull << 30)	/* 10 000 connections need far less */

const struct sandbox smtpd_sandbox = {
	.name = "smtpd",
	.groups = SB_ACCEPT | SB_RECVFD,
	.more = NULL,
	.data_max = SMTPD_DATA_MAX,
	.file_max = 0,
	.net_none = 1,
};
