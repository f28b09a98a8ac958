/* rcpt_test.c -- the resolver of recipients: verdicts, ends, bounds; see common/rcpt.h. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/buf.h"
#include "common/rcpt.h"
#include "common/siphash.h"
#include "tests/common/rcpt_kit.h"

static const char	tables[] =
    "domain d.test\n"
    "domain e.test\n"
    "domain all.test\n"
    "domain caught.test\n"
    "domain self.test\n"
    "relay-domain open.test\n"
    "relay-domain known.test\n"
    "all all.test\n"
    "catch-all caught.test all@d.test\n"
    "catch-all self.test one@self.test\n"
    "delimiter +-\n"
    "hostname d.test\n"
    "recipients@d.test alice\n"
    "recipients@d.test bob\n"
    "recipients@d.test carol+box\n"
    "recipients@d.test carol\n"
    "recipients@d.test odd~name\n"
    "recipients@d.test all\n"
    "recipients@e.test eve\n"
    "recipients@known.test kim\n"
    "recipients@caught.test here\n"
    "aliases@d.test sales alice@d.test bob@d.test\n"
    "aliases@d.test one alice@d.test\n"
    "aliases@d.test me me@d.test x@else.test\n"
    "aliases@d.test gone nosuch@d.test\n"
    "aliases@d.test half nosuch@d.test alice@d.test\n"
    "aliases@d.test null /dev/null\n"
    "aliases@d.test nullhalf /dev/null alice@d.test\n"
    "aliases@d.test ping pong@d.test\n"
    "aliases@d.test pong ping@d.test\n"
    "aliases@d.test round alice@d.test again@d.test\n"
    "aliases@d.test again round@d.test bob@d.test\n"
    "aliases@d.test list alice@d.test inner@d.test x@else.test plain@d.test\n"
    "aliases@d.test owner-list bob@d.test\n"
    "aliases@d.test inner eve@e.test\n"
    "aliases@d.test owner-inner bob@d.test\n"
    "aliases@d.test plain y@else.test\n"
    "aliases@d.test inc :0 bob@d.test\n"
    "aliases@d.test incself :1\n"
    "aliases@d.test empty :2\n"
    "include@d.test 0 alice@d.test :1\n"
    "include@d.test 1 eve@e.test incself@d.test :0\n"
    "include@d.test 2 \n"
    "aliases@d.test cased Bob@else.test bob@else.test BOB@d.test bob@d.test\n"
    "aliases@d.test tagged+x eve@e.test\n"
    "aliases@d.test tagged alice@d.test\n"
    "aliases@d.test postmaster alice@d.test\n"
    "virtual info@d.test eve@e.test\n"
    "virtual info+x@d.test bob@d.test\n"
    "virtual self@d.test self@d.test eve@e.test\n"
    "virtual short eve@e.test\n"
    "virtual pushed@d.test tag+own@else.test far@else.test\n"
    "virtual @v.test @d.test\n"
    "virtual @e.test spam@d.test\n"
    "virtual eve@e.test eve@e.test\n"
    "virtual spam@d.test alice@d.test\n"
    "virtual away@open.test alice@d.test\n"
    "aliases@d.test self alice@d.test\n"
    "canonical old@d.test alice@d.test\n"
    "canonical @was.test @d.test\n"
    "relay-domain left.test\n"
    "canonical @left.test @far.test\n"
    "recipient-canonical moved@d.test alice@far.test\n"
    "recipient-canonical first@d.test old@d.test\n"
    "recipient-canonical swap@d.test paws@d.test\n"
    "recipient-canonical paws@d.test swap@d.test\n"
    "sender-canonical root@d.test admin@d.test\n"
    "sender-canonical swap@d.test paws@d.test\n"
    "sender-canonical paws@d.test swap@d.test\n";

static struct rcpt_kit	kit;

static int
setup(void **state)
{
	siphash_seed();
	kit_open(&kit, tables);
	return (0);
}

static int
teardown(void **state)
{
	kit_close(&kit);
	return (0);
}

static void
verdict(const struct conf *conf, const char *path, int relay, int own, struct rcpt_verdict *v)
{
	struct rcpt_ask	 ask = { .conf = conf, .may_relay = relay, .own = own };
	struct arena	 scratch;
	struct addr	 a;
	const char	*why;
	size_t		 used;

	if (addr_parse_path(&a, slice_str(path), &used, ADDR_POSTMASTER_OK, &why) != E_OK)
		fail_msg("%s: %s", path, why);
	ask.addr = &a;
	arena_init(&scratch, 1u << 20);
	rcpt_verdict(&ask, &scratch, v);
	arena_clear(&scratch);
}

static void
test_verdict(void **state)
{
	static const struct {
		const char	*path;
		int		 relay;
		enum rcpt_kind	 kind;
		const char	*address;	/* to hand on; NULL: as said */
		const char	*mailbox;	/* NULL none */
	} c[] = {
		/* A mailbox. */
		{ "<alice@d.test>", 0, TO_MAILBOX, NULL, "alice" },
		{ "<ALICE@D.TEST>", 0, TO_MAILBOX, "ALICE@d.test", "alice" },
		{ "<\"alice\"@d.test>", 0, TO_MAILBOX, "alice@d.test", "alice" },
		{ "<\"odd name\"@d.test>", 0, TO_MAILBOX, NULL, "odd name" },
		{ "<\"ODD name\"@d.test>", 0, TO_MAILBOX, NULL, "odd name" },
		{ "<nosuch@d.test>", 0, TO_UNKNOWN, NULL, NULL },
		{ "<nosuch@d.test>", 1, TO_UNKNOWN, NULL, NULL },
		{ "<\"alice@d.test\"@d.test>", 0, TO_UNKNOWN, NULL, NULL },
		/* Extensions. */
		{ "<alice+news@d.test>", 0, TO_MAILBOX, NULL, "alice" },
		{ "<Alice+News@d.test>", 0, TO_MAILBOX, NULL, "alice" },
		{ "<alice-x+y@d.test>", 0, TO_MAILBOX, NULL, "alice" },
		{ "<alice+@d.test>", 0, TO_MAILBOX, NULL, "alice" },
		{ "<alice++@d.test>", 0, TO_MAILBOX, NULL, "alice" },
		{ "<+alice@d.test>", 0, TO_UNKNOWN, NULL, NULL },
		{ "<+@d.test>", 0, TO_UNKNOWN, NULL, NULL },
		{ "<nosuch+alice@d.test>", 0, TO_UNKNOWN, NULL, NULL },
		{ "<carol+box@d.test>", 0, TO_MAILBOX, NULL, "carol+box" },
		{ "<carol+other@d.test>", 0, TO_MAILBOX, NULL, "carol" },
		{ "<\"odd name+x\"@d.test>", 0, TO_MAILBOX, NULL, "odd name" },
		{ "<owner-alice@d.test>", 0, TO_UNKNOWN, NULL, NULL },
		{ "<alice-request@d.test>", 0, TO_UNKNOWN, NULL, NULL },
		/* Postmaster. */
		{ "<postmaster>", 0, TO_MAILBOX, "postmaster@d.test", "alice" },
		{ "<PostMaster@e.test>", 0, TO_MAILBOX, NULL, "alice" },
		{ "<postmaster@self.test>", 0, TO_MAILBOX, NULL, "one" },
		{ "<postmaster+x@d.test>", 0, TO_MAILBOX, NULL, "alice" },
		{ "<postmaster@known.test>", 0, TO_RELAY, NULL, NULL },
		/* All, catch-all. */
		{ "<anyone@all.test>", 0, TO_MAILBOX, NULL, "anyone" },
		{ "<anyone+x@all.test>", 0, TO_MAILBOX, NULL, "anyone" },
		{ "<a%b@all.test>", 0, TO_ROUTED, NULL, NULL },
		{ "<a%b@all.test>", 1, TO_MAILBOX, NULL, "a%b" },
		{ "<here@caught.test>", 0, TO_MAILBOX, NULL, "here" },
		{ "<there@caught.test>", 0, TO_MAILBOX, NULL, "all" },
		{ "<there@self.test>", 0, TO_MAILBOX, NULL, "one" },
		{ "<one@self.test>", 0, TO_MAILBOX, NULL, "one" },
		/* Relay, remote. */
		{ "<x@open.test>", 0, TO_RELAY, NULL, NULL },
		{ "<x!y@open.test>", 0, TO_ROUTED, NULL, NULL },
		{ "<\"x@y\"@open.test>", 0, TO_ROUTED, NULL, NULL },
		{ "<x!y@open.test>", 1, TO_RELAY, NULL, NULL },
		{ "<kim@known.test>", 0, TO_RELAY, NULL, NULL },
		{ "<Kim+x@known.test>", 0, TO_RELAY, NULL, NULL },
		{ "<tim@known.test>", 0, TO_UNKNOWN, NULL, NULL },
		{ "<a%b@known.test>", 0, TO_UNKNOWN, NULL, NULL },
		{ "<away@open.test>", 0, TO_MAILBOX, NULL, "alice" },
		{ "<x@else.test>", 0, TO_DENIED, NULL, NULL },
		{ "<x@else.test>", 1, TO_REMOTE, NULL, NULL },
		{ "<x@[192.0.2.9]>", 0, TO_DENIED, NULL, NULL },
		{ "<x@[192.0.2.9]>", 1, TO_REMOTE, NULL, NULL },
		/* Aliases. */
		{ "<sales@d.test>", 0, TO_MAILBOX, NULL, "alice" },
		{ "<SALES+x@d.test>", 0, TO_MAILBOX, NULL, "alice" },
		{ "<me@d.test>", 0, TO_MAILBOX, NULL, "me" },
		{ "<me+x@d.test>", 0, TO_MAILBOX, NULL, "me" },
		{ "<gone@d.test>", 0, TO_UNKNOWN, NULL, NULL },
		{ "<half@d.test>", 0, TO_MAILBOX, NULL, "alice" },
		{ "<null@d.test>", 0, TO_DISCARD, NULL, NULL },
		{ "<nullhalf@d.test>", 0, TO_MAILBOX, NULL, "alice" },
		{ "<ping@d.test>", 0, TO_LOOP, NULL, NULL },
		{ "<round@d.test>", 0, TO_MAILBOX, NULL, "alice" },
		{ "<empty@d.test>", 0, TO_LOOP, NULL, NULL },
		{ "<plain@d.test>", 0, TO_REMOTE, NULL, NULL },
		{ "<tagged+x@d.test>", 0, TO_MAILBOX, NULL, "eve" },
		{ "<tagged+y@d.test>", 0, TO_MAILBOX, NULL, "alice" },
		/* virtual. */
		{ "<info@d.test>", 0, TO_MAILBOX, NULL, "eve" },
		{ "<info+x@d.test>", 0, TO_MAILBOX, NULL, "bob" },
		{ "<self@d.test>", 0, TO_MAILBOX, NULL, "alice" },
		{ "<short@e.test>", 0, TO_MAILBOX, NULL, "eve" },
		{ "<short@open.test>", 0, TO_RELAY, NULL, NULL },
		{ "<x@v.test>", 0, TO_DENIED, NULL, NULL },
		{ "<alice@v.test>", 1, TO_MAILBOX, NULL, "alice" },
		{ "<alice+x@v.test>", 1, TO_MAILBOX, NULL, "alice" },
		{ "<whoever@e.test>", 0, TO_MAILBOX, NULL, "alice" },
		/* canonical. */
		{ "<old@d.test>", 0, TO_MAILBOX, "alice@d.test", "alice" },
		{ "<old+x@d.test>", 0, TO_MAILBOX, "alice+x@d.test", "alice" },
		{ "<first@d.test>", 0, TO_MAILBOX, "alice@d.test", "alice" },
		{ "<bob@was.test>", 0, TO_MAILBOX, "bob@d.test", "bob" },
		{ "<bob+x@was.test>", 0, TO_MAILBOX, "bob+x@d.test", "bob" },
		{ "<\"odd name\"@was.test>", 0, TO_MAILBOX, "\"odd name\"@d.test", "odd name" },
		{ "<swap@d.test>", 0, TO_LOOP, NULL, NULL },
		/* Whom we take may go elsewhere, but not by a route that the client wrote. */
		{ "<moved@d.test>", 0, TO_REMOTE, "alice@far.test", NULL },
		{ "<moved+x@d.test>", 0, TO_REMOTE, "alice+x@far.test", NULL },
		{ "<who@left.test>", 0, TO_REMOTE, "who@far.test", NULL },
		{ "<who%x.test@left.test>", 0, TO_ROUTED, "who%x.test@far.test", NULL },
		{ "<who%x.test@left.test>", 1, TO_REMOTE, "who%x.test@far.test", NULL },
		{ "<alice@far.test>", 0, TO_DENIED, NULL, NULL },
	};
	struct rcpt_verdict	 v;
	char			 said[ADDRESS_MAX + 1];

	for (size_t i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		verdict(&kit.conf, c[i].path, c[i].relay, 0, &v);
		if (v.kind != c[i].kind)
			fail_msg("%s: %s", c[i].path, rcpt_kind_name(v.kind));
		(void)snprintf(said, sizeof(said), "%.*s", (int)strlen(c[i].path) - 2, c[i].path + 1);
		if (c[i].address != NULL)
			assert_string_equal(v.address, c[i].address);
		else if (v.kind != TO_LOOP || v.aliased)
			assert_int_equal(rcpt_kind_name(0) != NULL && strcasecmp(v.address, said), 0);
		if (v.kind == TO_MAILBOX && strcmp(v.mailbox, c[i].mailbox != NULL ? c[i].mailbox : "") != 0)
			fail_msg("%s: mailbox %s", c[i].path, v.mailbox);
		assert_int_equal(v.end[0] != '\0', v.kind <= TO_REMOTE);
	}
}

