#!/bin/bash
# The genuine DAHDI driver in a virtual machine: Debian's kernel, its dahdi-source, and virtual spans that are
# cross-connected (dynamic=loc). Nothing is installed; everything lies under target/kernel and is made once.
#
#   vm.sh prepare              download and unpack, build the modules, make the base of the machine
#   vm.sh payload FILE         make the part with the programs under test from what is in the directory FILE
#   vm.sh boot NAME JOB...     boot; run guest/JOB.sh one after another; power off; results are in target/kernel/NAME
#   vm.sh clean                remove everything
#
# Environment: KERNEL_DIR (target/kernel)  MEM=1024  LIMIT=600 (seconds, hard stop)  JOBS=2
set -eu -o pipefail
here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
repo=$(cd "$here/../.." && pwd)
work=${KERNEL_DIR:-$repo/target/kernel}
root=$work/root

say() { printf '== %s\n' "$*"; }

fail() {
    printf '%s\n' "$@" >&2
    exit 2
}

kernel_version() { basename "$(echo "$root"/boot/vmlinuz-*)" | sed 's/^vmlinuz-//'; }

# Downloads go through apt's lists, which may be missing or too old for the mirror.
download() {
    (cd "$work/debs" && apt-get -q -q download "$@" 2>/dev/null)
}

kernel_packages() {
    local image
    image=$(apt-cache depends linux-image-amd64 2>/dev/null | sed -n 's/.*Depends: linux-image-//p' | head -1)
    [ -n "$image" ] || return 1
    printf 'linux-image-%s linux-headers-%s ' "$image" "$image"
    apt-cache depends "linux-headers-$image" | sed -n 's/.*Depends: \(linux-\(headers\|kbuild\)-.*\)/\1/p' | tr '\n' ' '
    printf 'dahdi-source busybox-static\n'
}

