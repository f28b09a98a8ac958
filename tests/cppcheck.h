/*
 * cppcheck.h -- what cppcheck is told instead of uthash.h, utlist.h and sys/queue.h, whose loops it cannot follow.
 */
#define HASH_ITER(hh, head, el, tmp)		for ((el) = (head); (el) != NULL; (el) = (el)->hh.next)
#define DL_FOREACH(head, el)			for ((el) = (head); (el) != NULL; (el) = (el)->next)
#define DL_FOREACH_SAFE(head, el, tmp)		for ((el) = (head); (el) != NULL; (el) = (el)->next)
#define TAILQ_FOREACH(el, head, field)		for ((el) = (head)->tqh_first; (el) != NULL; (el) = (el)->field.tqe_next)
