# install.mk -- install and uninstall; included by the Makefile, whose variables name the places.
# DESTDIR is put in front of all of them, for packagers.  An existing configuration is never touched,
# and uninstall leaves configuration and mail where they are.

INSTALL ?= install
doc_FILES = README.md LICENSE
man8_FILES = master/posternd.8 ctl/posternctl.8 smtpd/postern-smtpd.8 queue/postern-queue.8 \
	deliver/postern-deliver.8 resolver/postern-resolver.8 pickup/postern-pickup.8 keys/postern-keys.8 auth/postern-auth.8 pam/postern-pam.8 \
	conf/postern-conf.8
man1_FILES = sendmail/sendmail.1
man5_FILES = etc/postern.conf.5
sbin_BINS = posternd posternctl sendmail
sendmail_NAMES = mailq newaliases
libexec_BINS = postern-conf postern-smtpd postern-queue postern-deliver postern-resolver postern-pickup postern-keys postern-auth postern-pam

# Pages, unit and sample name the usual places; the installed copies name the real ones.
ETC_PLACES = sed -e 's|/usr/sbin/|$(sbindir)/|g' -e 's|/usr/libexec/postern|$(libexecdir)|g' \
	-e 's|/etc/postern/|$(sysconfdir)/postern/|g'

.PHONY: install uninstall
install: all
	$(INSTALL) -d $(DESTDIR)$(sbindir) $(DESTDIR)$(libexecdir) $(DESTDIR)$(mandir)/man1 $(DESTDIR)$(mandir)/man5 \
	    $(DESTDIR)$(mandir)/man8 $(DESTDIR)$(docdir) $(DESTDIR)$(sysconfdir)/postern \
	    $(DESTDIR)$(unitdir) $(DESTDIR)$(sysusersdir) $(DESTDIR)$(tmpfilesdir) $(DESTDIR)$(sysconfdir)/fail2ban/filter.d \
	    $(DESTDIR)$(docdir)/fail2ban
	$(INSTALL) -m 755 $(sbin_BINS:%=$(B)/bin/%) $(DESTDIR)$(sbindir)
	for n in $(sendmail_NAMES); do ln -sf sendmail $(DESTDIR)$(sbindir)/$$n || exit 1; done
	$(INSTALL) -m 755 $(libexec_BINS:%=$(B)/bin/%) $(DESTDIR)$(libexecdir)
	for f in $(man8_FILES); do $(ETC_PLACES) $$f > $(DESTDIR)$(mandir)/man8/$${f##*/} && \
	    chmod 644 $(DESTDIR)$(mandir)/man8/$${f##*/} || exit 1; done
	for f in $(man1_FILES); do $(ETC_PLACES) $$f > $(DESTDIR)$(mandir)/man1/$${f##*/} && \
	    chmod 644 $(DESTDIR)$(mandir)/man1/$${f##*/} || exit 1; done
	for n in $(sendmail_NAMES); do ln -sf sendmail.1 $(DESTDIR)$(mandir)/man1/$$n.1 || exit 1; done
	for f in $(man5_FILES); do $(ETC_PLACES) $$f > $(DESTDIR)$(mandir)/man5/$${f##*/} && \
	    chmod 644 $(DESTDIR)$(mandir)/man5/$${f##*/} || exit 1; done
	$(INSTALL) -m 644 $(wildcard $(doc_FILES)) $(DESTDIR)$(docdir)
	$(INSTALL) -m 644 etc/fail2ban/filter.d/postern.conf $(DESTDIR)$(sysconfdir)/fail2ban/filter.d/postern.conf
	$(INSTALL) -m 644 etc/fail2ban/jail.d/postern.conf $(DESTDIR)$(docdir)/fail2ban/jail.conf
	test -e $(DESTDIR)$(sysconfdir)/postern/postern.conf || \
	    $(INSTALL) -m 644 etc/postern.conf $(DESTDIR)$(sysconfdir)/postern/postern.conf
	$(ETC_PLACES) etc/postern.service > $(DESTDIR)$(unitdir)/postern.service
	chmod 644 $(DESTDIR)$(unitdir)/postern.service
	$(INSTALL) -m 644 etc/postern.sysusers $(DESTDIR)$(sysusersdir)/postern.conf
	$(INSTALL) -m 644 etc/postern.tmpfiles $(DESTDIR)$(tmpfilesdir)/postern.conf

uninstall:
	rm -f $(sendmail_NAMES:%=$(DESTDIR)$(sbindir)/%) $(sendmail_NAMES:%=$(DESTDIR)$(mandir)/man1/%.1)
	rm -f $(sbin_BINS:%=$(DESTDIR)$(sbindir)/%) $(libexec_BINS:%=$(DESTDIR)$(libexecdir)/%)
	rm -f $(foreach f,$(man8_FILES),$(DESTDIR)$(mandir)/man8/$(notdir $(f))) \
	    $(foreach f,$(man1_FILES),$(DESTDIR)$(mandir)/man1/$(notdir $(f))) \
	    $(foreach f,$(man5_FILES),$(DESTDIR)$(mandir)/man5/$(notdir $(f)))
	rm -f $(foreach f,$(doc_FILES),$(DESTDIR)$(docdir)/$(f)) $(DESTDIR)$(unitdir)/postern.service \
	    $(DESTDIR)$(sysusersdir)/postern.conf $(DESTDIR)$(tmpfilesdir)/postern.conf \
	    $(DESTDIR)$(sysconfdir)/fail2ban/filter.d/postern.conf $(DESTDIR)$(docdir)/fail2ban/jail.conf
	-rmdir $(DESTDIR)$(libexecdir) $(DESTDIR)$(docdir)/fail2ban $(DESTDIR)$(docdir) 2>/dev/null
