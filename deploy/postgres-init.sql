-- Run once, on the first start of the postgres service. Prefect makes its tables itself;
-- deploy/temporal-schema.sh makes Temporal's.
CREATE DATABASE prefect;
CREATE DATABASE temporal;
CREATE DATABASE temporal_visibility;
