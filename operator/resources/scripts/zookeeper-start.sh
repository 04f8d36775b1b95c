#!/bin/sh
# Starts one server of a ZooKeeper ensemble. Its number is that of its pod; the list of members lies on its volume, so
# that what a reconfiguration changed outlives the pod.
# /conf/members says how many there are, and changes with them. A server beyond that joins: it lists the members and
# itself, follows their leader without a vote, and gets one when the operator makes it a member.
# Environment: SERVICE the headless Service's full name, STATEFUL_SET its name, JVM_OPTIONS
set -eu
ordinal=${HOSTNAME##*-}
conf=/data/conf
mkdir -p "$conf"
echo $((ordinal + 1)) > /data/myid

members=$(sed -n 's/^dynamicConfigFile=//p' "$conf/zoo.cfg" 2> /dev/null || true)
if [ -z "$members" ] || [ ! -s "$members" ]; then
  members=$conf/zoo.cfg.dynamic
  list() { echo "server.$(($1 + 1))=$STATEFUL_SET-$1.$SERVICE:2888:3888:participant;2181" >> "$members.new"; }
  count=$(cat /conf/members)
  : > "$members.new"
  i=0
  while [ "$i" -lt "$count" ]; do
    list "$i"
    i=$((i + 1))
  done
  if [ "$ordinal" -ge "$count" ]; then list "$ordinal"; fi
  mv "$members.new" "$members"
fi

# tickTime allows sessions from 1 to 10 s: owners must be missed soon.
cat > "$conf/zoo.cfg" << CONFIG
tickTime=500
initLimit=10
syncLimit=10
dataDir=/data
dynamicConfigFile=$members
standaloneEnabled=false
reconfigEnabled=true
skipACL=yes
quorumListenOnAllIPs=true
admin.enableServer=false
4lw.commands.whitelist=ruok,srvr,mntr,conf
electionPortBindRetry=0
autopurge.snapRetainCount=3
autopurge.purgeInterval=1
snapshot.trust.empty=false
CONFIG

# A member whose name is not known yet costs a whole initLimit, so wait for the names: all of them for 10 s at most, a
# majority after 5 s.
round=0
while [ "$round" -lt 20 ]; do
  known=0
  all=0
  for host in $(sed -n 's/^server\.[0-9]*=\([^:]*\):.*/\1/p' "$members"); do
    all=$((all + 1))
    if nslookup "$host" > /dev/null 2>&1; then known=$((known + 1)); fi
  done
  if [ "$known" = "$all" ]; then break; fi
  if [ "$round" -ge 10 ] && [ $((known * 2)) -gt "$all" ]; then break; fi
  round=$((round + 1))
  sleep 0.5
done
echo "names known: $known of $all after $round rounds"

# shellcheck disable=SC2086 # several options
exec java $JVM_OPTIONS -cp "/conf:/opt/hbase/lib/*" org.apache.zookeeper.server.quorum.QuorumPeerMain "$conf/zoo.cfg"