fetch() {
    [ ! -f "$work/fetched" ] || return 0
    local packages began=$SECONDS deb kernel
    rm -rf "$root" "$work/debs"
    mkdir -p "$root" "$work/debs"
    packages=$(kernel_packages) || packages=
    say "downloading Debian's kernel, its headers and dahdi-source (about 90 MB, once)"
    # shellcheck disable=SC2086 # a list of words
    if [ -z "$packages" ] || ! download $packages; then
        if [ "$(id -u)" -eq 0 ]; then apt-get update -qq || true; else sudo apt-get update -qq || true; fi
        packages=$(kernel_packages) || fail "apt-get knows no linux-image-amd64: this lane needs Debian or a mirror of it."
        # shellcheck disable=SC2086
        download $packages || fail "The kernel cannot be downloaded; a network is needed this once: apt-get download $packages"
    fi
    for deb in "$work"/debs/*.deb; do dpkg -x "$deb" "$root"; done
    rm -rf "$work/debs"
    kernel=$(kernel_version)
    # The headers name their common half by an absolute path.
    printf 'include %s/usr/src/%s/Makefile\n' "$root" "$(cd "$root/usr/src" && echo linux-headers-*-common)" \
        > "$root/usr/src/linux-headers-$kernel/Makefile"
    touch "$work/fetched"
    say "kernel $kernel is there ($((SECONDS - began)) s)"
}

# The kernel as it is inside of its packing: an emulated processor takes longer to unpack it than for anything else of its start.
unpack() {
    local image
    image=$root/boot/vmlinuz-$(kernel_version)
    [ ! "$work/vmlinux" -nt "$image" ] || return 0
    word() { od -An -t "u$2" -j "$1" -N "$2" "$image" | tr -d ' '; }
    # The header of a bzImage: sectors of the real-mode part, then where the packed kernel is and how long (with its length
    # behind it).
    local start=$((($(word 0x1f1 1) + 1) * 512 + $(word 0x248 4)))
    dd if="$image" iflag=skip_bytes,count_bytes bs=64K skip="$start" count="$(($(word 0x24c 4) - 4))" status=none \
        | xz -dc > "$work/vmlinux.new" \
        || fail "$image is not packed by xz as Debian's kernels are: correct unpack in $0"
    mv "$work/vmlinux.new" "$work/vmlinux"
}

# No hardware drivers: DAHDI_BUILD_ALL empty leaves them out without a change to the source.
build() {
    [ ! -f "$work/built" ] || return 0
    local kernel source=$work/build/modules/dahdi began=$SECONDS
    kernel=$(kernel_version)
    say "building the DAHDI modules for $kernel (once)"
    rm -rf "$work/build"
    mkdir -p "$work/build"
    tar -C "$work/build" -xjf "$root/usr/src/dahdi.tar.bz2"
    nice make -j"${JOBS:-2}" -C "$source" KVERS="$kernel" KSRC="$root/usr/src/linux-headers-$kernel" \
        DAHDI_BUILD_ALL= CONFIG_DAHDI=m CONFIG_DAHDI_DYNAMIC=m CONFIG_DAHDI_DYNAMIC_LOC=m CONFIG_DAHDI_ECHOCAN_MG2=m \
        > "$work/build.log" 2>&1 || { tail -30 "$work/build.log" >&2; fail "The modules do not build; see $work/build.log"; }
    touch "$work/built"
    say "$(find "$source" -name '*.ko' | wc -l) modules built ($((SECONDS - began)) s)"
}

archive() { (cd "$1" && find . -print0 | cpio --null -o -H newc --owner=0:0 --quiet) > "$2.new" && mv "$2.new" "$2"; }

# A program with the shared libraries that it names, in their places.
with_libraries() {
    local to=$1 program=$2 library
    # Scripts and static programs name none.
    { ldd "$program" 2>/dev/null | grep -o '/[^ ]*' || true; } | sort -u | while read -r library; do
        [ -e "$to$library" ] || install -D -m 755 "$(readlink -f "$library")" "$to$library"
    done
}

# The kernel's modules, busybox and dahdi-tools: what no change to Demarc touches.
base() {
    local kernel dir=$work/base module file tool
    if [ -f "$work/base.cpio" ] && [ "$work/base.cpio" -nt "$0" ]; then return 0; fi
    kernel=$(kernel_version)
    rm -rf "$dir"
    mkdir -p "$dir"/{bin,sbin,dev,proc,sys,tmp,run,host,root,etc/dahdi,usr/sbin,usr/bin,"lib/modules/$kernel/dahdi"}
    cp "$root/bin/busybox" "$dir/bin/busybox"
    ln -s busybox "$dir/bin/sh"
    cp "$root/lib/modules/$kernel"/modules.{order,builtin,builtin.modinfo} "$dir/lib/modules/$kernel/"
    depmod -b "$root" "$kernel" 2>/dev/null
    for module in virtio_pci 9pnet_virtio 9p; do
        modprobe -d "$root" -S "$kernel" --show-depends "$module" | sed -n 's/^insmod //p'
    done | sort -u | while read -r file; do
        install -D -m 644 "$file" "$dir/lib/modules/$kernel/${file#"$root/lib/modules/$kernel/"}"
    done
    find "$work/build" -name '*.ko' -exec cp -t "$dir/lib/modules/$kernel/dahdi" {} +
    strip --strip-debug "$dir/lib/modules/$kernel"/dahdi/*.ko
    depmod -b "$dir" "$kernel"
    for tool in dahdi_cfg dahdi_test; do
        cp "$(command -v "$tool" || echo "/usr/sbin/$tool")" "$dir/usr/sbin/"
        with_libraries "$dir" "$dir/usr/sbin/$tool"
    done
    archive "$dir" "$work/base.cpio"
    say "base of the machine: $(du -h "$work/base.cpio" | cut -f1)"
}

payload() {
    local file
    find "$1" -type f -perm -u+x | while read -r file; do with_libraries "$1" "$file"; done
    install -m 755 "$here/guest/init" "$1/init"
    mkdir -p "$1/guest"
    cp "$here"/guest/*.sh "$here"/guest/*.conf "$1/guest/"
    archive "$1" "$work/payload.cpio"
    cat "$work/base.cpio" "$work/payload.cpio" > "$work/initramfs"
}

# The machine is emulated, also where there is KVM: its time follows the instructions that it executed and skips what it
# idles, so a busy host stretches the run but never disturbs DAHDI's tick of 1 ms. (Under KVM as a guest of another
# hypervisor, Debian's kernel does not start at all.)
boot() {
    local kernel rc=0 jobs out=$work/$1
    shift
    jobs=$(IFS=,; echo "$*")
    kernel=$(kernel_version)
    rm -rf "$out"
    mkdir -p "$out"
    say "booting Linux $kernel in QEMU: ${jobs//,/, }"
    timeout -k 5 "${LIMIT:-600}" nice qemu-system-x86_64 -accel tcg,thread=single -icount shift=0,sleep=off -cpu max \
        -smp 1 -m "${MEM:-1024}" -no-user-config -nodefaults -display none -serial stdio -no-reboot \
        -kernel "$work/vmlinux" -initrd "$work/initramfs" \
        -virtfs "local,path=$out,mount_tag=out,security_model=none,multidevs=remap" \
        -append "console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable cryptomgr.notests jobs=$jobs" \
        < /dev/null | sed -u 's|\r$||' | tee "$out/console.log" || rc=$?
    [ "$rc" -ne 124 ] || say "the machine did not end within ${LIMIT:-600} s and was stopped"
    return "$rc"
}

for tool in qemu-system-x86_64 cpio depmod strip xz apt-get; do
    PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null || fail "$tool is missing: make test-kernel installs what this lane needs, or as root:" \
        "apt-get install --no-install-recommends qemu-system-x86 cpio kmod binutils bzip2 xz-utils gcc make libelf1 dahdi"
done
PATH=$PATH:/usr/sbin:/sbin
mkdir -p "$work"
case ${1:-} in
prepare) fetch; unpack; build; base ;;
payload) payload "$2" ;;
boot) shift; boot "$@" ;;
clean) rm -rf "$work" ;;
*) sed -n '2,11p' "$0"; exit 2 ;;
esac