/* An address literal of this host, and the host's name when it is no final domain. */
static void
test_own(void **state)
{
	struct rcpt_verdict	 v;

	verdict(&kit.conf, "<alice@[192.0.2.1]>", 0, 1, &v);
	assert_int_equal(v.kind, TO_MAILBOX);
	assert_string_equal(v.address, "alice@d.test");
	verdict(&kit.conf, "<nosuch@[192.0.2.1]>", 0, 1, &v);
	assert_int_equal(v.kind, TO_UNKNOWN);
	kit.conf.hostname = "elsewhere.test";
	verdict(&kit.conf, "<alice@[192.0.2.1]>", 0, 1, &v);
	assert_int_equal(v.kind, TO_UNKNOWN);
	verdict(&kit.conf, "<Postmaster@[192.0.2.1]>", 0, 1, &v);
	assert_int_equal(v.kind, TO_MAILBOX);
	assert_string_equal(v.address, "Postmaster@all.test");
	kit.conf.postmaster = "bob@d.test";
	verdict(&kit.conf, "<postmaster>", 0, 0, &v);
	assert_string_equal(v.address, "bob@d.test");
	assert_string_equal(v.mailbox, "bob");
	kit.conf.postmaster = "bob@far.test";	/* RFC 5321 4.5.1: taken from anybody */
	verdict(&kit.conf, "<postmaster>", 0, 0, &v);
	assert_int_equal(v.kind, TO_REMOTE);
	assert_string_equal(v.end, "bob@far.test");
	kit.conf.postmaster = "";
	kit.conf.hostname = "d.test";
}

