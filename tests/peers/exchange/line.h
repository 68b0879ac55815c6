/* One flat JSON object a line: the little that commands and events need. */
#ifndef LINE_H
#define LINE_H

#include <stdbool.h>
#include <stddef.h>

/* The value of a key of a flat object as text (strings without escapes other than \" and \\); false where it is missing. */
bool line_text(const char *line, const char *key, char *out, size_t size);
/* The value of a key as a number, `otherwise` where it is missing. */
int line_number(const char *line, const char *key, int otherwise);
/* Writes one event line: `format` makes the members after "event". */
void line_event(const char *event, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
