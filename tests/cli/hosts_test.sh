#!/usr/bin/env bash
# hosts_test.sh PROGRAMS MPIRUN: a training on two hosts gives the weights of one host; when the link between them is
# cut, the job ends within a minute and names the rank; the same command continues. So does one whose MPI takes a network
# that they do not share. The hosts are two network
# namespaces of this machine joined by a veth pair; skipped (exit 77) where none can be made.
# shellcheck source=tests/cli/support.sh
. "$(dirname "$0")/support.sh"
launch=$(cd "$(dirname "$0")/../../launch" && pwd)
one=hepar-$$-one
two=hepar-$$-two

make_hosts() {
  local number=1 name
  ip netns add "$one" && ip netns add "$two" &&
    ip -n "$one" link add name eth0 type veth peer name eth0 netns "$two" || return 1
  for name in "$one" "$two"; do
    ip -n "$name" addr add "10.77.0.$number/24" dev eth0 && ip -n "$name" link set lo up &&
      ip -n "$name" link set eth0 up || return 1
    # A network that each host has for itself, as containers' bridges are.
    ip -n "$name" link add name own0 type veth peer name own1 &&
      ip -n "$name" addr add "172.17.0.$number/16" dev own0 && ip -n "$name" link set own0 up &&
      ip -n "$name" link set own1 up || return 1
    number=$((number + 1))
  done
}
remove_hosts() {
  local name
  for name in "$one" "$two"; do
    # A daemon that lost its mpirun would stay for a quarter of an hour.
    # shellcheck disable=SC2046
    kill -KILL $(ip netns pids "$name") 2>/dev/null
    ip netns del "$name"
  done
} 2>/dev/null
trap 'remove_hosts; finish' EXIT
if ! make_hosts 2>"$work/hosts.log"; then
  echo "SKIPPED: no network namespaces: $(tail -n 1 "$work/hosts.log"); they want root, iproute2 and a kernel with veth"
  exit 77
fi
need_cohort

# What ssh is elsewhere: agent HOST COMMAND.
cat >"$work/agent" <<SH
#!/usr/bin/env bash
shift
exec ip netns exec $two unshare --uts bash -c 'hostname two; exec bash -c "\$0"' "\$*"
SH
chmod +x "$work/agent"
printf '10.77.0.%s slots=2\n' 1 2 >"$work/two_each"
printf '10.77.0.%s slots=1\n' 1 2 >"$work/one_each"
export OMPI_MCA_plm_rsh_agent=$work/agent OMPI_MCA_btl=tcp,self
export OMPI_MCA_btl_tcp_if_include=10.77.0.0/24 OMPI_MCA_oob_tcp_if_include=10.77.0.0/24

training=(train --set data.path="$work/prepared" --set train.global_batch=4 --set train.checkpoint_every=5
  --set train.log_every=1 --set run.threads=1 --set dist.reduction=tree --set dist.shards=4 --set device=cpu)
# on_hosts HOSTFILE ARGUMENT...: as launch/ranks.sh on the first host.
on_hosts() {
  # shellcheck disable=SC2016
  exec ip netns exec "$one" unshare --uts bash -c 'hostname one; . "$0"; run_ranks "$@"' \
    "$launch/mpirun.sh" "$1" "$programs/hepar" "${@:2}"
}
reached() { grep -q "^{\"step\":$2," "$1/metrics.jsonl"; }
ended() { ! kill -0 "$1"; }

# --- The same weights -------------------------------------------------------------------------------
check "two ranks on this machine" on_ranks 2 "${training[@]}" --set train.steps=20 --out "$work/here"
on_hosts "$work/two_each" "${training[@]}" --set train.steps=20 --out "$work/there" >"$work/there.log" 2>&1 &
check "two ranks on each of two hosts" wait $!
equal "weights" "$(json_value "$work/here/outcome.json" weights_xxh64)" \
  "$(json_value "$work/there/outcome.json" weights_xxh64)"
check "the start says where the ranks are" \
  grep -qE 'ranks 0-1 on one, processors [0-9,-]+; ranks 2-3 on two, processors [0-9,-]+; 1 thread' "$work/there.log"
check "no records are left" test ! -e "$work/there/.ranks"

# --- The wrong network; meanwhile the next test waits -----------------------------------------------
OMPI_MCA_btl_tcp_if_include=172.17.0.0/16 on_hosts "$work/one_each" "${training[@]}" --out "$work/astray" \
  >"$work/astray.log" 2>&1 &
astray=$!
started+=("$astray")

# --- The link is cut --------------------------------------------------------------------------------
out=$work/cut
long=("${training[@]}" --set train.steps=1000000 --out "$out")
on_hosts "$work/one_each" "${long[@]}" >"$out.log" 2>&1 &
job=$!
started+=("$job")
check "reaches step 7" until_true 60 reached "$out" 7
ip -n "$two" link set eth0 down
since=$SECONDS
check "ends within 60 s" until_true 60 ended "$job"
wait "$job"
equal "exit code" 4 $?
echo "the job ended $((SECONDS - since)) s after the cut; it said:"
grep -E 'error|mpirun:' "$out.log"
check "the rank, its host and the time are named" \
  grep -qE '\[rank 0/2 one\] error: .*waited for 30 s in call [0-9]+: .*no answer from rank 1 on two' "$out.log"
check "no rank is left" test -z "$(for name in "$one" "$two"; do ip netns pids "$name"; done | sed 's,.*,/proc/&/comm,' | xargs -r grep -hs hepar)"

wait "$astray"
equal "exit code on a network that is not shared" 4 $?
check "it is said" grep -qE 'error: rank [01] on (one|two) was started, but no message' "$work/astray.log"

# --- And mended -------------------------------------------------------------------------------------
# shellcheck disable=SC2046
kill -KILL $(ip netns pids "$two") 2>/dev/null
ip -n "$two" link set eth0 up
on_hosts "$work/one_each" "${long[@]}" >"$out.log" 2>&1 &
job=$!
started+=("$job")
check "continues" until_true 60 grep -q 'continuing .* at step' "$out.log"
check "goes on" until_true 60 reached "$out" $(($(sed -n 's/.*at step //p' "$out.log") + 2))
kill -TERM "$job"
wait "$job"
equal "exit code of a stop on two hosts" 75 $?
exit $failed
