-- When a browser is signed out at the latest, because the token that it signed in with ends then.
alter table sessions add column ends_at bigint;