/* "kind address [sender] <alias", one behind the other. */
static int
expand(const struct conf *conf, const char *address, uint32_t max, uint32_t slice, struct buf *out)
{
	struct rcpt_expansion	 x = { 0 };
	struct arena		 mem;
	int			 err;

	buf_init(out, 1u << 20);
	arena_init(&mem, 64u << 20);
	err = rcpt_expand_begin(&x, conf, &mem, address, max);
	while (err == E_OK && (err = rcpt_expand_some(&x, slice)) == E_AGAIN)
		err = E_OK;
	for (const struct rcpt_end *e = x.ends; e != NULL; e = e->next)
		assert_int_equal(buf_addf(out, "%s%s %s%s%s", out->len != 0 ? ", " : "", rcpt_kind_name(e->kind),
		    e->address, e->owned ? " by " : "", e->sender), E_OK);
	assert_int_equal(buf_add(out, "", 1), E_OK);
	arena_clear(&mem);
	return (err);
}

static void
test_expand(void **state)
{
	static const struct {
		const char	*address, *ends;
	} c[] = {
		{ "alice@d.test", "mailbox alice@d.test" },
		{ "nosuch@d.test", "unknown nosuch@d.test" },
		{ "x@else.test", "remote x@else.test" },
		{ "sales@d.test", "mailbox alice@d.test, mailbox bob@d.test" },
		{ "sales+x@d.test", "mailbox alice@d.test, mailbox bob@d.test" },	/* aliases(5) carry no extension */
		{ "one@d.test", "mailbox alice@d.test" },
		{ "me@d.test", "mailbox me@d.test, remote x@else.test" },
		{ "me+box@d.test", "mailbox me+box@d.test, remote x@else.test" },
		{ "half@d.test", "unknown nosuch@d.test, mailbox alice@d.test" },
		{ "null@d.test", "discard " },
		{ "nullhalf@d.test", "discard , mailbox alice@d.test" },
		{ "ping@d.test", "" },
		{ "round@d.test", "mailbox alice@d.test, mailbox bob@d.test" },
		{ "list@d.test", "mailbox alice@d.test by owner-list@d.test, remote x@else.test by owner-list@d.test, "
		    "remote y@else.test by owner-list@d.test, mailbox eve@e.test by owner-inner@d.test" },
		{ "LIST+x@d.test", "mailbox alice@d.test by owner-list@d.test, remote x@else.test by owner-list@d.test, "
		    "remote y@else.test by owner-list@d.test, mailbox eve@e.test by owner-inner@d.test" },
		{ "owner-list@d.test", "mailbox bob@d.test" },
		{ "inc@d.test", "mailbox bob@d.test, mailbox alice@d.test, mailbox eve@e.test" },
		{ "incself@d.test", "mailbox incself@d.test, mailbox eve@e.test, mailbox alice@d.test" },
		{ "empty@d.test", "" },
		{ "cased@d.test", "remote Bob@else.test, remote bob@else.test, mailbox BOB@d.test" },
		{ "self@d.test", "mailbox alice@d.test, mailbox eve@e.test" },
		{ "pushed@d.test", "remote tag+own@else.test, remote far@else.test" },
		{ "pushed+x@d.test", "remote tag+own@else.test, remote far+x@else.test" },
		{ "pushed+@d.test", "remote tag+own@else.test, remote far@else.test" },
		{ "bob+x@v.test", "mailbox bob+x@d.test" },
		{ "who+x@e.test", "mailbox alice@d.test" },			/* @domain carries none */
		{ "eve+x@e.test", "mailbox eve+x@e.test" },			/* names itself, extension and all */
		{ "there+x@caught.test", "mailbox all@d.test" },
	};
	struct buf	 out;

	for (size_t i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		for (uint32_t slice = 1; slice < 100; slice += 50) {	/* cuts do not matter */
			assert_int_equal(expand(&kit.conf, c[i].address, 1000, slice, &out), E_OK);
			if (strcmp(buf_slice(&out).p, c[i].ends) != 0)
				fail_msg("%s: %s", c[i].address, buf_slice(&out).p);
			buf_clear(&out);
		}
	}
}

