-- Apps of which a host had replicas lately, and has none now: it may still bring what they wrote.
create table host_apps (
    host_id text not null references hosts (id),
    app_id text not null references apps (id),
    -- When the last replica of the app there was let go.
    left_at bigint not null,
    primary key (host_id, app_id)
);
create index host_apps_left on host_apps (left_at);
