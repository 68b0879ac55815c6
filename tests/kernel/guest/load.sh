# 32 spans, 992 channels.
# limit: 120
. /guest/lib.sh
i=0
while [ $i -lt 32 ]; do
    printf 'dynamic=loc,%x:%d,31,0\n' $((i / 2)) $((i % 2))
    i=$((i + 1))
done > /tmp/load.conf
printf 'loadzone=us\ndefaultzone=us\nbchan=1-992\nalaw=1-992\n' >> /tmp/load.conf
configure /tmp/load.conf || exit 99
exec load-check 2
