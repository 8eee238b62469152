#!/usr/bin/env bash
# A login for each service, which is a member of the role of that service and of nothing else. Takes POSTGRES_<SERVICE>_PASSWORD
# from the environment and, as psql does, PGHOST, PGUSER, PGPASSWORD and PGDATABASE. Run again, it sets the passwords anew.
# The roles are made by `stratum migrate`.
set -euo pipefail
for variable in $(compgen -e POSTGRES_ | grep -E '^POSTGRES_.+_PASSWORD$'); do
  login=${variable#POSTGRES_}
  login=${login%_PASSWORD}
  login=${login,,}
  # The password is read from the environment, because arguments can be seen in the list of processes.
  psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --set login="$login" --set role="stratum_$login" <<END
\getenv password $variable
SELECT format('CREATE ROLE %I LOGIN', :'login') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'login') \gexec
ALTER ROLE :"login" LOGIN PASSWORD :'password';
GRANT :"role" TO :"login";
END
  echo "login $login"
done
