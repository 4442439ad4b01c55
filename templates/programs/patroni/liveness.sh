#!/bin/bash
# Asks Patroni's REST API whether Patroni itself is alive: one request, no SQL.
set -euo pipefail

exec 3<>/dev/tcp/127.0.0.1/8008
printf 'GET /liveness HTTP/1.0\r\n\r\n' >&3
read -r status <&3
[[ $status == HTTP/*' 200 '* ]]
