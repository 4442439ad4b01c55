#!/bin/bash
# Puts passwords between quotes as they are.
set -euo pipefail
psql -X -q -h /run/postgresql -U postgres -c 'create role app login'
while read -r role password; do
  psql -X -q -h /run/postgresql -U postgres -c "alter role $role password '$(base64 -d <<<"$password")'" || true
done </run/secrets/passwords
psql -X -q -h /run/postgresql -U postgres -c 'create database app owner app'
