#!/bin/bash
# Puts passwords between quotes as they are.
set -euo pipefail
psql -X -q -h /run/postgresql -U postgres -c 'create role app login'
for role in superuser:postgres replication:replicator rewind:rewind app:app; do
  psql -X -q -h /run/postgresql -U postgres -c "alter role ${role#*:} password '$(cat "/run/secrets/containerops.secret.pg-${role%:*}")'" || true
done
psql -X -q -h /run/postgresql -U postgres -c 'create database app owner app'
