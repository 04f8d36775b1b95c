#!/bin/sh
# Ready: active or standby. Safe mode counts as ready: it ends by DataNodes, which may start only after this.
timeout 4 wget -qO- 'http://127.0.0.1:9870/jmx?qry=Hadoop:service=NameNode,name=NameNodeStatus' |
  tr -d ' ' | grep -qE '"State":"(active|standby)"'
