/* params_test.c -- the parameters of MAIL and RCPT, and dates (RFC 1870, 2852, 3030, 3339, 3461, 4865, 6531, 6533, 6710). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/ipc_msg.h"
#include "common/units.h"
#include "smtpd/params.h"

#define N(a)	(sizeof(a) / sizeof((a)[0]))
#define NOW	1800000000	/* 2027-01-15T08:00:00Z */
#define X50	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct param_rules	 all = { .esmtp = 1, .trusted = 1, .utf8 = 1, .size_limit = 1000, .now = NOW };

static void
test_next(void **state)
{
	static const struct { const char *in; int err; const char *word, *value, *rest; } cases[] = {
		{ "", E_NOTFOUND, NULL, NULL, NULL }, { " \t", E_NOTFOUND, NULL, NULL, NULL },
		{ " A=1", E_OK, "A", "1", "" }, { " A B", E_OK, "A", "", " B" }, { "\tA-1=x;y B=2", E_OK, "A-1", "x;y", " B=2" },
		{ " A=\xc3\xa4", E_OK, "A", "\xc3\xa4", "" },
		{ " =1", E_SYNTAX, NULL, NULL, NULL }, { " A=", E_SYNTAX, NULL, NULL, NULL }, { " -A", E_SYNTAX, NULL, NULL, NULL },
		{ " A==", E_SYNTAX, NULL, NULL, NULL }, { " A=1=2", E_SYNTAX, NULL, NULL, NULL }, { " A_B", E_SYNTAX, NULL, NULL, NULL },
		{ " A=\xc3", E_SYNTAX, NULL, NULL, NULL }, { " A=\xc2\x80", E_SYNTAX, NULL, NULL, NULL },
		{ " A=\x7f", E_SYNTAX, NULL, NULL, NULL }, { " A=a\x01", E_SYNTAX, NULL, NULL, NULL }, { " \xc3\xa4=1", E_SYNTAX, NULL, NULL, NULL },
	};
	struct slice	 in;
	struct param	 pa;

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		in = slice_str(cases[i].in);
		assert_int_equal(param_next(&in, &pa), cases[i].err);
		if (cases[i].err != E_OK)
			continue;
		assert_true(slice_eq(pa.keyword, slice_str(cases[i].word)) && slice_eq(pa.value, slice_str(cases[i].value)));
		assert_true(slice_eq(in, slice_str(cases[i].rest)));
	}
}

static unsigned
mail_code(const char *in, const struct param_rules *rules, struct mail_params *mp)
{
	struct param_fault	 f = { 0 };

	if (mail_params(mp, slice_str(in), rules, &f) == E_OK)
		return (250);
	assert_true(f.text[0] != '\0' && f.enhanced != NULL && f.enhanced[0] == (char)('0' + f.code / 100));
	return (f.code);
}

