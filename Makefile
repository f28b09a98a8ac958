# Postern: GNU make, no configure step.  `make` builds, `make run` starts a server, `make test` proves it.
VERSION := $(shell sed -n 's/.*POSTERN_VERSION "\(.*\)"/\1/p' common/version.h)

prefix      ?= /usr/local
sbindir     ?= $(prefix)/sbin
libexecdir  ?= $(prefix)/libexec/postern
mandir      ?= $(prefix)/share/man
docdir      ?= $(prefix)/share/doc/postern
sysconfdir  ?= /etc
unitdir     ?= /usr/lib/systemd/system
sysusersdir ?= /usr/lib/sysusers.d
tmpfilesdir ?= /usr/lib/tmpfiles.d

# A room is a folder is a program; what it may link stands in its _PC and _LIBS lines.
ROOMS = master conf smtpd queue deliver resolver pickup keys auth pam ctl sendmail
master_BIN   = posternd
conf_BIN     = postern-conf
smtpd_BIN    = postern-smtpd
queue_BIN    = postern-queue
deliver_BIN  = postern-deliver
resolver_BIN = postern-resolver
pickup_BIN   = postern-pickup
keys_BIN     = postern-keys
auth_BIN     = postern-auth
pam_BIN      = postern-pam
ctl_BIN      = posternctl
sendmail_BIN = sendmail
master_PC   = libuv libseccomp libcap-ng
conf_PC     = libuv libseccomp libcap-ng libconfuse libidn2 libcrypto
smtpd_PC    = libuv libseccomp libcap-ng libidn2 libssl libcrypto
queue_PC    = libuv libseccomp libcap-ng lmdb libxxhash
deliver_PC  = libuv libseccomp libcap-ng libssl libcrypto
resolver_PC = libuv libseccomp libcap-ng libunbound
pickup_PC   = libuv libseccomp libcap-ng
keys_PC     = libuv libseccomp libcap-ng libcrypto
auth_PC     = libuv libseccomp libcap-ng libcrypto libcrypt libidn
pam_PC      = libuv libseccomp libcap-ng pam
ctl_PC      = libuv jansson libidn2 libssl libcrypto libcrypt libidn
sendmail_PC = libuv
common_PC   = libuv libseccomp libcap-ng libidn2 libidn libssl libcrypto

# SAN=address or SAN=thread builds beside the plain build; B is where.
SAN ?=
B   ?= build$(if $(SAN),/$(SAN))
CC  ?= cc
WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
       -Wwrite-strings -Wundef -Wvla -Wformat=2 -Wno-unused-parameter $(WERROR)
HARDEN = -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE \
       -D_FORTIFY_SOURCE=2 $(ZERO_INIT)
# clang 14 knows this only under a longer name of its own.
ZERO_INIT := $(shell echo | $(CC) -ftrivial-auto-var-init=zero -x c -c -o /dev/null - 2>/dev/null && echo -ftrivial-auto-var-init=zero)
HARDEN_LD = -pie -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed
ifeq ($(SAN),address)
  OPT = -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
  HARDEN =
  HARDEN_LD = -Wl,--as-needed
else ifeq ($(SAN),thread)
  OPT = -O1 -g -fsanitize=thread -fno-omit-frame-pointer
  HARDEN = -fPIE
  HARDEN_LD = -pie -Wl,--as-needed
else
  OPT ?= -O2 -g
endif
CPPFLAGS += -I. -D_GNU_SOURCE -DLIBEXECDIR='"$(libexecdir)"' -DSYSCONFDIR='"$(sysconfdir)"'
ALL_CFLAGS = -std=c11 $(WARN) $(HARDEN) $(OPT) $(CFLAGS)

BINS = $(foreach r,$(ROOMS),$(B)/bin/$($(r)_BIN))

.PHONY: all run test check lint bench fuzz fault install uninstall clean compile_commands.json
all: $(BINS)

# Other flags, places or another compiler than last time: everything is made again.
HOW = $(CC) $(ALL_CFLAGS) $(CPPFLAGS) $(LDFLAGS)
.PHONY: always
$(B)/how: always
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(HOW))' | cmp -s - $@ || printf '%s\n' '$(subst ','\'',$(HOW))' >$@

$(B)/%.o: %.c $(B)/how
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(CPPFLAGS) -MMD -MP -c -o $@ $<

