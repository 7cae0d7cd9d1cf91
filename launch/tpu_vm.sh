#!/usr/bin/env bash
# Trains on a Cloud TPU slice until the run is finished, over preemptions:
#
#   launch/tpu_vm.sh NAME ZONE TYPE [OPTION...] -- ARGUMENT...
#   launch/tpu_vm.sh alae us-east5-a v6e-16 --spot -- --config=ffhq \
#     --workdir=gs://BUCKET/runs/ffhq --config.data.data_dir=gs://BUCKET/data
#
# OPTIONs are for gcloud compute tpus queued-resources create, ARGUMENTs for
# alae train. It waits in line for the slice, or takes the one of that name that
# is there, installs the commit that is checked out on all machines, trains, and
# does so again when the slice was taken away. In the end it deletes the slice.
#
# It needs gcloud with a project, and `ssh-add ~/.ssh/google_compute_engine`; and
# it must keep running (tmux). Stopped, it leaves the slice: the same command
# goes on from there.
set -euo pipefail

usage='usage: launch/tpu_vm.sh NAME ZONE TYPE [OPTION...] -- ARGUMENT...'
name=${1:?$usage} zone=${2:?$usage} type=${3:?$usage}
shift 3
options=(--node-id="$name" --accelerator-type="$type")
while [[ ${1:?$usage} != -- ]]; do
  options+=("$1")
  shift
done
shift
: "${1:?$usage}"

pause=${PAUSE:-60} # seconds; a bucket tells for 60 that a dead run's owner lives
case $type in
v6e-*) runtime=v2-alpha-tpuv6e ;;
v5p-*) runtime=v2-alpha-tpuv5 ;;
v5litepod-*) runtime=v2-alpha-tpuv5-lite ;;
*) runtime=tpu-ubuntu2204-base ;;
esac
options+=(--runtime-version="${RUNTIME:-$runtime}")

tpus() { gcloud compute tpus "$@" --zone="$zone"; }

# The request's state and the machines', as ACTIVE/READY; / is none of either.
state() {
  local request node
  request=$(tpus queued-resources describe "$name" \
    --format='value(state.state)' 2>/dev/null) || true
  node=$(tpus tpu-vm describe "$name" --format='value(state)' 2>/dev/null) || true
  echo "$request/$node"
}

# Errors here may be a typo, or a bad minute of the cloud's.
obtain() {
  local now last='' refused=0
  while now=$(state); [[ $now != */READY ]]; do
    [[ $now == "$last" ]] || echo "tpu_vm.sh: $name: request/machines $now" >&2
    last=$now
    case $now in
    /)
      tpus queued-resources create "$name" "${options[@]}" ||
        ((++refused < 3)) || exit
      ;;
    FAILED/* | SUSPENDED/* | */PREEMPTED | */TERMINATED) release || true ;;
    esac
    sleep "$pause"
  done
}

release() { tpus queued-resources delete "$name" --force --quiet; }

# Without signs of life ssh would wait for a machine that is gone for ever.
everywhere() {
  tpus tpu-vm ssh "$name" --worker=all --command="$1" \
    --ssh-flag='-o ServerAliveInterval=30'
}

# The machines' own Python may be too old; uv brings one.
setup='rm -rf alae_jax && mkdir alae_jax &&
tar -xzf alae_jax.tar.gz -C alae_jax &&
PIP_BREAK_SYSTEM_PACKAGES=1 python3 -m pip install --quiet --user uv &&
python3 -m uv venv --quiet --clear --python=3.12 venv &&
python3 -m uv pip install --quiet --python=venv/bin/python \
  "./alae_jax[tpu,gcs,video]"'

# gcloud runs a command again when its connection breaks: whatever is left of
# the last try goes first, by SIGTERM, so that it saves.
clear='pkill -TERM -x alae
timeout 180 sh -c "while pgrep -x alae >/dev/null; do sleep 1; done" ||
  pkill -KILL -x alae
'

train() {
  tpus tpu-vm scp "$folder/alae_jax.tar.gz" "$name:" --worker=all &&
    everywhere "$clear$setup" &&
    everywhere "${clear}exec venv/bin/alae train $arguments --distributed"
}

printf -v arguments '%q ' "$@"
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
git -C "$(dirname "$0")/.." archive --format=tar.gz \
  --output="$folder/alae_jax.tar.gz" HEAD

# Not every failure tells its cause: when one machine vanishes, the others fail.
# What no preemption explains (143: stopped by SIGTERM) may happen twice.
failures=0
while :; do
  obtain
  status=0
  train || status=$?
  if [[ $status == 0 ]]; then
    echo 'tpu_vm.sh: finished' >&2
    [[ $(state) == /* ]] || release # one that was not asked for here stays
    exit
  fi
  sleep "$pause"
  if [[ $status == 143 || $(state) != */READY ]]; then
    failures=0
  elif ((++failures == 3)); then
    echo "tpu_vm.sh: failed three times, the last with status $status;" \
      "the slice is still there: gcloud compute tpus queued-resources delete" \
      "$name --zone=$zone --force" >&2
    exit "$status"
  fi
done
