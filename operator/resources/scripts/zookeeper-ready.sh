#!/bin/sh
# Ready: part of a quorum.
echo srvr | nc -w 2 127.0.0.1 2181 | grep -qE '^Mode: (leader|follower|observer)'
