#include "span.h"

#include "line.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EVENT_PENDING 500 /* ELAST of dahdi/user.h */

int d_channel = -1;
bool deaf;
bool release_complete_sent;

/* An information frame of Q.921 with a RELEASE COMPLETE of Q.931: the last message of a call. */
static bool is_release_complete(const unsigned char *frame, int length)
{
	return length > 8 && !(frame[2] & 1) && frame[4] == 0x08 && frame[5] == 2 && frame[8] == 0x5a;
}

void d_channel_event(void)
{
	line_event("alarm", ",\"timeslot\":%d,\"code\":%d", D_TIMESLOT, channel_event(d_channel));
}

/* libpri wants the frame with its two octets of FCS, which is what the driver gives; 0 is "nothing". */
int frame_read(struct pri *p, void *buffer, int length)
{
	ssize_t got;

	(void)p;
	got = read(d_channel, buffer, (size_t)length);
	if (got < 0 && errno == EVENT_PENDING)
		d_channel_event();
	if (got < 5 || deaf) /* libpri does not check that address and control are there */
		return 0;
	return (int)got;
}

int frame_write(struct pri *p, void *buffer, int length)
{
	ssize_t put = length;

	(void)p;
	release_complete_sent |= is_release_complete(buffer, length);
	if (!deaf)
		put = write(d_channel, buffer, (size_t)length);
	if (put < 0 && errno == EVENT_PENDING) {
		d_channel_event();
		put = write(d_channel, buffer, (size_t)length);
	}
	if (put < 0)
		line_event("error", ",\"text\":\"frame not sent: errno %d\"", errno);
	return length;
}

bool span_open(const char *dir, int first, struct bearer *bearers)
{
	d_channel = channel_open(dir, first + D_TIMESLOT - 1, 32, 1024);
	if (d_channel < 0) {
		fprintf(stderr, "exchange: D-channel %d under %s: %s\n", first + D_TIMESLOT - 1, dir, strerror(errno));
		return false;
	}
	for (int i = 1; i < TIMESLOTS; i++)
		if (i != D_TIMESLOT && !bearer_open(&bearers[i], dir, first + i - 1)) {
			fprintf(stderr, "exchange: channel %d under %s: %s\n", first + i - 1, dir, strerror(errno));
			return false;
		}
	return true;
}
