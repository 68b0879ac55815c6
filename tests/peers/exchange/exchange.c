/*
 * An E1 exchange (or a PBX) made of Debian's libpri, as a program of its own: it opens one span through its DAHDI
 * files, takes commands as JSON lines on standard input and tells events as JSON lines on standard output.
 *
 *   exchange --dir DIR --first CHANNEL --side network|user [--debug]
 *
 * Commands ("do"):
 *   call    id to [from] [timeslot exclusive] and the options of a call
 *   answer  id                      hangup  id [cause]
 *   play    id file                 dtmf    id digits          record  id file
 *   rule    number action [cause] and the options of a call; number may end in *; the newest rule that fits counts
 *           action: answer, ring, proceed, refuse (cause), ignore
 *   deaf    on                      an exchange that stops: frames are neither read nor sent
 *   status                          quit
 * Options of a call: play FILE and digits once it is answered, record FILE from its start (in a rule a directory,
 * where ID.al is written), echo true, hold_ms to hang up so long after the answer (with cause).
 * Events: ready, link, offered, seized, proceeding, alerting, answered, sent, cleared, alarm, error, status.
 */
#include "line.h"
#include "span.h"

#include <errno.h>
#include <libpri.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define CALLS 64
#define RULES 64
#define TICK_MS 20
#define CALLED_PLAN PRI_UNKNOWN

struct options {
	char play[512], record[512], digits[64];
	int echo, hold_ms, cause;
};

struct call {
	bool used, answered, cleared_here, cleared_there;
	char id[32];
	q931_call *handle;
	int timeslot;          /* 0 while it has no bearer channel of ours */
	int cause;
	long long hang_up_at;  /* milliseconds, 0 for never */
	struct options options;
};

struct rule {
	char number[64], action[16];
	struct options options;
};

static struct pri *pri;
static struct bearer bearers[TIMESLOTS];
static struct call calls[CALLS];
static struct rule rules[RULES];
static int rule_count, offered_count;
static bool link_up, running = true;
static struct {
	unsigned placed, offered, answered, cleared;
} totals;

static long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* ---- calls ---- */

static struct call *call_by_handle(const q931_call *handle)
{
	for (int i = 0; i < CALLS; i++)
		if (calls[i].used && calls[i].handle == handle)
			return &calls[i];
	return NULL;
}

static struct call *call_by_id(const char *id)
{
	for (int i = 0; i < CALLS; i++)
		if (calls[i].used && !strcmp(calls[i].id, id))
			return &calls[i];
	return NULL;
}

static struct call *call_new(const char *id, q931_call *handle)
{
	for (int i = 0; i < CALLS; i++)
		if (!calls[i].used) {
			memset(&calls[i], 0, sizeof calls[i]);
			calls[i].used = true;
			calls[i].handle = handle;
			snprintf(calls[i].id, sizeof calls[i].id, "%s", id);
			return &calls[i];
		}
	return NULL;
}

static void take_bearer(struct call *call, int timeslot)
{
	if (call->timeslot || timeslot < 1 || timeslot >= TIMESLOTS || timeslot == D_TIMESLOT ||
	    bearers[timeslot].busy)
		return;
	call->timeslot = timeslot;
	bearer_start(&bearers[timeslot]);
	if (call->options.record[0] && !bearer_record(&bearers[timeslot], call->options.record))
		line_event("error", ",\"id\":\"%s\",\"text\":\"cannot write the recording\"", call->id);
	line_event("seized", ",\"id\":\"%s\",\"timeslot\":%d", call->id, timeslot);
}

