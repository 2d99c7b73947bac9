#!/bin/bash
# Docker with Apus as its default runtime: a dockerd of its own runs, enters, limits, pauses and ends containers.
#
# On your own machine: put `{"default-runtime": "apus", "runtimes": {"apus": {"path": "/usr/local/bin/apus-runtime"}}}`
# into /etc/docker/daemon.json. Needs from Debian: docker.io iptables busybox-static.
. "$(dirname -- "$(readlink -f -- "$0")")/common.sh"
enter_namespaces dockerd containerd docker iptables
. "$here/dockerd.sh"
start_dockerd

check 'it is the default runtime' apus docker info --format '{{.DefaultRuntime}}'
check 'run' 'Hello' docker run --rm busybox echo Hello
check_status 'exit status' 7 docker run --rm busybox sh -c 'exit 7'
check_status 'not found is 127' 127 docker run --rm busybox no-such-command
check_status 'not found by path is 127' 127 docker run --rm busybox /no/such/command
check_status 'not executable is 126' 126 docker run --rm busybox /etc/passwd
check 'a limit of memory' 67108864 \
    docker run --rm -m 64m busybox sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max'
check 'a user' 'uid=1000 gid=1000' docker run --rm -u 1000:1000 busybox id
check 'standard input' 'from outside' sh -c 'echo from outside | docker run --rm -i busybox cat'
check 'a terminal' '/dev/pts/0' docker run --rm -t busybox tty
check 'a read-only root' 'Read-only file system' docker run --rm --read-only busybox touch /x
check 'a volume' 'kept' sh -c 'docker run --rm -v kept:/v busybox sh -c "echo kept >/v/f" && docker run --rm -v kept:/v busybox cat /v/f'

docker run -d --name web --init -p 8080:80 busybox \
    sh -c 'echo started; mkdir /w; echo page >/w/index.html; exec httpd -f -p 80 -h /w' >/dev/null
check 'logs' started docker logs web
wait_for 10 busybox wget -q -O - http://127.0.0.1:8080/ || die 'nothing answers on the published port'
check 'a published port' page busybox wget -q -O - http://127.0.0.1:8080/
check 'exec' 'httpd' docker exec web ps
check 'exec with environment, user and directory' '1000 x /tmp' \
    docker exec -e V=x -u 1000 -w /tmp web sh -c 'echo $(id -u) $V $PWD'
check 'exec with a terminal' '/dev/pts/' docker exec -t web tty
check_status 'exec: exit status' 3 docker exec web sh -c 'exit 3'
# Docker 20.10 gives 126 here, whatever the reason.
check 'exec: not found' 'exec: "/nope": stat /nope: no such file or directory' docker exec web /nope
check 'exec: not found on PATH' 'exec: "nope": executable file not found in $PATH' docker exec web nope
check 'exec: not executable' 'exec: "/etc/passwd": permission denied' docker exec web /etc/passwd
check 'top' 'httpd' docker top web
docker pause web >/dev/null
check 'pause' paused docker inspect --format '{{.State.Status}}' web
docker unpause web >/dev/null
check 'unpause' running docker inspect --format '{{.State.Status}}' web
docker update --memory 96m --memory-swap 96m web >/dev/null
check 'update' 100663296 \
    docker exec web sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max'
check 'stats' '96MiB' docker stats --no-stream --format '{{.MemUsage}}' web
docker restart -t 1 web >/dev/null
check 'restart' running docker inspect --format '{{.State.Status}}' web
check_status 'stop' 0 docker stop -t 2 web
check 'its end is known' exited docker inspect --format '{{.State.Status}}' web
check_status 'rm' 0 docker rm web
docker run -d --name killed busybox sleep 1000 >/dev/null
check_status 'kill' 0 docker kill killed
check 'killed is 137' 137 docker inspect --format '{{.State.ExitCode}}' killed
check_status 'rm --force' 0 docker rm -f killed
[[ ! $(docker ps -aq) ]] || die 'containers are left'
echo 'docker: all of it works'
