-- In the database `darkroom`, as a superuser, before the first migration: psql --file=deploy/postgres/2-rights.sql darkroom
-- For a database that has tables already, run it as well, then the last three statements once for what exists:
-- GRANT ... ON ALL TABLES, ALL SEQUENCES and ALL FUNCTIONS IN SCHEMA public TO darkroom.

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO darkroom_owner;
GRANT USAGE ON SCHEMA public TO darkroom;

-- Of all that the owner creates from now on, in migrations, restores and partitions.
ALTER DEFAULT PRIVILEGES FOR ROLE darkroom_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE darkroom_owner IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO darkroom;
ALTER DEFAULT PRIVILEGES FOR ROLE darkroom_owner IN SCHEMA public
    GRANT USAGE, SELECT ON SEQUENCES TO darkroom;
ALTER DEFAULT PRIVILEGES FOR ROLE darkroom_owner IN SCHEMA public
    GRANT EXECUTE ON FUNCTIONS TO darkroom;