static void call_answered(struct call *call)
{
	struct bearer *bearer = &bearers[call->timeslot];

	if (call->answered)
		return;
	call->answered = true;
	totals.answered++;
	line_event("answered", ",\"id\":\"%s\",\"timeslot\":%d", call->id, call->timeslot);
	if (call->options.hold_ms)
		call->hang_up_at = now_ms() + call->options.hold_ms;
	if (!call->timeslot)
		return;
	bearer->echo = call->options.echo;
	if (call->options.play[0] && !bearer_play(bearer, call->options.play))
		line_event("error", ",\"id\":\"%s\",\"text\":\"cannot read the sound\"", call->id);
	if (call->options.digits[0])
		bearer_dtmf(bearer, call->options.digits);
}

static void call_cleared(struct call *call)
{
	struct bearer *bearer = &bearers[call->timeslot];

	totals.cleared++;
	if (call->timeslot)
		bearer_stop(bearer);
	line_event("cleared",
		   ",\"id\":\"%s\",\"timeslot\":%d,\"cause\":%d,\"by\":\"%s\",\"answered\":%s,\"heard\":%llu,\"sent\":%llu",
		   call->id, call->timeslot, call->cause, call->cleared_there ? "peer" : "self",
		   call->answered ? "true" : "false", bearer->heard, bearer->sent);
	call->used = false;
}

static void hang_up(struct call *call, int cause)
{
	if (call->cleared_here)
		return;
	call->cleared_here = true;
	if (!call->cleared_there)
		call->cause = cause;
	release_complete_sent = false;
	pri_hangup(pri, call->handle, cause);
	if (release_complete_sent)
		call_cleared(call);
}

/* ---- what libpri tells ---- */

static bool number_fits(const char *pattern, const char *number)
{
	size_t n = strlen(pattern);

	if (n && pattern[n - 1] == '*')
		return !strncmp(pattern, number, n - 1);
	return !strcmp(pattern, number);
}

static const struct rule *rule_for(const char *number)
{
	for (int i = rule_count; i-- > 0;)
		if (number_fits(rules[i].number, number))
			return &rules[i];
	return NULL;
}

static void act(struct call *call, int channel, const char *action)
{
	if (!strcmp(action, "ignore"))
		return;
	/* libpri lets a SETUP that it refuses at once with some causes, 17 among them, go without an answer. */
	pri_proceeding(pri, call->handle, channel, 0);
	if (!strcmp(action, "refuse")) {
		hang_up(call, call->options.cause ? call->options.cause : PRI_CAUSE_CALL_REJECTED);
		return;
	}
	if (!strcmp(action, "proceed"))
		return;
	pri_acknowledge(pri, call->handle, channel, 0);
	if (!strcmp(action, "answer")) {
		pri_answer(pri, call->handle, channel, 0);
		call_answered(call);
	}
}

static void offered(const pri_event_ring *ring)
{
	const struct rule *rule = rule_for(ring->callednum);
	int timeslot = ring->channel & 0xff;
	char id[32];
	struct call *call;

	snprintf(id, sizeof id, "in%d", ++offered_count);
	call = call_new(id, ring->call);
	if (!call) {
		pri_hangup(pri, ring->call, PRI_CAUSE_SWITCH_CONGESTION);
		return;
	}
	totals.offered++;
	if (rule)
		call->options = rule->options;
	if (call->options.record[0])
		snprintf(call->options.record, sizeof call->options.record, "%.450s/%s.al", rule->options.record, id);
	line_event("offered", ",\"id\":\"%s\",\"timeslot\":%d,\"to\":\"%s\",\"from\":\"%s\"", id, timeslot,
		   ring->callednum, ring->callingnum);
	if (timeslot >= TIMESLOTS || bearers[timeslot].busy || timeslot == D_TIMESLOT) {
		hang_up(call, PRI_CAUSE_REQUESTED_CHAN_UNAVAIL);
		return;
	}
	take_bearer(call, timeslot);
	act(call, ring->channel, rule ? rule->action : "ring");
}

static void progressed(const char *event, const q931_call *handle, int channel)
{
	struct call *call = call_by_handle(handle);

	if (!call)
		return;
	take_bearer(call, channel & 0xff);
	line_event(event, ",\"id\":\"%s\"", call->id);
}

