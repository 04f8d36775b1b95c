#!/bin/sh
# Ready: registered with a NameNode.
timeout 4 wget -qO- 'http://127.0.0.1:9864/jmx?qry=Hadoop:service=DataNode,name=DataNodeInfo' |
  tr -d ' \\' | grep '"BPServiceActorInfo"' | grep -q '"ActorState":"RUNNING"'