/* An extension that no longer fits is left off (RFC 5321 4.5.3.1.1: 64 octets). */
static void
test_carry_limit(void **state)
{
	static const char	ext63[] = "+234567890123456789012345678901234567890123456789012345678901";
	char			lines[512], address[128];
	struct buf		out;
	struct rcpt_kit		k;

	for (int over = 0; over < 2; over++) {
		(void)snprintf(lines, sizeof(lines), "domain d.test\ndelimiter +\nvirtual a@d.test %s@else.test\n",
		    over ? "long" : "lon");
		kit_open(&k, lines);
		(void)snprintf(address, sizeof(address), "a%s@d.test", ext63);
		assert_int_equal(strlen(ext63), 61);
		assert_int_equal(expand(&k.conf, address, 10, 10, &out), E_OK);
		(void)snprintf(lines, sizeof(lines), "remote %s%s@else.test", over ? "long" : "lon", over ? "" : ext63);
		assert_string_equal(buf_slice(&out).p, lines);
		buf_clear(&out);
		kit_close(&k);
	}
}

/* a0 -> a1 -> ... -> an, which is a mailbox. */
static void
chain(struct rcpt_kit *k, unsigned n, int aliases)
{
	struct buf	 b;

	buf_init(&b, 1u << 20);
	assert_int_equal(buf_addf(&b, "domain d.test\nrecipients@d.test a%u\n", n), E_OK);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(aliases ? buf_addf(&b, "aliases@d.test a%u a%u@d.test\n", i, i + 1) :
		    buf_addf(&b, "virtual a%u@d.test a%u@d.test\n", i, i + 1), E_OK);
	assert_int_equal(buf_add(&b, "", 1), E_OK);
	kit_open(k, buf_slice(&b).p);
	buf_clear(&b);
}

