#!/bin/sh
# Makes a root file system of busybox alone: Tests/make-rootfs.sh DIRECTORY
#
# APUS_TEST_BUSYBOX names a static busybox other than the one on PATH.
set -eu

[ $# -eq 1 ] || { echo "usage: $0 DIRECTORY" >&2; exit 2; }
root=$1
busybox=${APUS_TEST_BUSYBOX:-$(command -v busybox)} ||
    { echo "$0: no busybox: apt-get install busybox-static" >&2; exit 1; }

mkdir -p "$root"
(cd "$root" && mkdir -p bin dev etc home proc root run sys tmp usr var/tmp)
chmod 1777 "$root/tmp" "$root/var/tmp"
chmod 700 "$root/root"
cp "$busybox" "$root/bin/busybox"
# busybox is called for each applet in bin; `sbin` and `usr/bin` are that directory too.
for applet in $("$busybox" --list); do
    [ "$applet" = busybox ] || ln -sf busybox "$root/bin/$applet"
done
[ -e "$root/sbin" ] || ln -s bin "$root/sbin"
[ -e "$root/usr/bin" ] || ln -s ../bin "$root/usr/bin"
[ -e "$root/usr/sbin" ] || ln -s ../bin "$root/usr/sbin"

cat >"$root/etc/passwd" <<'EOF'
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/:/bin/false
user:x:1000:1000:an ordinary user:/home:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/false
EOF
cat >"$root/etc/group" <<'EOF'
root:x:0:
daemon:x:1:
audio:x:29:user
user:x:1000:
nogroup:x:65534:
EOF