static void ended(int event, const pri_event_hangup *hangup)
{
	struct call *call = call_by_handle(hangup->call);

	if (call && !call->cleared_here && !call->cleared_there) {
		call->cleared_there = true;
		call->cause = hangup->cause;
	}
	/* libpri wants its answer to each of these but the last; after HANGUP its call is gone. */
	if (event != PRI_EVENT_HANGUP_ACK)
		pri_hangup(pri, hangup->call, hangup->cause);
	if (call)
		call->cleared_here = true;
	if (call && event != PRI_EVENT_HANGUP_REQ)
		call_cleared(call);
}

static void handle(const pri_event *e)
{
	struct call *call;

	switch (e->e) {
	case PRI_EVENT_DCHAN_UP:
	case PRI_EVENT_DCHAN_DOWN:
		if (link_up == (e->e == PRI_EVENT_DCHAN_UP))
			return;
		link_up = !link_up;
		line_event("link", ",\"up\":%s", link_up ? "true" : "false");
		return;
	case PRI_EVENT_RING:
		offered(&e->ring);
		return;
	case PRI_EVENT_PROCEEDING:
		progressed("proceeding", e->proceeding.call, e->proceeding.channel);
		return;
	case PRI_EVENT_PROGRESS:
		progressed("progress", e->proceeding.call, e->proceeding.channel);
		return;
	case PRI_EVENT_SETUP_ACK:
		progressed("setup_ack", e->setup_ack.call, e->setup_ack.channel);
		return;
	case PRI_EVENT_RINGING:
		progressed("alerting", e->ringing.call, e->ringing.channel);
		return;
	case PRI_EVENT_ANSWER:
		call = call_by_handle(e->answer.call);
		if (call) {
			take_bearer(call, e->answer.channel & 0xff);
			call_answered(call);
		}
		return;
	case PRI_EVENT_HANGUP_REQ:
	case PRI_EVENT_HANGUP:
	case PRI_EVENT_HANGUP_ACK:
		ended(e->e, &e->hangup);
		return;
	default:
		return;
	}
}

/* ---- commands ---- */

static void options_from(const char *line, struct options *options)
{
	line_text(line, "play", options->play, sizeof options->play);
	line_text(line, "record", options->record, sizeof options->record);
	line_text(line, "digits", options->digits, sizeof options->digits);
	options->echo = line_number(line, "echo", 0);
	options->hold_ms = line_number(line, "hold_ms", 0);
	options->cause = line_number(line, "cause", 0);
}

static int free_timeslot(void)
{
	for (int i = 1; i < TIMESLOTS; i++)
		if (i != D_TIMESLOT && !bearers[i].busy)
			return i;
	return 0;
}

static void command_call(const char *line, const char *id)
{
	char to[64], from[64];
	int timeslot = line_number(line, "timeslot", 0);
	q931_call *handle;
	struct pri_sr *setup;
	struct call *call;

	if (!timeslot)
		timeslot = free_timeslot();
	line_text(line, "to", to, sizeof to);
	line_text(line, "from", from, sizeof from);
	handle = timeslot && !call_by_id(id) ? pri_new_call(pri) : NULL;
	call = handle ? call_new(id, handle) : NULL;
	if (!call) {
		line_event("error", ",\"id\":\"%s\",\"text\":\"no room for this call\"", id);
		return;
	}
	totals.placed++;
	options_from(line, &call->options);
	setup = pri_sr_new();
	pri_sr_set_channel(setup, timeslot, line_number(line, "exclusive", 1), 0);
	pri_sr_set_bearer(setup, PRI_TRANS_CAP_SPEECH, PRI_LAYER_1_ALAW);
	pri_sr_set_called(setup, to, CALLED_PLAN, 1);
	if (from[0])
		pri_sr_set_caller(setup, from, NULL, CALLED_PLAN, PRES_ALLOWED_NETWORK_NUMBER);
	take_bearer(call, timeslot);
	if (pri_setup(pri, handle, setup))
		line_event("error", ",\"id\":\"%s\",\"text\":\"libpri refuses the call\"", id);
	pri_sr_free(setup);
}

