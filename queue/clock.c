/*
 * clock.c -- time that jumps do not upset.  Core; see clock.h.
 */
#include "queue/clock.h"

static void
step_add(struct clock *c, int64_t seconds, int64_t down, uint64_t before)
{
	unsigned i;

	if (c->nstep == CLOCK_STEPS) {
		/* The older applies to fewer messages; for the others the sum errs to a longer life. */
		if (c->step[0].seconds > 0) {
			c->step[1].seconds += c->step[0].seconds;
			c->step[1].down += c->step[0].down;
		}
		for (i = 1; i < CLOCK_STEPS; i++)
			c->step[i - 1] = c->step[i];
		c->nstep--;
	}
	c->step[c->nstep].seconds = seconds;
	c->step[c->nstep].down = down;
	c->step[c->nstep].before = before;
	c->nstep++;
}

void
clock_start(struct clock *c, int64_t wall, uint64_t mono_ms, int64_t high, uint64_t next_msgid)
{
	c->wall = wall;
	c->mono_ms = mono_ms;
	c->ahead = 0;
	if (high == 0)
		return;
	if (high > wall) {
		c->ahead = high - wall;
		if (c->ahead > CLOCK_STEP_S)
			step_add(c, -c->ahead, 0, next_msgid);
	} else if (wall - high > CLOCK_DOWN_S) {
		step_add(c, wall - high, wall - high, next_msgid);
	}
}

int
clock_tick(struct clock *c, int64_t wall, uint64_t mono_ms, uint64_t next_msgid)
{
	int64_t passed = (int64_t)((mono_ms - c->mono_ms) / 1000);
	int64_t step = wall - (c->wall + passed);
	int found = 0;

	if (step > CLOCK_STEP_S || step < -CLOCK_STEP_S) {
		step_add(c, step, 0, next_msgid);
		found = 1;
	}
	/* Small differences are the clock being slewed, or our own rounding. */
	if (step < 0)
		c->ahead += -step;
	else
		c->ahead = c->ahead > step ? c->ahead - step : 0;
	c->wall = wall;
	c->mono_ms = mono_ms - (mono_ms - c->mono_ms) % 1000;
	return (found);
}

int64_t
clock_due(const struct clock *c)
{
	return (c->wall + c->ahead);
}

int64_t
clock_wall(const struct clock *c)
{
	return (c->wall);
}

int64_t
clock_high(const struct clock *c)
{
	return (clock_due(c));
}

int64_t
clock_age(const struct clock *c, uint64_t msgid, int64_t arrival)
{
	int64_t age = c->wall - arrival;
	unsigned i;

	for (i = 0; i < c->nstep; i++)
		if (msgid < c->step[i].before)
			age -= c->step[i].seconds;
	return (age > 0 ? age : 0);
}

int64_t
clock_passed(const struct clock *c, uint64_t msgid, int64_t arrival)
{
	int64_t passed = c->wall - arrival;
	unsigned i;

	for (i = 0; i < c->nstep; i++)
		if (msgid < c->step[i].before)
			passed -= c->step[i].seconds - c->step[i].down;
	return (passed > 0 ? passed : 0);
}

int64_t
clock_show(const struct clock *c, int64_t due)
{
	return (due == 0 ? 0 : due - c->ahead);
}
