/* One E1 span through its DAHDI files: the D-channel as libpri wants it, and the bearer channels. */
#ifndef SPAN_H
#define SPAN_H

#include "bearer.h"

#include <libpri.h>

#define TIMESLOTS 32
#define D_TIMESLOT 16

/* The D-channel's descriptor. */
extern int d_channel;
/* While true, frames are neither read nor sent. */
extern bool deaf;
/* Set when a RELEASE COMPLETE is written: libpri tells no event after its own. */
extern bool release_complete_sent;

/* Opens the span whose first DAHDI channel is `first`; says on standard error what is wrong when it cannot. */
bool span_open(const char *dir, int first, struct bearer *bearers);
/* Reads and tells the pending events of the D-channel. */
void d_channel_event(void);
/* libpri's callbacks. */
int frame_read(struct pri *p, void *buffer, int length);
int frame_write(struct pri *p, void *buffer, int length);

#endif
