# What the ABI answers.
# limit: 200
. /guest/lib.sh
configure /guest/pair.conf || exit 99
exec abi-probe --dir /dev/dahdi --near 1 --far 2
