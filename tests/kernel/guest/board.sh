# Demarc's board driver.
# limit: 120
. /guest/lib.sh
configure /guest/pair.conf || exit 99
exec board-check
