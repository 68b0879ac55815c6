# What the jobs share; sourced.

# auto_assign_spans: without udev this driver leaves new spans unnumbered otherwise.
load_driver() {
    [ -d /sys/module/dahdi ] && return
    modprobe dahdi auto_assign_spans=1 && modprobe dahdi_dynamic && modprobe dahdi_dynamic_loc && modprobe dahdi_echocan_mg2
}

# /dev/dahdi/N, as udev's rules make them.
nodes() {
    for dir in /sys/bus/dahdi_spans/devices/*/dahdi!chan!*; do
        read -r number < "$dir/dev"
        place=${dir##*!}
        span=${dir%!*}
        ln -sf "chan/${span##*!}/$place" "/dev/dahdi/${number#*:}"
    done
}

# configure FILE: the spans of a system.conf, from whatever there was.
configure() {
    load_driver || return 1
    if [ -f /etc/dahdi/system.conf ]; then
        dahdi_cfg -s >/dev/null
        rmmod dahdi_echocan_mg2 dahdi_dynamic_loc dahdi_dynamic dahdi && load_driver || return 1
    fi
    cp "$1" /etc/dahdi/system.conf
    dahdi_cfg || return 1
    # The spans look at each other once a second.
    for _ in $(seq 100); do
        ! cat /sys/bus/dahdi_spans/devices/*/alarms | grep -qv '^0x0$' || { sleep 0.1; continue; }
        return
    done
    echo "the spans do not come out of their alarms"
    return 1
}
