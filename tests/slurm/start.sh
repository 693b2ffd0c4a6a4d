#!/usr/bin/env bash
# tests/slurm/start.sh FOLDER [LINE...]: a Slurm of one node with two processors on this machine, for tests: munged,
# slurmctld and slurmd on loopback, everything they write in FOLDER, LINEs added to slurm.conf. As root, without
# systemd; control groups are not needed. Afterwards `. FOLDER/env` finds it and tests/slurm/stop.sh FOLDER ends it.
# Packages (Debian, Ubuntu): slurm-wlm munge.
set -euo pipefail
if [ $# -lt 1 ]; then
  sed -n '2,5s/^# //p' "$0" >&2
  exit 2
fi
mkdir -p "$1"
folder=$(cd "$1" && pwd)
shift
PATH=$PATH:/usr/sbin:/sbin
for program in munged slurmctld slurmd; do
  command -v "$program" > /dev/null || { echo "start.sh: $program is missing; apt-get install slurm-wlm munge" >&2; exit 1; }
done
[ "$(id -u)" = 0 ] || { echo "start.sh: wants root: slurmd starts jobs for others" >&2; exit 1; }
mkdir -p "$folder"/{state,spool,log,tmp}

# Others may run here: take ports that are free.
port=$((20000 + RANDOM % 10000))
while (exec 3<> "/dev/tcp/127.0.0.1/$port") 2>/dev/null || (exec 3<> "/dev/tcp/127.0.0.1/$((port + 1))") 2>/dev/null; do
  port=$((port + 2))
done

# munged wants folders that only its owner can write to, up to the root: not true below /tmp, hence --force.
dd if=/dev/urandom of="$folder/munge.key" bs=1024 count=1 status=none
chmod 600 "$folder/munge.key"
munged --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" --pid-file="$folder/munged.pid" \
  --log-file="$folder/log/munged" --seed-file="$folder/munge.seed" 2> "$folder/log/munged.start"

host=$(hostname -s)
memory=$(awk '/MemTotal/ {print int($2 / 1024 * 0.9)}' /proc/meminfo)
cat > "$folder/slurm.conf" <<CONF
ClusterName=hepartest
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
AuthType=auth/munge
# How long a requeued job waits, and no less than a job needs to start.
AuthInfo=socket=$folder/munge.socket,cred_expire=10
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/log/slurmctld
SlurmdLogFile=$folder/log/slurmd
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_min_interval=100000,bf_interval=1,batch_sched_delay=1
MpiDefault=none
ReturnToService=2
JobRequeue=1
KillWait=30
MinJobAge=300
PropagateResourceLimits=NONE
$(printf '%s\n' "$@")
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 Boards=1 SocketsPerBoard=1 CoresPerSocket=2 ThreadsPerCore=1 RealMemory=$memory State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
CONF
# In /tmp they outlive a killed step, and another Slurm that counts its jobs from 1 stumbles over them.
echo "PMIxCliTmpDirBase=$folder/tmp" > "$folder/mpi.conf"
cat > "$folder/env" <<ENV
export SLURM_CONF=$folder/slurm.conf
export PATH=\$PATH:/usr/sbin:/sbin
ENV
export SLURM_CONF=$folder/slurm.conf
slurmctld -i > "$folder/log/slurmctld.start" 2>&1
slurmd > "$folder/log/slurmd.start" 2>&1
for _ in $(seq 100); do
  if sinfo -h -o %t 2>/dev/null | grep -q idle; then
    echo "Slurm $(sinfo --version | sed 's/[^0-9]*//') in $folder, node $host: idle"
    exit 0
  fi
  sleep 0.2
done
echo "start.sh: the node does not become idle" >&2
tail -n 20 "$folder"/log/* >&2
"$(dirname "${BASH_SOURCE[0]}")/stop.sh" "$folder"
exit 1
