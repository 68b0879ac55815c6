# demarc serve on a PRI, libpri at the other end.
# limit: 240
. /guest/lib.sh
configure /guest/pri.conf || exit 99
export DEMARC_TEST_BINARIES=/job
exec /test/debug/deps/call-check
