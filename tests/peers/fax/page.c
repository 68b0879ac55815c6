/* Pages as TIFF files. */
#include "fax.h"

#include <stdio.h>
#include <string.h>
#include <tiffio.h>

/* Pixels of a row at 8 to the millimetre (T.4, 2.2). */
#define WIDTH 1728

int make_page(const char *file, int rows)
{
	TIFF *tiff = TIFFOpen(file, "w");
	unsigned char row[WIDTH / 8];
	uint32_t seed = 1;

	if (!tiff)
		return 1;
	TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, WIDTH);
	TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, rows);
	TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, 1);
	TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, 1);
	TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, rows);
	TIFFSetField(tiff, TIFFTAG_COMPRESSION, COMPRESSION_CCITT_T6);
	TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISWHITE);
	TIFFSetField(tiff, TIFFTAG_FILLORDER, FILLORDER_LSB2MSB);
	TIFFSetField(tiff, TIFFTAG_RESOLUTIONUNIT, RESUNIT_CENTIMETER);
	TIFFSetField(tiff, TIFFTAG_XRESOLUTION, 80.31);
	TIFFSetField(tiff, TIFFTAG_YRESOLUTION, 38.5);
	for (int y = 0; y < rows; y++) {
		memset(row, 0, sizeof row);
		for (size_t x = 0; x < sizeof row; x++) {
			seed = seed * 1664525 + 1013904223;
			if (y % 24 == 0)
				row[x] = 0xff; /* a rule */
			else if (y % 24 > 8 && x % 3 == 0 && x < sizeof row - 8)
				row[x] = seed >> 24; /* what letters are to a scanner */
		}
		if (TIFFWriteScanline(tiff, row, y, 0) < 0)
			return 1;
	}
	TIFFWriteDirectory(tiff);
	TIFFClose(tiff);
	return 0;
}

int write_pixels(const char *file)
{
	TIFF *tiff = TIFFOpen(file, "r");
	unsigned char row[WIDTH / 8];
	uint32_t rows = 0;

	if (!tiff || !TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &rows) || TIFFScanlineSize(tiff) != sizeof row)
		return 1;
	for (uint32_t y = 0; y < rows; y++) {
		if (TIFFReadScanline(tiff, row, y, 0) < 0)
			return 1;
		fwrite(row, 1, sizeof row, stdout);
	}
	TIFFClose(tiff);
	return 0;
}