common_OBJ = $(patsubst %.c,$(B)/%.o,$(wildcard common/*.c))
$(B)/lib/common.a: $(common_OBJ)
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $^

# Each room: an archive of all but main.c (tests and fuzzers link it) and the program.
define room
$(1)_OBJ = $$(patsubst %.c,$$(B)/%.o,$$(filter-out $(1)/main.c,$$(wildcard $(1)/*.c)))
$$(B)/lib/$(1).a: $$($(1)_OBJ)
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(AR) rcs $$@ $$^
$$(B)/bin/$$($(1)_BIN): $$(B)/$(1)/main.o $$(B)/lib/$(1).a $$(B)/lib/common.a
	@mkdir -p $$(@D)
	$$(CC) $$(OPT) $$(HARDEN_LD) $$(LDFLAGS) -o $$@ $$^ $$(shell pkg-config --libs $$($(1)_PC)) -pthread
# Unit tests mirror the rooms: tests/ROOM/x_test.c with cmocka.
$$(B)/tests/$(1)/%: $$(B)/tests/$(1)/%.o $$(B)/lib/$(1).a $$(B)/lib/common.a
	@mkdir -p $$(@D)
	$$(CC) $$(OPT) $$(HARDEN_LD) $$(LDFLAGS) -o $$@ $$^ $$(shell pkg-config --libs cmocka $$($(1)_PC)) -pthread
endef
$(foreach r,$(ROOMS),$(eval $(call room,$(r))))
$(B)/tests/common/%: $(B)/tests/common/%.o $(B)/lib/common.a
	@mkdir -p $(@D)
	$(CC) $(OPT) $(HARDEN_LD) $(LDFLAGS) -o $@ $^ $(shell pkg-config --libs cmocka $(common_PC)) -pthread

UNIT_TESTS = $(patsubst %.c,$(B)/%,$(wildcard tests/common/*_test.c $(foreach r,$(ROOMS),tests/$(r)/*_test.c)))
.PRECIOUS: $(B)/%.o
.PHONY: unit
unit: $(UNIT_TESTS)

# Fuzz targets: tests/fuzz/ROOM_what_fuzz.c; clang's libFuzzer with ASan and UBSan, in build/fuzz.
FUZZERS = $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*_fuzz.c))
.PHONY: fuzzers
fuzzers:
	$(MAKE) B=build/fuzz CC=clang SAN= HARDEN= HARDEN_LD=-Wl,--as-needed \
	    OPT='-O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all' fuzz-bins
.PHONY: fuzz-bins
fuzz-bins: $(patsubst %,$(B)/bin/%,$(FUZZERS))
fuzz_room = $(firstword $(subst _, ,$(1)))
define fuzzer
$$(B)/bin/$(1): $$(B)/tests/fuzz/$(1).o $$(if $$(filter-out common,$$(call fuzz_room,$(1))),$$(B)/lib/$$(call fuzz_room,$(1)).a) $$(B)/lib/common.a
	@mkdir -p $$(@D)
	$$(CC) $$(OPT) -fsanitize=fuzzer $$(HARDEN_LD) -o $$@ $$^ \
	    $$(shell pkg-config --libs libuv libseccomp libcap-ng $$($$(call fuzz_room,$(1))_PC)) -pthread
endef
$(foreach f,$(FUZZERS),$(eval $(call fuzzer,$(f))))

# Everything below needs Debian packages; .ci/deps installs the missing ones by name.
run:
	@.ci/deps run
	@echo building
	@$(MAKE) --no-print-directory -s -j$(shell nproc) all
	@exec $(B)/bin/posternd -f $(RUN_ARGS)

check: unit
	@tests/run unit

test:
	@.ci/deps test
	@tests/run

fuzz: fuzzers
	@tests/fuzz/run --seconds $(or $(SECONDS_EACH),300)

fault: all
	@tests/fault/run

bench: all
	@.ci/deps test
	@tests/bench/run
	@tests/bench/queue
	@tests/bench/health --check
	@tests/bench/tls
	@tests/bench/tables --check

lint:
	@.ci/deps test
	@tests/lint

compile_commands.json:
	@$(MAKE) --always-make --dry-run all unit | \
	    /usr/bin/python3 tests/compile_commands.py > $@

clean:
	rm -rf build compile_commands.json

-include etc/install.mk
-include $(wildcard $(foreach d,common $(ROOMS) tests/common tests/fuzz $(ROOMS:%=tests/%),$(B)/$(d)/*.d))
