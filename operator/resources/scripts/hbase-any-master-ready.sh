#!/bin/sh
# Ready: a standby, or the active master and done with its start.
beans=$(timeout 4 wget -qO- 'http://127.0.0.1:16010/jmx?qry=Hadoop:service=HBase,name=Master,sub=Server' | tr -d ' ')
echo "$beans" | grep -q '"tag.isActiveMaster":"false"' && exit 0
echo "$beans" | grep -q '"tag.isActiveMaster":"true"' && echo "$beans" | grep -q '"masterFinishedInitializationTime":[1-9]'
