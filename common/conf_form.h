/* conf_form.h -- what conf_pack.c and conf_unpack.c must agree about. */
#ifndef COMMON_CONF_FORM_H
#define COMMON_CONF_FORM_H

#define CONF_MAGIC	0x464e4350u	/* "PCNF" */
#define CONF_VERSION	4u		/* of this form; master and daemons are of one build */

#endif
