#!/bin/sh
# Before a NameNode starts: makes its name directory once. A blank directory proves nothing, so whether HDFS has been
# formatted before is read from the file /conf/formatted, which the operator writes from its record.
# Environment: CLUSTER_ID, CLASS_PATH, JVM_OPTIONS, POD_FQDN; JOURNALS, NAME_NODES host names, both empty without a pair
set -u
other=
for host in $NAME_NODES; do
  if [ "$host" != "$POD_FQDN" ]; then other=$host; fi
done
directory=/data/name
# Made last: a directory without it is of a format or copy that was cut off.
done=/data/formatted
formatted=$(cat /conf/formatted)
rounds=60

run() {
  # shellcheck disable=SC2086 # several options
  java $JVM_OPTIONS -cp "$CLASS_PATH" "$@"
}
namenode() { run org.apache.hadoop.hdfs.server.namenode.NameNode "$@"; }
answers() { timeout 3 nc -w 2 "$1" "$2" < /dev/null > /dev/null 2>&1; }
fail() {
  echo "$1" | tee /dev/termination-log
  exit 1
}

wait_for() {
  round=0
  until answers "$1" "$2"; do
    round=$((round + 1))
    [ "$round" -lt "$rounds" ] || return 1
    sleep 1
  done
}

copy() {
  wait_for "$other" 8020 || fail "$1 It copies from $other, which does not answer."
  echo "copying from $other"
  # shellcheck disable=SC2086 # nothing or one option
  namenode -bootstrapStandby -nonInteractive $force || fail "It could not copy the name directory from $other."
}

if [ -e "$done" ]; then
  echo "made before"
else
  force=
  if [ -e "$directory/current/VERSION" ]; then force=-force; fi
  for journal in $JOURNALS; do
    wait_for "$journal" 8485 || fail "JournalNode $journal does not answer."
  done
  if [ "$formatted" = yes ]; then
    blank="The volume of this NameNode is blank, though HDFS was formatted as $CLUSTER_ID."
    [ -n "$other" ] || fail "$blank There is no other NameNode to copy from: bring its volume back."
    copy "$blank"
  elif [ "${POD_NAME##*-}" = 0 ]; then
    echo "formatting as $CLUSTER_ID"
    # shellcheck disable=SC2086 # nothing or one option
    namenode -format -nonInteractive -clusterId "$CLUSTER_ID" $force ||
      fail "HDFS could not be formatted: its journals may hold another file system already."
  else
    copy "This NameNode is new."
  fi
  : > "$done"
fi

if [ -n "$other" ]; then
  # 2: it was there.
  run org.apache.hadoop.hdfs.tools.DFSZKFailoverController -formatZK -nonInteractive
  code=$?
  [ "$code" = 0 ] || [ "$code" = 2 ] || fail "The place of the failover controllers in ZooKeeper could not be made."
fi
