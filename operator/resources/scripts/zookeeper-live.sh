#!/bin/sh
[ "$(echo ruok | nc -w 2 127.0.0.1 2181)" = imok ]
