-- One set of SQL for SQLite and Postgres: columns are text and bigint only. Ids are UUIDs as text, times are
-- milliseconds since 1970 in UTC, truth values are 0 and 1. Forward only: expand, then contract.

-- Small facts of the platform as a whole.
create table meta (
    key text primary key,
    value text not null
);

-- Numbers that only grow and are never handed out twice, such as the uids of apps.
create table counters (
    name text primary key,
    value bigint not null
);

-- People, and robots that act for them.
create table users (
    id text primary key,
    email text not null constraint users_email_key unique,
    -- The most that any token of theirs may do: read, write or admin.
    scope text not null check (scope in ('read', 'write', 'admin')),
    created_at bigint not null,
    disabled bigint not null default 0
);

-- Credentials. The token itself is known to its holder only.
create table tokens (
    id text primary key,
    user_id text not null references users (id),
    name text not null,
    -- SHA-256 of the token, which has 256 random bits: nothing to guess, so nothing to slow down.
    hash text not null unique,
    scope text not null check (scope in ('read', 'write', 'admin')),
    expires_at bigint,
    created_at bigint not null,
    last_used_at bigint,
    revoked bigint not null default 0
);
create index tokens_user on tokens (user_id);

create table apps (
    id text primary key,
    name text not null,
    owner_id text not null references users (id),
    -- Its processes run under this uid and gid on every host. Never reused, not even after the app is deleted.
    uid bigint not null unique,
    -- model::app::AppSettings as JSON.
    settings text not null,
    -- What the router should send requests to: the last rollout that was done.
    serving_version bigint,
    serving_generation bigint,
    -- Handed out inside the inserting transaction: v1, v2, … with no gap or race.
    release_counter bigint not null default 0,
    -- Grows when replicas must be replaced though their release stays, as by a restart.
    generation_counter bigint not null default 0,
    -- A deleted app stays as the owner of its history; its name is free again.
    deleted_at bigint,
    created_at bigint not null,
    updated_at bigint not null,
    released_at bigint
);
create unique index apps_name_key on apps (name) where deleted_at is null;
create index apps_owner on apps (owner_id);

-- Who else may use an app, and how far.
create table collaborators (
    app_id text not null references apps (id),
    user_id text not null references users (id),
    scope text not null check (scope in ('read', 'write', 'admin')),
    created_at bigint not null,
    primary key (app_id, user_id)
);
create index collaborators_user on collaborators (user_id);

-- Host names beside the app's own one, which follows from its name.
create table domains (
    id text primary key,
    app_id text not null references apps (id),
    hostname text not null constraint domains_hostname_key unique,
    created_at bigint not null
);
create index domains_app on domains (app_id);

-- How many replicas of each process type an app should run. It belongs to the app, not to a release.
create table formation (
    id text not null unique,
    app_id text not null references apps (id),
    type text not null,
    quantity bigint not null,
    size text not null,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (app_id, type)
);

-- Built apps. The same content is the same row.
create table slugs (
    id text primary key,
    app_id text not null references apps (id),
    digest text not null,
    bytes bigint not null,
    -- model::slug::SlugManifest as JSON.
    manifest text not null,
    created_at bigint not null,
    unique (app_id, digest)
);

create table builds (
    id text primary key,
    app_id text not null references apps (id),
    user_id text not null references users (id),
    -- Null when the source was uploaded instead of pushed.
    commit_id text,
    commit_subject text,
    commit_author text,
    branch text,
    state text not null,
    -- Why it made no slug, and what helps.
    reason text,
    hint text,
    -- model::detection::DetectionTrace as JSON.
    trace text,
    slug_id text references slugs (id),
    release_version bigint,
    -- Milliseconds by step, as JSON.
    durations text not null default '{}',
    -- What the push or the API asked for, as JSON.
    options text not null default '{}',
    -- How often it was begun: more than once when the server died in between.
    attempt bigint not null default 0,
    cancel_requested bigint not null default 0,
    created_at bigint not null,
    started_at bigint,
    finished_at bigint,
    -- It has failed when it is not done by then, whatever happened.
    deadline bigint
);
create index builds_app on builds (app_id, created_at);
create index builds_unfinished on builds (created_at) where state in ('queued', 'running');
create unique index builds_one_running on builds (app_id) where state = 'running';

-- A slug and a snapshot of the config vars under a number. Only status, reason and finished_at ever change.
create table releases (
    id text primary key,
    app_id text not null references apps (id),
    version bigint not null,
    kind text not null,
    description text not null,
    user_id text not null references users (id),
    -- Null before the first deploy.
    slug_id text references slugs (id),
    -- The config vars as JSON, sealed; what they belong to is authenticated too.
    config text not null,
    commit_id text,
    commit_subject text,
    commit_author text,
    build_id text references builds (id),
    rollback_of bigint,
    status text not null,
    -- Why it failed or expired.
    reason text,
    created_at bigint not null,
    finished_at bigint,
    unique (app_id, version)
);

-- Changes that are being brought about: rollouts, restarts.
create table operations (
    id text primary key,
    app_id text not null references apps (id),
    kind text not null,
    release_version bigint not null,
    -- Replicas of this release and generation are those it wants.
    generation bigint not null,
    phase text not null,
    state text not null,
    superseded_by text references operations (id),
    reason text,
    user_id text not null references users (id),
    created_at bigint not null,
    finished_at bigint,
    deadline bigint not null,
    foreign key (app_id, release_version) references releases (app_id, version)
);
create unique index operations_one_active on operations (app_id) where state = 'active';
create index operations_app on operations (app_id, created_at);

-- What an operation did, a line each, for people.
create table operation_steps (
    operation_id text not null references operations (id),
    number bigint not null,
    at bigint not null,
    text text not null,
    primary key (operation_id, number)
);

create table hosts (
    id text primary key,
    name text not null constraint hosts_name_key unique,
    zone text not null,
    state text not null,
    created_at bigint not null
);

-- Replicas that are wanted somewhere; a row goes when its end was observed.
create table replicas (
    id text primary key,
    app_id text not null references apps (id),
    release_version bigint not null,
    generation bigint not null,
    type text not null,
    -- web.1: counts from 1 within the type.
    number bigint not null,
    host_id text not null references hosts (id),
    wish text not null check (wish in ('run', 'once', 'drain', 'stop')),
    -- With `once`: most seconds it may run.
    once_seconds bigint,
    -- With `drain`: when it is stopped whatever it still does.
    drain_deadline bigint,
    -- Instead of the release's command for its type.
    command text,
    size text not null,
    -- It makes way for a new one with the same number once that one is healthy.
    replace_wanted bigint not null default 0,
    operation_id text references operations (id),
    created_at bigint not null,
    foreign key (app_id, release_version) references releases (app_id, version)
);
create index replicas_app on replicas (app_id);
create index replicas_host on replicas (host_id);

-- Versions that the first build of an app chose and later builds keep.
create table pins (
    app_id text not null references apps (id),
    name text not null,
    version text not null,
    requested text,
    origin text not null,
    primary key (app_id, name)
);

-- The audit trail: a row for every change. It outlives what it speaks of, so it refers by value.
create table activities (
    id text primary key,
    at bigint not null,
    user_id text,
    user_email text,
    token_id text,
    token_name text,
    action text not null,
    app_id text,
    app_name text,
    -- What was changed, as JSON: names, never values.
    detail text not null default '{}',
    remote text
);
create index activities_app on activities (app_id, id);