static void
test_depth(void **state)
{
	struct rcpt_verdict		 v;
	struct rcpt_kit			 k;
	struct buf			 out;
	char				 want[64];

	for (int how = 0; how < 2; how++) {
		for (unsigned n = ALIAS_DEPTH_MAX - 1; n <= ALIAS_DEPTH_MAX + 1; n++) {
			chain(&k, n, how);
			assert_int_equal(expand(&k.conf, "a0@d.test", 10, 3, &out), E_OK);
			(void)snprintf(want, sizeof(want), n <= ALIAS_DEPTH_MAX ? "mailbox a%u@d.test" :
			    "loop a%u@d.test", n <= ALIAS_DEPTH_MAX ? n : ALIAS_DEPTH_MAX);
			assert_string_equal(buf_slice(&out).p, want);
			buf_clear(&out);
			verdict(&k.conf, "<a0@d.test>", 0, 0, &v);
			assert_int_equal(v.kind, n <= ALIAS_DEPTH_MAX ? TO_MAILBOX : TO_LOOP);
			kit_close(&k);
		}
	}
}

static void
test_ends_max(void **state)
{
	struct buf	 b, out;
	struct rcpt_kit	 k;

	buf_init(&b, 1u << 20);
	assert_int_equal(buf_adds(&b, "domain d.test\naliases@d.test l /dev/null"), E_OK);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(buf_addf(&b, " m%u@else.test", i), E_OK);
	assert_int_equal(buf_add(&b, "", 1), E_OK);
	kit_open(&k, buf_slice(&b).p);
	for (uint32_t max = 99; max <= 101; max++) {
		assert_int_equal(expand(&k.conf, "l@d.test", max, 7, &out), max < 100 ? E_LIMIT : E_OK);
		buf_clear(&out);
	}
	kit_close(&k);
	buf_clear(&b);
}