static void command_rule(const char *line)
{
	struct rule *rule = &rules[rule_count];

	if (rule_count == RULES) {
		line_event("error", ",\"text\":\"too many rules\"");
		return;
	}
	memset(rule, 0, sizeof *rule);
	line_text(line, "number", rule->number, sizeof rule->number);
	line_text(line, "action", rule->action, sizeof rule->action);
	options_from(line, &rule->options);
	rule_count++;
}

static void command_status(void)
{
	int open = 0, busy = 0;

	for (int i = 0; i < CALLS; i++)
		open += calls[i].used;
	for (int i = 1; i < TIMESLOTS; i++)
		busy += bearers[i].busy;
	line_event("status",
		   ",\"link\":%s,\"calls\":%d,\"busy\":%d,\"placed\":%u,\"offered\":%u,\"answered\":%u,\"cleared\":%u",
		   link_up ? "true" : "false", open, busy, totals.placed, totals.offered, totals.answered,
		   totals.cleared);
}

static void command_on_call(const char *line, const char *verb, struct call *call)
{
	struct bearer *bearer = &bearers[call->timeslot];
	char text[512] = "";
	bool good = true;

	if (!strcmp(verb, "hangup")) {
		hang_up(call, line_number(line, "cause", PRI_CAUSE_NORMAL_CLEARING));
	} else if (!strcmp(verb, "answer")) {
		pri_answer(pri, call->handle, call->timeslot, 0);
		call_answered(call);
	} else if (!strcmp(verb, "play")) {
		good = line_text(line, "file", text, sizeof text) && call->timeslot && bearer_play(bearer, text);
	} else if (!strcmp(verb, "record")) {
		good = line_text(line, "file", text, sizeof text) && call->timeslot && bearer_record(bearer, text);
	} else if (!strcmp(verb, "dtmf")) {
		good = line_text(line, "digits", text, sizeof text) && call->timeslot && bearer_dtmf(bearer, text);
	} else {
		good = false;
	}
	if (!good)
		line_event("error", ",\"id\":\"%s\",\"text\":\"cannot %s\"", call->id, verb);
}

static void command(const char *line)
{
	char verb[16], id[32];
	struct call *call;

	line_text(line, "do", verb, sizeof verb);
	line_text(line, "id", id, sizeof id);
	call = call_by_id(id);
	if (!strcmp(verb, "quit"))
		running = false;
	else if (!strcmp(verb, "call"))
		command_call(line, id);
	else if (!strcmp(verb, "rule"))
		command_rule(line);
	else if (!strcmp(verb, "status"))
		command_status();
	else if (!strcmp(verb, "deaf"))
		deaf = line_number(line, "on", 1);
	else if (call)
		command_on_call(line, verb, call);
	else if (id[0])
		line_event("error", ",\"id\":\"%s\",\"text\":\"no such call\"", id);
	else if (verb[0])
		line_event("error", ",\"text\":\"unknown command %s\"", verb);
}

/* Standard input by lines; false at its end. */
static bool read_commands(void)
{
	static char buffer[8192];
	static size_t used;
	ssize_t got = read(STDIN_FILENO, buffer + used, sizeof buffer - 1 - used);
	char *start = buffer, *end;

	if (got <= 0)
		return false;
	used += (size_t)got;
	buffer[used] = 0;
	while ((end = strchr(start, '\n')) != NULL) {
		*end = 0;
		command(start);
		start = end + 1;
	}
	used = strlen(start);
	memmove(buffer, start, used);
	if (used == sizeof buffer - 1)
		used = 0;
	return true;
}

/* ---- the loop ---- */

