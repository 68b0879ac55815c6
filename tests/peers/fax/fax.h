#ifndef FAX_H
#define FAX_H

#include <inttypes.h>
#include <stddef.h>
#include <spandsp.h>

/* Makes a page as a fax machine's scanner would; 0 when it was written. */
int make_page(const char *file, int rows);
/* Writes the first page's rows to stdout; 0 when there is one. */
int write_pixels(const char *file);

#endif
