-- Lists of releases say whether there is output of a release command to be read, without opening each manifest.
alter table slugs add column release_command bigint not null default 0;