static void clip_done(void *context, const char *what)
{
	const struct call *call = context;

	if (strcmp(what, "echo"))
		line_event("sent", ",\"id\":\"%s\",\"what\":\"%s\"", call->id, what);
}

/* Sound and hang-up times of every call; true while there is a call. */
static bool tick(void)
{
	bool any = false;

	for (int i = 0; i < CALLS; i++) {
		struct call *call = &calls[i];
		struct bearer *bearer = &bearers[call->timeslot];

		if (!call->used)
			continue;
		any = true;
		if (call->timeslot)
			bearer_service(bearer, clip_done, call);
		if (bearer->event) {
			line_event("alarm", ",\"timeslot\":%d,\"code\":%d", call->timeslot, bearer->event);
			bearer->event = 0;
		}
		if (call->hang_up_at && call->hang_up_at <= now_ms())
			hang_up(call, call->options.cause ? call->options.cause : PRI_CAUSE_NORMAL_CLEARING);
	}
	return any;
}

/* Milliseconds until libpri has a timer to run, at most a second. */
static int timer_wait(void)
{
	const struct timeval *next = pri_schedule_next(pri);
	struct timeval now;
	long long wait;

	if (!next)
		return 1000;
	gettimeofday(&now, NULL);
	wait = (next->tv_sec - now.tv_sec) * 1000LL + (next->tv_usec - now.tv_usec) / 1000 + 1;
	return wait < 0 ? 0 : wait > 1000 ? 1000 : (int)wait;
}

static void run(void)
{
	struct pollfd polled[] = { { d_channel, POLLIN | POLLPRI, 0 }, { STDIN_FILENO, POLLIN, 0 } };
	long long next_tick = now_ms();
	const pri_event *e;

	while (running) {
		int wait = timer_wait();

		if (now_ms() >= next_tick)
			next_tick = tick() ? now_ms() + TICK_MS : 0;
		if (next_tick && next_tick - now_ms() < wait)
			wait = next_tick > now_ms() ? (int)(next_tick - now_ms()) : 0;
		if (poll(polled, 2, wait) < 0 && errno != EINTR)
			return;
		if (polled[0].revents & POLLPRI)
			d_channel_event();
		if ((polled[0].revents & POLLIN) && (e = pri_check_event(pri)) != NULL)
			handle(e);
		while ((e = pri_schedule_run(pri)) != NULL)
			handle(e);
		if ((polled[1].revents & (POLLIN | POLLHUP)) && !read_commands())
			return;
	}
}

static void message(struct pri *p, char *text)
{
	(void)p;
	fputs(text, stderr);
}

int main(int argc, char **argv)
{
	const char *dir = "/dev/dahdi", *side = "network";
	int first = 1, debug = 0;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--debug"))
			debug = PRI_DEBUG_Q921_DUMP | PRI_DEBUG_Q931_DUMP;
		else if (!strcmp(argv[i], "--dir") && i + 1 < argc)
			dir = argv[++i];
		else if (!strcmp(argv[i], "--side") && i + 1 < argc)
			side = argv[++i];
		else if (!strcmp(argv[i], "--first") && i + 1 < argc)
			first = atoi(argv[++i]);
		else {
			fprintf(stderr, "exchange: unknown argument %s\n", argv[i]);
			return 2;
		}
	}
	if (!span_open(dir, first, bearers))
		return 1;
	pri_set_message(message);
	pri_set_error(message);
	pri = pri_new_cb(d_channel, strcmp(side, "user") ? PRI_NETWORK : PRI_CPE, PRI_SWITCH_EUROISDN_E1, frame_read,
			 frame_write, NULL);
	if (!pri) {
		fprintf(stderr, "exchange: libpri gives no controller\n");
		return 1;
	}
	pri_set_debug(pri, debug);
	pri_hangup_fix_enable(pri, 1);
	line_event("ready", ",\"side\":\"%s\",\"first\":%d", side, first);
	run();
	line_event("ended", ",\"cleared\":%u", totals.cleared);
	return 0;
}
