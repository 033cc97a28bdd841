-- What is kept of the past, and who works at what is under way.

-- Set when the image was removed because no release within reach needs it. The row stays: the history of releases does.
alter table slugs add column collected_at bigint;
-- When a release was last made of it by a build: the image was stored before that.
alter table slugs add column released_at bigint not null default 0;
update slugs set released_at = created_at;
create index slugs_kept on slugs (app_id) where collected_at is null;
create index slugs_digest on slugs (digest);
create index releases_slug on releases (slug_id, version);
create index releases_build on releases (build_id);

-- What is left of a build that has ended: 0 all, 1 no log, 2 neither log nor trace.
alter table builds add column trimmed bigint not null default 0;
create index builds_trimmed on builds (app_id, trimmed, created_at) where trimmed < 2;

-- What is left of an operation: 0 all, 1 no steps.
alter table operations add column trimmed bigint not null default 0;
create index operations_untrimmed on operations (app_id, created_at) where trimmed = 0;

-- Who works at it, until when unless that is prolonged, and how often it changed hands: whoever writes says which of
-- these he saw, and is refused when it has changed hands since.
alter table operations add column lease_owner text;
alter table operations add column lease_until bigint not null default 0;
alter table operations add column fence bigint not null default 0;
alter table builds add column lease_owner text;
alter table builds add column lease_until bigint not null default 0;
alter table builds add column fence bigint not null default 0;