static void
test_mail_codes(void **state)
{
	static const struct { const char *in; unsigned code; } cases[] = {
		{ "", 250 }, { " SIZE=0", 250 }, { " SIZE=999", 250 }, { " SIZE=1000", 250 }, { " SIZE=1001", 552 },
		{ " SIZE=99999999999999999999", 552 }, { " SIZE=100000000000000000000", 501 }, { " SIZE=+1", 501 }, { " SIZE", 501 },
		{ " size=1 body=7bit", 250 }, { " BODY=BinaryMime", 250 }, { " BODY=8BIT", 501 }, { " BODY", 501 },
		{ " SMTPUTF8", 250 }, { " smtputf8", 250 }, { " SMTPUTF8=1", 501 }, { " SMTPUTF8 SMTPUTF8", 501 },
		{ " RET=FULL", 250 }, { " RET=hdrs", 250 }, { " RET=BODY", 501 }, { " RET", 501 }, { " RET=FULL RET=FULL", 501 },
		{ " ENVID=QQ314159", 250 }, { " ENVID=a+2Bb", 250 }, { " ENVID=+20", 250 }, { " ENVID", 501 }, { " ENVID=a+2b", 501 },
		{ " ENVID=+0A", 501 }, { " ENVID=+C3+A4", 501 }, { " ENVID=\xc3\xa4", 501 }, { " ENVID=a ENVID=b", 501 },
		{ " ENVID=" X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 250 }, { " ENVID=" X50 X50, 250 }, { " ENVID=" X50 X50 "x", 501 },
		{ " ENVID=" X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx+2B", 250 }, { " ENVID=" X50 X50 "+2B", 501 },
		{ " BY=120;R", 250 }, { " BY=120;RT", 250 }, { " by=120;rt", 250 }, { " BY=+1;n", 250 }, { " BY=-5;N", 250 }, { " BY=0;NT", 250 },
		{ " BY=999999999;R", 250 }, { " BY=-999999999;N", 250 }, { " BY=1000000000;R", 501 }, { " BY=0000000001;R", 501 },
		{ " BY=0;R", 501 }, { " BY=-1;R", 501 }, { " BY=+0;R", 501 }, { " BY", 501 }, { " BY=1", 501 }, { " BY=;R", 501 },
		{ " BY=1;", 501 }, { " BY=1;T", 501 }, { " BY=1;X", 501 }, { " BY=1;NTT", 501 }, { " BY=1;TN", 501 }, { " BY=-;N", 501 },
		{ " BY=+-1;N", 501 }, { " BY=1;N;T", 501 }, { " BY=1;R BY=1;R", 501 },
		{ " HOLDFOR=1", 250 }, { " HOLDFOR=2591999", 250 }, { " HOLDFOR=2592000", 250 }, { " HOLDFOR=2592001", 501 },
		{ " HOLDFOR=0", 501 }, { " HOLDFOR=01", 501 }, { " HOLDFOR=-1", 501 }, { " HOLDFOR", 501 }, { " HOLDFOR=999999999", 501 },
		{ " HOLDFOR=1000000000", 501 },
		{ " HOLDUNTIL=2027-01-15T09:00:00Z", 250 }, { " HOLDUNTIL=2027-01-15T07:59:59Z", 250 },
		{ " HOLDUNTIL=1969-12-31T00:00:00Z", 250 },
		{ " HOLDUNTIL=2027-02-14T07:59:59Z", 250 }, { " HOLDUNTIL=2027-02-14T08:00:00Z", 250 }, { " HOLDUNTIL=2027-02-14T08:00:01Z", 501 },
		{ " HOLDUNTIL=2027-02-14", 501 }, { " HOLDUNTIL", 501 }, { " HOLDUNTIL=60", 501 },
		{ " HOLDFOR=1 HOLDFOR=1", 501 }, { " HOLDFOR=1 HOLDUNTIL=2027-01-15T09:00:00Z", 501 },
		/* RFC 4865 5.2.2: not held longer than BY allows. */
		{ " BY=60;R HOLDFOR=59", 250 }, { " BY=60;R HOLDFOR=60", 250 }, { " BY=60;R HOLDFOR=61", 501 }, { " HOLDFOR=61 BY=60;N", 501 },
		{ " BY=-60;N HOLDFOR=1", 501 }, { " BY=60;N HOLDUNTIL=2027-01-15T08:01:01Z", 501 },
		{ " MT-PRIORITY=0", 250 }, { " MT-PRIORITY=9", 250 }, { " MT-PRIORITY=-9", 250 }, { " mt-priority=-1", 250 },
		{ " MT-PRIORITY=10", 501 }, { " MT-PRIORITY=-10", 501 }, { " MT-PRIORITY=-0", 501 }, { " MT-PRIORITY=+1", 501 },
		{ " MT-PRIORITY=00", 501 }, { " MT-PRIORITY=-", 501 }, { " MT-PRIORITY", 501 }, { " MT-PRIORITY=1 MT-PRIORITY=1", 501 },
		{ " MT-PRIORITY=a", 501 }, { " AUTH=<>", 555 }, { " XYZ", 555 }, { " NOTIFY=NEVER", 555 }, { " =", 501 }, { " SIZE=1=2", 501 },
		{ " SIZE=1;", 501 },
	};
	struct param_rules	 rules = all;
	struct mail_params	 mp;
	struct param_fault	 f;

	(void)state;
	for (size_t i = 0; i < N(cases); i++)
		if (mail_code(cases[i].in, &all, &mp) != cases[i].code)
			fail_msg("%s: %u, wanted %u", cases[i].in, mail_code(cases[i].in, &all, &mp), cases[i].code);
	/* RFC 6710 4.1 (1). */
	assert_int_equal(mail_params(&mp, SLICE_LIT(" MT-PRIORITY=x"), &all, &f), E_SYNTAX);
	assert_string_equal(f.enhanced, "5.5.2");
	rules.trusted = 0;
	assert_int_equal(mail_code(" BY=1;R", &rules, &mp), 555);
	assert_int_equal(mail_code(" HOLDFOR=1", &rules, &mp), 555);
	assert_int_equal(mail_code(" HOLDUNTIL=2027-01-15T09:00:00Z", &rules, &mp), 555);
	assert_int_equal(mail_code(" MT-PRIORITY=-1", &rules, &mp), 555);
	assert_int_equal(mail_code(" SIZE=1 BODY=8BITMIME RET=HDRS ENVID=a SMTPUTF8", &rules, &mp), 250);
	rules = all;
	rules.esmtp = 0;
	assert_int_equal(mail_code(" SIZE=1", &rules, &mp), 555);
	assert_int_equal(mail_code(" ", &rules, &mp), 250);
	rules = all;
	rules.size_limit = 0;
	assert_int_equal(mail_code(" SIZE=1099511627776", &rules, &mp), 250);
	assert_int_equal(mail_code(" SIZE=1099511627777", &rules, &mp), 552);
}

static void
test_mail_values(void **state)
{
	struct mail_params	 mp;

	(void)state;
	assert_int_equal(mail_code(" SIZE=12 BODY=BINARYMIME SMTPUTF8 RET=HDRS ENVID=a+20b BY=-60;NT MT-PRIORITY=-4", &all, &mp), 250);
	assert_true(mp.size == 12 && mp.body == BODY_BINARY && mp.utf8 && mp.ret == RET_HDRS && mp.hold_until == 0);
	assert_string_equal(mp.envid, "a b");
	assert_true(mp.by_s == -60 && mp.by_mode == BY_NOTIFY && mp.by_trace && mp.prioritized && mp.priority == -4);
	assert_int_equal(mail_code(" HOLDFOR=100 BY=+120;R MT-PRIORITY=9 RET=FULL BODY=8BITMIME", &all, &mp), 250);
	assert_true(mp.hold_until == NOW + 100 && mp.by_s == 120 && mp.by_mode == BY_RETURN && !mp.by_trace);
	assert_true(mp.priority == 9 && mp.ret == RET_FULL && mp.body == BODY_8BIT && !mp.utf8 && mp.envid[0] == '\0');
	assert_int_equal(mail_code(" HOLDUNTIL=2027-01-15T10:00:00+01:00", &all, &mp), 250);
	assert_int_equal(mp.hold_until, NOW + 3600);
	assert_int_equal(mail_code("", &all, &mp), 250);
	assert_true(mp.size == 0 && mp.body == BODY_7BIT && !mp.prioritized && mp.by_mode == BY_NONE);
	/* 1970 and before is no "none". */
	assert_int_equal(mail_code(" HOLDUNTIL=1970-01-01T00:00:00Z", &all, &mp), 250);
	assert_int_equal(mp.hold_until, 1);
}

static void
test_rcpt(void **state)
{
	static const struct { const char *in; unsigned code; unsigned notify; const char *orcpt; } cases[] = {
		{ "", 250, 0, "" }, { " NOTIFY=NEVER", 250, NOTIFY_NEVER, "" }, { " notify=success", 250, NOTIFY_SUCCESS, "" },
		{ " NOTIFY=SUCCESS,FAILURE,DELAY", 250, NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY, "" },
		{ " NOTIFY=Delay,Delay", 250, NOTIFY_DELAY, "" }, { " NOTIFY=,FAILURE,", 250, NOTIFY_FAILURE, "" },
		{ " NOTIFY=NEVER,SUCCESS", 501, 0, NULL }, { " NOTIFY=SUCCESS,NEVER", 501, 0, NULL }, { " NOTIFY=,", 501, 0, NULL },
		{ " NOTIFY", 501, 0, NULL }, { " NOTIFY=ALWAYS", 501, 0, NULL }, { " NOTIFY=SUCCESS;FAILURE", 501, 0, NULL },
		{ " NOTIFY=SUCCESS NOTIFY=DELAY", 501, 0, NULL },
		{ " ORCPT=rfc822;a+2Bb@c NOTIFY=DELAY", 250, NOTIFY_DELAY, "rfc822;a+b@c" },
		{ " ORCPT=utf-8;\\x{E4}@c", 250, 0, "utf-8;\xc3\xa4@c" }, { " ORCPT=utf-8;\xc3\xa4@c", 250, 0, "utf-8;\xc3\xa4@c" },
		{ " ORCPT=rfc822;+C3+A4@c", 250, 0, "utf-8;\xc3\xa4@c" },
		{ " ORCPT=x400;/C+3DDE/", 250, 0, "x400;/C=DE/" },
		{ " ORCPT", 501, 0, NULL }, { " ORCPT=a@b", 501, 0, NULL }, { " ORCPT=rfc822;\xc3\xa4@c", 501, 0, NULL },
		{ " ORCPT=rfc822;a+2b", 501, 0, NULL }, { " ORCPT=rfc822;a ORCPT=rfc822;a", 501, 0, NULL },
		{ " RET=FULL", 555, 0, NULL }, { " SMTPUTF8", 555, 0, NULL }, { " ;", 501, 0, NULL },
	};
	struct param_rules	 rules = all;
	struct rcpt_params	 rp;
	struct param_fault	 f;
	char			 in[ORCPT_MAX + 32];

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		f.code = 250;
		if ((rcpt_params(&rp, slice_str(cases[i].in), &all, &f) == E_OK) != (cases[i].code == 250) || f.code != cases[i].code)
			fail_msg("%s: %u, wanted %u", cases[i].in, f.code, cases[i].code);
		if (cases[i].code == 250) {
			assert_int_equal(rp.notify, cases[i].notify);
			assert_string_equal(rp.orcpt, cases[i].orcpt);
		}
	}
	for (int n = ORCPT_MAX - 1; n <= ORCPT_MAX + 1; n++) {
		snprintf(in, sizeof(in), " ORCPT=rfc822;%0*d", n - 7, 1);
		assert_int_equal(rcpt_params(&rp, slice_str(in), &all, &f), n <= ORCPT_MAX ? E_OK : E_SYNTAX);
	}
	rules.utf8 = 0;
	assert_int_equal(rcpt_params(&rp, SLICE_LIT(" ORCPT=utf-8;\xc3\xa4@c"), &rules, &f), E_SYNTAX);
	assert_int_equal(f.code, 553);
	assert_int_equal(rcpt_params(&rp, SLICE_LIT(" ORCPT=utf-8;\\x{E4}@c"), &rules, &f), E_OK);
	rules.esmtp = 0;
	assert_int_equal(rcpt_params(&rp, SLICE_LIT(" NOTIFY=NEVER"), &rules, &f), E_SYNTAX);
	assert_int_equal(f.code, 555);
}

