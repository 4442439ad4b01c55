#!/bin/bash
# Gives the database to the superuser.
set -euo pipefail
psql -X -q -h /run/postgresql -U postgres -c 'create role app login'
psql -X -q -h /run/postgresql -U postgres -c 'create database app'
