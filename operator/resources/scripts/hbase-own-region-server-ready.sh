#!/bin/sh
# Ready: the master has given it its name, which is of its pod.
timeout 4 wget -qO- 'http://127.0.0.1:16030/jmx?qry=Hadoop:service=HBase,name=RegionServer,sub=Server' |
  tr -d ' ' | grep -q "\"tag.serverName\":\"$POD_FQDN,16020,"
