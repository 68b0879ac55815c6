#include "line.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *value_of(const char *line, const char *key)
{
	char quoted[64];
	const char *at = line;

	snprintf(quoted, sizeof quoted, "\"%s\"", key);
	while ((at = strstr(at, quoted)) != NULL) {
		at += strlen(quoted);
		at += strspn(at, " \t");
		if (*at != ':')
			continue;
		at++;
		return at + strspn(at, " \t");
	}
	return NULL;
}

bool line_text(const char *line, const char *key, char *out, size_t size)
{
	const char *at = value_of(line, key);
	size_t n = 0;

	out[0] = 0;
	if (!at || *at != '"')
		return false;
	for (at++; *at && *at != '"' && n + 1 < size; at++) {
		if (*at == '\\' && at[1])
			at++;
		out[n++] = *at;
	}
	out[n] = 0;
	return *at == '"';
}

int line_number(const char *line, const char *key, int otherwise)
{
	const char *at = value_of(line, key);
	char *end;
	long value;

	if (!at)
		return otherwise;
	if (!strncmp(at, "true", 4))
		return 1;
	value = strtol(at, &end, 10);
	return end == at ? 0 : (int)value;
}

void line_event(const char *event, const char *format, ...)
{
	va_list arguments;

	printf("{\"event\":\"%s\"", event);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	puts("}");
	fflush(stdout);
}