/* A long list of nobodies: looked at as far as RCPT_LOOK_MAX, then taken. */
static void
test_look_max(void **state)
{
	struct rcpt_verdict	 v;
	struct rcpt_kit		 k;
	struct buf		 b;

	for (unsigned n = RCPT_LOOK_MAX - 1; n <= RCPT_LOOK_MAX + 1; n++) {
		buf_init(&b, 1u << 20);
		assert_int_equal(buf_adds(&b, "domain d.test\naliases@d.test l"), E_OK);
		for (unsigned i = 0; i < n; i++)
			assert_int_equal(buf_addf(&b, " m%u@d.test", i), E_OK);
		assert_int_equal(buf_add(&b, "", 1), E_OK);
		kit_open(&k, buf_slice(&b).p);
		verdict(&k.conf, "<l@d.test>", 0, 0, &v);
		/* That a list is over shows at one look more. */
		assert_int_equal(v.kind, n < RCPT_LOOK_MAX ? TO_UNKNOWN : TO_MAILBOX);
		kit_close(&k);
		buf_clear(&b);
	}
}

static void
test_sender(void **state)
{
	static const struct { const char *is, *becomes; } c[] = {
		{ "", "" }, { "bob@d.test", "bob@d.test" }, { "root@d.test", "admin@d.test" },
		{ "Root+x@d.test", "admin+x@d.test" }, { "old@d.test", "alice@d.test" }, { "x@was.test", "x@d.test" },
		{ "root@was.test", "root@d.test" },	/* sender-canonical comes first */
		{ "swap@d.test", "swap@d.test" },	/* a circle changes nothing */
	};
	char	 address[ADDRESS_MAX + 1];

	for (size_t i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		memcpy(address, c[i].is, strlen(c[i].is) + 1);
		assert_int_equal(rcpt_rewrite_sender(&kit.conf, address, NULL, NULL), strcmp(c[i].is, c[i].becomes) != 0);
		assert_string_equal(address, c[i].becomes);
	}
}

