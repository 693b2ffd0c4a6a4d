#!/usr/bin/env bash
# tests/slurm/start.sh [--two-nodes] FOLDER [LINE...]: a Slurm of one node with two processors on this machine, for tests:
# munged, slurmctld and slurmd on loopback, everything they write in FOLDER, LINEs added to slurm.conf. Two nodes, `one` and
# `two`, are two slurmd on this machine with host names of their own, and two processors each. As root, without systemd;
# control groups are not needed. Afterwards `. FOLDER/env` finds it, FOLDER/slurmd NODE starts a slurmd again, and
# tests/slurm/stop.sh FOLDER ends it. Packages (Debian, Ubuntu): slurm-wlm munge.
set -euo pipefail
nodes=("$(hostname -s)")
if [ "${1:-}" = --two-nodes ]; then
  nodes=(one two)
  shift
fi
if [ $# -lt 1 ]; then
  sed -n '2,6s/^# //p' "$0" >&2
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
mkdir -p "$folder"/{state,log,tmp}

# Others may run here: take ports that are free.
port=$((20000 + RANDOM % 10000))
is_used() { (exec 3<> "/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
while is_used "$port" || is_used $((port + 1)) || is_used $((port + 2)); do port=$((port + 3)); done

# munged wants folders that only its owner can write to, up to the root: not true below /tmp, hence --force.
dd if=/dev/urandom of="$folder/munge.key" bs=1024 count=1 status=none
chmod 600 "$folder/munge.key"
munged --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" --pid-file="$folder/munged.pid" \
  --log-file="$folder/log/munged" --seed-file="$folder/munge.seed" 2> "$folder/log/munged.start"

host=$(hostname -s)
memory=$(awk '/MemTotal/ {print int($2 / 1024 * 0.9)}' /proc/meminfo)
node_lines() {
  local i
  for i in "${!nodes[@]}"; do
    mkdir -p "$folder/spool-${nodes[i]}"
    echo "NodeName=${nodes[i]} NodeHostname=${nodes[i]} NodeAddr=127.0.0.1 Port=$((port + 1 + i)) CPUs=2 Boards=1 SocketsPerBoard=1" \
      "CoresPerSocket=2 ThreadsPerCore=1 RealMemory=$((memory / ${#nodes[@]})) State=UNKNOWN"
  done
}
cat > "$folder/slurm.conf" <<CONF
ClusterName=hepartest
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
AuthType=auth/munge
# How long a requeued job waits, and no less than a job needs to start.
AuthInfo=socket=$folder/munge.socket,cred_expire=10
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool-%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd-%n.pid
SlurmctldLogFile=$folder/log/slurmctld
SlurmdLogFile=$folder/log/slurmd-%n
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
$(node_lines)
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
CONF
# In /tmp they outlive a killed step, and another Slurm that counts its jobs from 1 stumbles over them.
echo "PMIxCliTmpDirBase=$folder/tmp" > "$folder/mpi.conf"
cat > "$folder/env" <<ENV
export SLURM_CONF=$folder/slurm.conf
export PATH=\$PATH:/usr/sbin:/sbin
ENV
export SLURM_CONF=$folder/slurm.conf
slurmctld -i > "$folder/log/slurmctld.start" 2>&1
cat > "$folder/slurmd" <<'SH'
#!/usr/bin/env bash
# slurmd NODE: starts the node's daemon, under the node's host name.
. "$(dirname "$0")/env"
exec unshare --uts bash -c 'hostname "$0"; exec slurmd -N "$0"' "$1" > "$(dirname "$0")/log/slurmd-$1.start" 2>&1
SH
chmod +x "$folder/slurmd"
for node in "${nodes[@]}"; do "$folder/slurmd" "$node"; done
for _ in $(seq 100); do
  if [ "$(sinfo -h -N -o %t 2>/dev/null | grep -c idle)" = ${#nodes[@]} ]; then
    echo "Slurm $(sinfo --version | sed 's/[^0-9]*//') in $folder, ${nodes[*]}: idle"
    exit 0
  fi
  sleep 0.2
done
echo "start.sh: the nodes do not become idle" >&2
tail -n 20 "$folder"/log/* >&2
"$(dirname "${BASH_SOURCE[0]}")/stop.sh" "$folder"
exit 1
