-- Roles, their passwords and databases of the Patroni cluster three. Run by reconcile.sh; safe to run again.
-- Written by cops-gen. Passwords come from files through COPY: none is ever part of a statement.
\set ON_ERROR_STOP on
\set VERBOSITY terse
\o /dev/null
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SET client_min_messages = warning;
-- It must neither wait for a standby that isn't there yet nor leave a trace of passwords in a log or a view.
SET synchronous_commit = local;
SET log_statement = 'none';
SET log_min_error_statement = panic;
SET log_min_duration_statement = -1;
SET pg_stat_statements.track = 'none';
SET pgaudit.log = 'none';

CREATE TEMPORARY TABLE given (password text);

CREATE FUNCTION pg_temp.create_role(wanted text, attributes text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = wanted) THEN
        EXECUTE format('CREATE ROLE %I', wanted);
    END IF;
    EXECUTE format('ALTER ROLE %I %s', wanted, attributes);
END $$;

-- Patroni makes its own roles after the first run of this file: a role that isn't there is left alone.
CREATE FUNCTION pg_temp.set_password(wanted text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    passwords text[] := ARRAY(SELECT password FROM given);
BEGIN
    DELETE FROM given;
    IF cardinality(passwords) <> 1 OR coalesce(passwords[1], '') = '' THEN
        RAISE EXCEPTION 'the password of role "%" is not one line of text', wanted;
    END IF;
    IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = wanted) THEN
        EXECUTE format('ALTER ROLE %I PASSWORD %L', wanted, passwords[1]);
    END IF;
END $$;

CREATE FUNCTION pg_temp.set_owner(wanted text, owner text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_database
            WHERE datname = wanted AND pg_catalog.pg_get_userbyid(datdba) <> owner) THEN
        EXECUTE format('ALTER DATABASE %I OWNER TO %I', wanted, owner);
    END IF;
END $$;

\copy given from program 'cat -- "$PASSWORDS/postgres"' with (format csv, delimiter E'\x01', quote E'\x02')
SELECT pg_temp.set_password('postgres');

\copy given from program 'cat -- "$PASSWORDS/replicator"' with (format csv, delimiter E'\x01', quote E'\x02')
SELECT pg_temp.set_password('replicator');

\copy given from program 'cat -- "$PASSWORDS/rewind"' with (format csv, delimiter E'\x01', quote E'\x02')
SELECT pg_temp.set_password('rewind');