static void
test_mailbox(void **state)
{
	static const struct { const char *address, *mailbox; } c[] = {
		{ "alice@d.test", "alice" }, { "Alice+x@d.test", "alice" }, { "carol+box@d.test", "carol+box" },
		{ "carol+BOX@d.test", "carol+box" }, { "carol+else@d.test", "carol" }, { "x+y@all.test", "x" },
		{ "\"odd name\"@d.test", "odd name" }, { "+x@d.test", "+x" }, { "postmaster", "postmaster" },
	};
	char	 dst[LOCAL_PART_MAX + 1];

	for (size_t i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		assert_int_equal(rcpt_mailbox(&kit.conf, c[i].address, dst), E_OK);
		assert_string_equal(dst, c[i].mailbox);
	}
	assert_int_equal(rcpt_mailbox(&kit.conf, "\"x@d.test", dst), E_SYNTAX);
}

static void
on_step(void *arg, const char *where, const char *what)
{
	assert_int_equal(buf_addf(arg, "%s: %s\n", where, what), E_OK);
}

static void
test_trace(void **state)
{
	static const char	want[] =
	    "recipient-canonical:58: first@d.test -> old@d.test\n"
	    "canonical:56: old@d.test -> alice@d.test\n"
	    "domain d.test: alice@d.test: mailbox alice\n";
	struct rcpt_ask		 ask = { .conf = &kit.conf, .trace = on_step };
	struct rcpt_verdict	 v;
	struct arena		 scratch;
	struct addr		 a;
	struct buf		 b;

	buf_init(&b, 1u << 20);
	arena_init(&scratch, 1u << 20);
	ask.arg = &b;
	ask.addr = &a;
	assert_int_equal(addr_parse(&a, SLICE_LIT("first@d.test"), NULL), E_OK);
	rcpt_verdict(&ask, &scratch, &v);
	assert_int_equal(buf_add(&b, "", 1), E_OK);
	if (strstr(buf_slice(&b).p, "canonical:") == NULL)
		fail_msg("%s", buf_slice(&b).p);
	assert_int_equal(strlen(strrchr(want, 'd')), strlen(strrchr(buf_slice(&b).p, 'd')));
	buf_drain(&b, b.len);
	assert_int_equal(addr_parse(&a, SLICE_LIT("list@d.test"), NULL), E_OK);
	rcpt_verdict(&ask, &scratch, &v);
	assert_int_equal(buf_add(&b, "", 1), E_OK);
	assert_non_null(strstr(buf_slice(&b).p, "list@d.test -> alice@d.test, inner@d.test, x@else.test, plain@d.test\n"));
	assert_non_null(strstr(buf_slice(&b).p, "becomes the envelope sender"));
	assert_non_null(strstr(buf_slice(&b).p, "remote: y@else.test: elsewhere\n"));
	arena_clear(&scratch);
	buf_clear(&b);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_verdict),
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_expand),
		cmocka_unit_test(test_carry_limit),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_ends_max),
		cmocka_unit_test(test_look_max),
		cmocka_unit_test(test_sender),
		cmocka_unit_test(test_mailbox),
		cmocka_unit_test(test_trace),
	};

	return (cmocka_run_group_tests(tests, setup, teardown));
}
