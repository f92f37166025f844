-- In the database `postgres`, as a superuser: psql --file=deploy/postgres/1-roles.sql postgres
-- Then set the passwords, which stay out of files and of the server's log: \password darkroom_owner, \password darkroom

-- Owns the tables: main.py migrate and main.py restore.
CREATE ROLE darkroom_owner LOGIN;
-- Reads and writes rows, and nothing else: servers, workers and every other command.
CREATE ROLE darkroom LOGIN;

-- A collation that does not depend on the C library, so that an upgrade of the system cannot break an index.
-- Before PostgreSQL 17: LOCALE_PROVIDER libc LOCALE 'C.UTF-8'.
CREATE DATABASE darkroom OWNER darkroom_owner TEMPLATE template0
    ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8';
REVOKE ALL ON DATABASE darkroom FROM PUBLIC;
GRANT CONNECT ON DATABASE darkroom TO darkroom;
