#!/bin/bash
# A Docker Swarm of one node whose containers Apus runs: a service is created, scaled, updated and removed.
#
# Nothing is to be set up but Docker itself, as docker.sh shows it. Needs from Debian: docker.io iptables busybox-static.
. "$(dirname -- "$(readlink -f -- "$0")")/common.sh"
enter_namespaces dockerd containerd docker iptables
. "$here/dockerd.sh"
start_dockerd

docker tag busybox local/page:1
docker tag busybox local/page:2
docker swarm init --advertise-addr 127.0.0.1 >"$work/swarm.log" 2>&1 || cannot "no swarm: $(tail -n 1 "$work/swarm.log")"
docker service create --detach --name web --replicas 3 --no-resolve-image --stop-grace-period 1s \
    local/page:1 sh -c 'echo up; exec sleep 1000' >/dev/null
check_soon 'service create --replicas 3' '3/3' docker service ls
check 'by Apus' apus sh -c 'docker ps -q | xargs docker inspect --format "{{.HostConfig.Runtime}}"'
check_soon 'service logs' up docker service logs web
docker service scale --detach web=5 >/dev/null
check_soon 'scale up' '5/5' docker service ls
docker service scale --detach web=2 >/dev/null
check_soon 'scale down' '2/2' docker service ls
docker service update --detach --no-resolve-image --update-delay 0s --update-monitor 1s --update-parallelism 1 \
    --image local/page:2 web >/dev/null
check_soon 'rolling update' completed docker service inspect --format '{{.UpdateStatus.State}}' web
check 'the new image runs' 'local/page:2' docker ps --format '{{.Image}}'
docker kill "$(docker ps -q | head -n 1)" >/dev/null
check_soon 'its end is noticed' '1/2' docker service ls
check_soon 'a killed replica is replaced' '2/2' docker service ls
docker service rm web >/dev/null
gone() { [[ ! $(docker ps -aq) ]]; }
wait_for 30 gone || die 'containers are left after service rm'
echo '  service rm'
echo 'swarm: all of it works'
