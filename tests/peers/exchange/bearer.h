/* The bearer channels of one span as DAHDI files: octet-exact play and record. */
#ifndef BEARER_H
#define BEARER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* 20 ms of A-law at 8 kHz: one block of the driver. */
#define BLOCK 160
/* 640 ms queued each way, so that a busy host does not show up as a gap in the sound. */
#define BLOCKS 32
/* A-law idle: the code of zero with even bits inverted (G.711, table 1a). */
#define SILENCE 0xd5

struct clip {
	struct clip *next;
	char what[16];
	size_t length, at;
	uint8_t octets[];
};

struct bearer {
	int fd;
	int event;             /* last DAHDI event, 0 when none */
	bool busy, echo;
	struct clip *queue;
	FILE *record;
	unsigned long long heard, sent;
};

/* Opens DIR/channel and binds it to a DAHDI channel number; -1 with errno on failure. */
int channel_open(const char *dir, int number, int blocks, int block_size);
/* Drains the pending events of a channel and returns the last one, 0 when there was none. */
int channel_event(int fd);

bool bearer_open(struct bearer *b, const char *dir, int number);
/* Takes the channel for a call: what was buffered before belongs to nobody. */
void bearer_start(struct bearer *b);
void bearer_stop(struct bearer *b);
bool bearer_record(struct bearer *b, const char *file);
/* Queue a file of raw A-law, or digits as DTMF, behind what is already queued. */
bool bearer_play(struct bearer *b, const char *file);
bool bearer_dtmf(struct bearer *b, const char *digits);
/* One tick: reads and writes until the driver has enough. Calls `done` for each clip that was written to its end. */
void bearer_service(struct bearer *b, void (*done)(void *, const char *), void *context);

#endif