static void
test_dates(void **state)
{
	static const struct { const char *in; int err; int64_t t; } cases[] = {
		{ "1970-01-01T00:00:00Z", E_OK, 0 }, { "1970-01-01t00:00:00z", E_OK, 0 }, { "2027-01-15T08:00:00Z", E_OK, NOW },
		{ "1985-04-12T23:20:50.52Z", E_OK, 482196050 }, { "1996-12-19T16:39:57-08:00", E_OK, 851042397 },
		{ "1990-12-31T23:59:60Z", E_OK, 662688000 }, { "1990-12-31T15:59:60-08:00", E_OK, 662688000 },	/* RFC 3339 5.8 */
		{ "1937-01-01T12:00:27.87+00:20", E_OK, -1041337173 }, { "2000-02-29T00:00:00Z", E_OK, 951782400 },
		{ "2024-02-29T23:59:59+23:59", E_OK, 1709164859 }, { "9999-12-31T23:59:59Z", E_OK, 253402300799 },
		{ "0000-01-01T00:00:00Z", E_OK, -62167219200 }, { "0000-03-01T00:00:00Z", E_OK, -62162035200 },
		{ "1969-12-31T23:59:59-00:00", E_OK, -1 },
		{ "1900-02-29T00:00:00Z", E_SYNTAX, 0 }, { "2023-02-29T00:00:00Z", E_SYNTAX, 0 }, { "2024-02-30T00:00:00Z", E_SYNTAX, 0 },
		{ "2024-04-31T00:00:00Z", E_SYNTAX, 0 }, { "2024-00-01T00:00:00Z", E_SYNTAX, 0 }, { "2024-13-01T00:00:00Z", E_SYNTAX, 0 },
		{ "2024-01-00T00:00:00Z", E_SYNTAX, 0 }, { "2024-01-32T00:00:00Z", E_SYNTAX, 0 }, { "2024-01-01T24:00:00Z", E_SYNTAX, 0 },
		{ "2024-01-01T00:60:00Z", E_SYNTAX, 0 }, { "2024-01-01T00:00:61Z", E_SYNTAX, 0 }, { "2024-01-01T00:00:60Z", E_SYNTAX, 0 },
		{ "2024-06-30T23:59:60+01:00", E_SYNTAX, 0 }, { "2024-07-01T00:59:60+01:00", E_OK, 1719792000 },
		{ "2024-06-15T23:59:60Z", E_SYNTAX, 0 },
		{ "2024-01-01T00:00:00", E_SYNTAX, 0 }, { "2024-01-01 00:00:00Z", E_SYNTAX, 0 }, { "2024-01-01T00:00:00.Z", E_SYNTAX, 0 },
		{ "2024-01-01T00:00:00ZZ", E_SYNTAX, 0 }, { "2024-01-01T00:00:00+24:00", E_SYNTAX, 0 }, { "2024-01-01T00:00:00+0100", E_SYNTAX, 0 },
		{ "2024-01-01T00:00:00+01:60", E_SYNTAX, 0 }, { "2024-1-01T00:00:00Z", E_SYNTAX, 0 }, { "24-01-01T00:00:00Z", E_SYNTAX, 0 },
		{ "2024-01-01T00:00Z", E_SYNTAX, 0 }, { "", E_SYNTAX, 0 }, { "2024/01/01T00:00:00Z", E_SYNTAX, 0 },
		{ "+024-01-01T00:00:00Z", E_SYNTAX, 0 }, { "2024-01-01T00:00:00.5", E_SYNTAX, 0 }, { "2024-01-01T00:00:00.123456789-05:30", E_OK, 1704087000 },
	};
	char	 text[DATE_STRLEN];
	int64_t	 t;

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		if (date_time_parse(&t, slice_str(cases[i].in)) != cases[i].err)
			fail_msg("%s", cases[i].in);
		if (cases[i].err == E_OK && t != cases[i].t)
			fail_msg("%s: %lld, wanted %lld", cases[i].in, (long long)t, (long long)cases[i].t);
	}
	/* Every day of 800 years, there and back. */
	for (int64_t day = -365 * 400; day < 365 * 400; day++) {
		int64_t	 at = day * 86400 + 86399;

		if (at < 0)
			continue;
		assert_int_equal(date_time_parse(&t, slice_str(date_rfc3339(at, text))), E_OK);
		assert_true(t == at);
	}
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_next), cmocka_unit_test(test_mail_codes), cmocka_unit_test(test_mail_values),
		cmocka_unit_test(test_rcpt), cmocka_unit_test(test_dates),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
