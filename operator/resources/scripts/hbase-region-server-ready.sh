#!/bin/sh
# Ready: in the master's list of live region servers.
timeout 4 wget -qO- 'http://127.0.0.1:16010/jmx?qry=Hadoop:service=HBase,name=Master,sub=Server' |
  grep '"tag.liveRegionServers"' | grep -q "$POD_FQDN,16020,"
