-- Releases that are watched after their rollout, at most one per app: reverted if they fail before the time is over.
create table watches (
    app_id text primary key references apps (id),
    release_version bigint not null,
    generation bigint not null,
    -- The release to go back to.
    fallback_version bigint not null,
    since bigint not null,
    until bigint not null,
    -- model::watch::Before as JSON: how things stood when the watch began.
    before text not null,
    foreign key (app_id, release_version) references releases (app_id, version)
);
