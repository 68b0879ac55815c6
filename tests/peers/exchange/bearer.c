#include "bearer.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Request numbers and values of dahdi/user.h. */
struct buffer_info {
	int tx_policy, rx_policy, count, size, read, written;
};
#define FLUSH _IOW(0xda, 3, int)
#define GET_EVENT _IOR(0xda, 8, int)
#define SET_BUFFERS _IOW(0xda, 27, struct buffer_info)
#define AUDIO_MODE _IOW(0xda, 32, int)
#define SPECIFY _IOW(0xda, 38, int)
#define SET_LAW _IOW(0xda, 39, int)
#define FLUSH_ALL 7
#define LAW_ALAW 2
/* ELAST: read or write meets a pending event. */
#define EVENT_PENDING 500

int channel_open(const char *dir, int number, int blocks, int block_size)
{
	struct buffer_info buffers = { .count = blocks, .size = block_size };
	char path[4096];
	int fd;

	snprintf(path, sizeof path, "%s/channel", dir);
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (ioctl(fd, SPECIFY, &number) || ioctl(fd, SET_BUFFERS, &buffers)) {
		int saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

int channel_event(int fd)
{
	int event = 0, last = 0;

	while (ioctl(fd, GET_EVENT, &event) == 0 && event)
		last = event;
	return last;
}

bool bearer_open(struct bearer *b, const char *dir, int number)
{
	int on = 1, law = LAW_ALAW;

	memset(b, 0, sizeof *b);
	b->fd = channel_open(dir, number, BLOCKS, BLOCK);
	return b->fd >= 0 && !ioctl(b->fd, AUDIO_MODE, &on) && !ioctl(b->fd, SET_LAW, &law);
}

void bearer_start(struct bearer *b)
{
	int all = FLUSH_ALL;

	ioctl(b->fd, FLUSH, &all);
	b->busy = true;
	b->echo = false;
	b->heard = b->sent = 0;
}

void bearer_stop(struct bearer *b)
{
	int all = FLUSH_ALL;

	while (b->queue) {
		struct clip *clip = b->queue;
		b->queue = clip->next;
		free(clip);
	}
	if (b->record)
		fclose(b->record);
	b->record = NULL;
	b->busy = false;
	ioctl(b->fd, FLUSH, &all);
}

bool bearer_record(struct bearer *b, const char *file)
{
	if (b->record)
		fclose(b->record);
	b->record = fopen(file, "wb");
	return b->record != NULL;
}

static struct clip *clip_new(const char *what, size_t length)
{
	struct clip *clip = calloc(1, sizeof *clip + length);

	if (clip) {
		snprintf(clip->what, sizeof clip->what, "%s", what);
		clip->length = length;
	}
	return clip;
}

static void enqueue(struct bearer *b, struct clip *clip)
{
	struct clip **end = &b->queue;

	while (*end)
		end = &(*end)->next;
	*end = clip;
}

bool bearer_play(struct bearer *b, const char *file)
{
	FILE *in = fopen(file, "rb");
	struct clip *clip = NULL;
	long length;

	if (!in)
		return false;
	if (fseek(in, 0, SEEK_END) == 0 && (length = ftell(in)) >= 0 && fseek(in, 0, SEEK_SET) == 0) {
		clip = clip_new("file", (size_t)length);
		if (clip && fread(clip->octets, 1, (size_t)length, in) != (size_t)length) {
			free(clip);
			clip = NULL;
		}
	}
	fclose(in);
	if (clip)
		enqueue(b, clip);
	return clip != NULL;
}

/* G.711 A-law compression of a 16-bit sample. */
static uint8_t alaw(int sample)
{
	int sign = sample >= 0 ? 0x80 : 0, magnitude = (sample >= 0 ? sample : -sample - 1) >> 4;
	int exponent = 0;

	if (magnitude > 0x7ff)
		magnitude = 0x7ff;
	while (magnitude >> (exponent + 5))
		exponent++;
	if (exponent)
		magnitude = ((exponent + 1) << 4) | ((magnitude >> exponent) & 15);
	return (uint8_t)((sign | magnitude) ^ 0x55);
}

/* Q.23 frequency pairs; 80 ms on, 80 ms off, each tone about -7 dBm0. */
static void tone_pair(uint8_t *out, char digit)
{
	static const char keys[] = "123A456B789C*0#D";
	static const double low[] = { 697, 770, 852, 941 }, high[] = { 1209, 1336, 1477, 1633 };
	const char *key = strchr(keys, digit);
	const double turn = 2 * 3.14159265358979323846 / 8000;

	memset(out, SILENCE, 8 * BLOCK);
	if (!digit || !key)
		return;
	for (int i = 0; i < 4 * BLOCK; i++)
		out[i] = alaw((int)(7000 * sin(turn * low[(key - keys) / 4] * i) +
				    7000 * sin(turn * high[(key - keys) % 4] * i)));
}

bool bearer_dtmf(struct bearer *b, const char *digits)
{
	struct clip *clip = clip_new("dtmf", strlen(digits) * 8 * BLOCK);

	if (!clip)
		return false;
	for (size_t i = 0; digits[i]; i++)
		tone_pair(clip->octets + i * 8 * BLOCK, digits[i]);
	enqueue(b, clip);
	return true;
}

/* The next block to send, without taking it: a full driver must not cost sound. */
static void peek_block(const struct bearer *b, uint8_t *out)
{
	size_t filled = 0;

	for (const struct clip *clip = b->queue; clip && filled < BLOCK; clip = clip->next) {
		size_t part = clip->length - clip->at;

		if (part > BLOCK - filled)
			part = BLOCK - filled;
		memcpy(out + filled, clip->octets + clip->at, part);
		filled += part;
	}
	memset(out + filled, SILENCE, BLOCK - filled);
}

static void take_block(struct bearer *b, void (*done)(void *, const char *), void *context)
{
	size_t left = BLOCK;

	while (b->queue && left) {
		struct clip *clip = b->queue;
		size_t part = clip->length - clip->at;

		if (part > left)
			part = left;
		clip->at += part;
		left -= part;
		if (clip->at < clip->length)
			break;
		b->queue = clip->next;
		done(context, clip->what);
		free(clip);
	}
}

static void echo_back(struct bearer *b, const uint8_t *octets, size_t count)
{
	struct clip *clip = clip_new("echo", count);

	if (clip) {
		memcpy(clip->octets, octets, count);
		enqueue(b, clip);
	}
}

static void receive(struct bearer *b)
{
	uint8_t block[BLOCK];
	ssize_t got;

	for (int i = 0; i < BLOCKS + 2; i++) {
		got = read(b->fd, block, sizeof block);
		if (got < 0 && errno == EVENT_PENDING) {
			b->event = channel_event(b->fd);
			continue;
		}
		if (got <= 0)
			return;
		b->heard += (unsigned long long)got;
		if (b->record)
			fwrite(block, 1, (size_t)got, b->record);
		if (b->echo)
			echo_back(b, block, (size_t)got);
	}
}

void bearer_service(struct bearer *b, void (*done)(void *, const char *), void *context)
{
	uint8_t block[BLOCK];
	ssize_t put;

	receive(b);
	for (int i = 0; i < BLOCKS + 2; i++) {
		peek_block(b, block);
		put = write(b->fd, block, sizeof block);
		if (put < 0 && errno == EVENT_PENDING) {
			b->event = channel_event(b->fd);
			continue;
		}
		if (put <= 0)
			return;
		b->sent += (unsigned long long)put;
		take_block(b, done, context);
	}
}
