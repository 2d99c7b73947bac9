#!/bin/bash
# Slurm with Apus under `srun --container`: a cluster of one node runs, cancels and tells the exit codes of jobs.
#
# On your own cluster: /etc/slurm/oci.conf as `oci_conf` below writes it, on each node. Needs from Debian: busybox-static
# munge slurm-wlm.
. "$(dirname -- "$(readlink -f -- "$0")")/common.sh"
enter_namespaces slurmctld slurmd srun munged

oci_conf() {
    cat <<END
RunTimeQuery="$runtime --rootless=true --root=$work/run/ state %n.%u.%j.%s.%t"
RunTimeKill="$runtime --rootless=true --root=$work/run/ kill -a %n.%u.%j.%s.%t KILL"
RunTimeDelete="$runtime --rootless=true --root=$work/run/ delete --force %n.%u.%j.%s.%t"
RunTimeRun="$runtime --rootless=true --root=$work/run/ run %n.%u.%j.%s.%t -b %b"
END
}

slurm_conf() {
    cat <<END
ClusterName=demo
SlurmctldHost=n1(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$work/munge/socket
CryptoType=crypto/munge
SlurmctldPort=16817
SlurmdPort=16818
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
ReturnToService=2
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
KillWait=2
NodeName=n1 NodeAddr=127.0.0.1 Port=16818 CPUs=$(nproc)
PartitionName=all Nodes=n1 Default=YES State=UP
END
}

start_munge() {
    mkdir -m 755 "$work/munge"
    chmod 755 "$work"
    head -c 128 /dev/urandom >"$work/munge/key"
    chmod 400 "$work/munge/key"
    munged --force --key-file="$work/munge/key" --socket="$work/munge/socket" --pid-file="$work/munge/pid" \
        --log-file="$work/munge.log" --seed-file="$work/munge/seed" >"$work/munge.log" 2>&1 ||
        cannot "munged does not start: $(tail -n 1 "$work/munge.log")"
}

start_slurm() {
    export SLURM_CONF=$work/slurm.conf
    slurm_conf >"$SLURM_CONF"
    oci_conf >"$work/oci.conf"
    mkdir -p "$work/state" "$work/spool" "$work/run"
    hostname n1
    ip address add 10.99.0.1/32 dev lo  # with the loopback address alone no name is resolved
    echo '127.0.0.1 localhost n1' >"$work/hosts"
    mount --bind "$work/hosts" /etc/hosts
    slurmctld -f "$SLURM_CONF" >"$work/start.log" 2>&1 || cannot "slurmctld does not start: $(tail -n 1 "$work/start.log")"
    slurmd -f "$SLURM_CONF" -N n1 >>"$work/start.log" 2>&1 || cannot "slurmd does not start: $(tail -n 1 "$work/start.log")"
    wait_for 30 sh -c 'sinfo -h -o %T | grep -q idle' || cannot "the node does not come up: $(sinfo -h)"
}

# A bundle whose process Slurm replaces by the job's command.
make_bundle() {
    mkdir -p "$work/bundle"
    cp -a "$work/image" "$work/bundle/rootfs"
    (cd "$work/bundle" && "$runtime" spec)
    sed -i 's/"terminal": true/"terminal": false/; s/"readonly": true/"readonly": false/' "$work/bundle/config.json"
}

make_image
start_munge
start_slurm
make_bundle
cd "$work"

check 'srun without a container' n1 srun hostname
check 'srun --container' 'BusyBox' srun --container "$work/bundle" /bin/sh -c 'busybox | head -n 1'
check_status 'exit status' 7 srun --container "$work/bundle" /bin/sh -c 'exit 7'
check 'the job knows its number' 'job ' srun --container "$work/bundle" /bin/sh -c 'echo job $SLURM_JOB_ID'
check 'its own hostname and PIDs' ' 1 ' srun --container "$work/bundle" /bin/sh -c 'echo "$(hostname) $$ ."'
sbatch --container "$work/bundle" --output "$work/job.out" --wrap 'echo from a batch' >"$work/sbatch.log"
check_soon 'sbatch --container' 'from a batch' cat "$work/job.out"
srun --container "$work/bundle" /bin/sleep 1000 >"$work/srun.log" 2>&1 &
check_soon 'a job runs' R squeue -h -o '%t'
job=$(squeue -h -o '%i' | head -n 1)
wait_for 20 pgrep -f '^/bin/sleep 1000' || die 'the command of the job does not run'
check_status 'scancel' 0 scancel "$job"
gone() { [[ ! $(squeue -h) ]] && ! pgrep -f '^/bin/sleep 1000'; }
wait_for 30 gone || die "the job does not end: $(squeue -h; pgrep -af '^/bin/sleep 1000')"
echo '  its processes are gone'
empty() { [[ ! $("$runtime" --root="$work/run/" list -q) ]]; }
wait_for 10 empty || die "containers are left: $("$runtime" --root="$work/run/" list)"
echo '  no container is left'
echo 'slurm: all of it works'
