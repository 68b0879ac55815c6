/*
 * Fax machines and their tones by spandsp, for tests: a process of its own.
 *
 * fax tone KIND SECONDS              samples (16 bit) of cng, ced, ans-pr, ansam or ansam-pr, or of preamble, on stdout
 * fax judge KIND                     reads samples on stdin; prints "MILLISECONDS NAME" for each tone that it hears
 * fax page FILE ROWS                 makes a page of 1728 x ROWS, of rules, dither and letters' worth of detail
 * fax pixels FILE                    writes the rows of the first page, packed, to stdout
 * fax send|receive FILE MODEM ECM    a fax machine: MODEM is v17, v29 or v27ter, ECM is ecm or plain. It reads a block of
 *                                    160 octets of A-law and writes one, until stdin ends or a second after the call is
 *                                    over; then it says on stderr how it went.
 */
#include "fax.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 160

static int one_more_flag_bit(void *user_data)
{
	return hdlc_tx_get_bit(user_data);
}

static int make_tone(const char *kind, int seconds)
{
	static const struct {
		const char *name;
		int tone;
	} kinds[] = {
		{ "cng", MODEM_CONNECT_TONES_FAX_CNG },	  { "ced", MODEM_CONNECT_TONES_ANS },
		{ "ans-pr", MODEM_CONNECT_TONES_ANS_PR }, { "ansam", MODEM_CONNECT_TONES_ANSAM },
		{ "ansam-pr", MODEM_CONNECT_TONES_ANSAM_PR },
	};
	modem_connect_tones_tx_state_t *tone = NULL;
	fsk_tx_state_t *fsk = NULL;
	int16_t block[BLOCK];

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (!strcmp(kind, kinds[i].name))
			tone = modem_connect_tones_tx_init(NULL, kinds[i].tone);
	if (!tone) {
		hdlc_tx_state_t *hdlc = hdlc_tx_init(NULL, 0, 2, 0, NULL, NULL);
		hdlc_tx_flags(hdlc, 10000);
		fsk = fsk_tx_init(NULL, &preset_fsk_specs[FSK_V21CH2], one_more_flag_bit, hdlc);
	}
	for (int i = 0; i < seconds * 50; i++) {
		memset(block, 0, sizeof block);
		if (tone)
			modem_connect_tones_tx(tone, block, BLOCK);
		else
			fsk_tx(fsk, block, BLOCK);
		fwrite(block, sizeof *block, BLOCK, stdout);
	}
	return 0;
}

static long heard_samples;

static void heard(void *user_data, int code, int level, int delay)
{
	(void)user_data, (void)level, (void)delay;
	if (code != MODEM_CONNECT_TONES_NONE)
		printf("%ld %s\n", heard_samples / 8, modem_connect_tone_to_str(code));
}

static int judge(const char *kind)
{
	int type = !strcmp(kind, "cng")	       ? MODEM_CONNECT_TONES_FAX_CNG
		   : !strcmp(kind, "preamble") ? MODEM_CONNECT_TONES_FAX_PREAMBLE
					       : MODEM_CONNECT_TONES_ANS_PR;
	modem_connect_tones_rx_state_t *rx = modem_connect_tones_rx_init(NULL, type, heard, NULL);
	int16_t block[BLOCK];

	while (fread(block, sizeof *block, BLOCK, stdin) == BLOCK) {
		heard_samples += BLOCK;
		modem_connect_tones_rx(rx, block, BLOCK);
	}
	return 0;
}

/* How a fax machine's call went. */
static struct {
	int over, code, pages, rate, bad_rows, ecm;
} went;

static void phase_e(t30_state_t *t30, void *user_data, int code)
{
	t30_stats_t stats;

	(void)user_data;
	t30_get_transfer_statistics(t30, &stats);
	went.over = 1;
	went.code = code;
	went.pages = stats.pages_rx + stats.pages_tx;
	went.rate = stats.bit_rate;
	went.bad_rows = stats.bad_rows;
	went.ecm = stats.error_correcting_mode;
}

static int machine(int calling, const char *file, const char *modem, const char *mode)
{
	int modems = !strcmp(modem, "v17") ? T30_SUPPORT_V17 | T30_SUPPORT_V29 | T30_SUPPORT_V27TER
		     : !strcmp(modem, "v29") ? T30_SUPPORT_V29 | T30_SUPPORT_V27TER
					     : T30_SUPPORT_V27TER;
	fax_state_t *fax = fax_init(NULL, calling);
	t30_state_t *t30 = fax_get_t30_state(fax);
	uint8_t octets[BLOCK];
	int16_t block[BLOCK];

	t30_set_ecm_capability(t30, !strcmp(mode, "ecm"));
	t30_set_supported_compressions(t30, T30_SUPPORT_T4_1D_COMPRESSION | T30_SUPPORT_T6_COMPRESSION);
	t30_set_supported_modems(t30, modems);
	t30_set_phase_e_handler(t30, phase_e, NULL);
	if (calling)
		t30_set_tx_file(t30, file, -1, -1);
	else
		t30_set_rx_file(t30, file, -1);
	fax_set_transmit_on_idle(fax, 1);
	for (int after = 0; after < 50 && fread(octets, 1, BLOCK, stdin) == BLOCK; after += went.over) {
		for (int i = 0; i < BLOCK; i++)
			block[i] = alaw_to_linear(octets[i]);
		fax_rx(fax, block, BLOCK);
		int made = fax_tx(fax, block, BLOCK);
		for (int i = 0; i < BLOCK; i++)
			octets[i] = linear_to_alaw(i < made ? block[i] : 0);
		fwrite(octets, 1, BLOCK, stdout);
		fflush(stdout);
	}
	fax_release(fax); /* closes the page */
	fprintf(stderr, "{\"over\":%d,\"code\":%d,\"pages\":%d,\"rate\":%d,\"bad_rows\":%d,\"ecm\":%d}\n", went.over,
		went.code, went.pages, went.rate, went.bad_rows, went.ecm);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";

	if (!strcmp(what, "tone") && argc == 4)
		return make_tone(argv[2], atoi(argv[3]));
	if (!strcmp(what, "judge"))
		return judge(argv[2]);
	if (!strcmp(what, "page") && argc == 4)
		return make_page(argv[2], atoi(argv[3]));
	if (!strcmp(what, "pixels"))
		return write_pixels(argv[2]);
	if ((!strcmp(what, "send") || !strcmp(what, "receive")) && argc == 5)
		return machine(*what == 's', argv[2], argv[3], argv[4]);
	fputs("see the head of fax.c\n", stderr);
	return 2;
}
