# What the ABI answers.
# limit: 200
. /guest/lib.sh
configure /guest/pair.conf || exit 99
nodes
exec abi-probe --dir /dev/dahdi --near 1 --far 2
