/*
 * drop.h -- what master itself gives up once its directories and sockets are there (threat-model.md 4).
 */
#ifndef MASTER_DROP_H
#define MASTER_DROP_H

/*
 * Raise the soft limit of descriptors to the hard one, so that the daemons can choose theirs; and what may be locked in
 * memory, if we may, to what postern-keys needs.
 */
void	drop_raise_limits(void);

/*
 * Capabilities, bounding set too, down to setuid, setgid, setpcap, sys_chroot, net_bind_service and kill;
 * no_new_privs, non-dumpable, and a filter that refuses the system calls no part of Postern has use for.  The filter is
 * inherited; each daemon puts its own, narrower one on top.  Fatal on failure.  As an ordinary user
 * there are no capabilities to drop; the rest is the same.
 */
void	drop_enter(void);

#endif
