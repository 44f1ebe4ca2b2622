# Functions that both engines' scripts source. The scripts define `base`, `socket`, `answers` and `die`.

busybox_root() { # busybox_root DIRECTORY: a tar of a root directory around one static busybox, with fixed names, owners and times
  local tree applet busybox
  busybox=$(command -v busybox)
  tree=$(mktemp -d "$1/tree.XXXX")
  mkdir -p "$tree"/{bin,dev,etc,home,proc,root,sys,usr/bin,usr/sbin,var/www}
  mkdir -m 1777 "$tree/tmp"
  cp "$busybox" "$tree/bin/busybox"
  for applet in $("$busybox" --list); do [ "$applet" = busybox ] || ln "$tree/bin/busybox" "$tree/bin/$applet"; done
  # the users and groups of the practice engine's image
  printf '%s\n' root:x:0:0:root:/root:/bin/sh daemon:x:1:1:daemon:/usr/sbin:/bin/false \
    www-data:x:33:33:www-data:/var/www:/bin/false nobody:x:65534:65534:nobody:/home:/bin/false >"$tree/etc/passwd"
  printf '%s\n' root:x:0: daemon:x:1: www-data:x:33: nogroup:x:65534: >"$tree/etc/group"
  (cd "$tree" && tar --sort=name --mtime=@1704067200 --owner=0 --group=0 --numeric-owner -cf - -- *)
  rm -rf "$tree"
}

wait_until_it_answers() { # at most 30 s, and only while the process in $base/pid is running
  for _ in $(seq 300); do
    answers && return
    kill -0 "$(cat "$base/pid")" 2>/dev/null || { tail -n 15 "$base/log" >&2; die "it ended at once"; }
    sleep 0.1
  done
  die "no answer within 30 s; see $base/log"
}
