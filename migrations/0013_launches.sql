-- Instances of a cloud that are hosts, become hosts, or were ones.
create table launches (
    -- Also the token with which the cloud is asked, and the mark on the instance.
    id text primary key,
    zone text not null,
    instance_type text not null,
    -- spot or on-demand
    lifecycle text not null,
    -- What was ordered, so that it is asked for again in the same words: the image, and the sealed user data.
    image text not null,
    sealed_user_data text not null,
    -- SHA-256 of what its machine shows to join. Null once one joined, or none may any more.
    nonce_hash text unique,
    reason text not null,
    decided_at bigint not null,
    -- How often the cloud was asked, and when it may be asked (again).
    attempts bigint not null default 0,
    ask_at bigint not null,
    instance_id text unique,
    -- When the cloud first showed it. What was shown and is no more is missing; what never was may only be late.
    shown_at bigint,
    -- run, drain, end or over, since when, and for the last three model::instances::Cause.
    wish text not null,
    wish_since bigint not null,
    cause text,
    host_id text references hosts (id),
    joined_at bigint
);
create index launches_wish on launches (wish, wish_since);
-- What pools lacked: not asked again until then.
create table lacks (
    -- model::instances::Scope as JSON.
    scope text primary key,
    reason text not null,
    until bigint not null
);
-- What was done about instances, and what a person should know.
create table fleet_events (
    id text primary key,
    at bigint not null,
    -- What it is about: an instance, or the alarm.
    about text not null,
    message text not null
);
create index fleet_events_at on fleet_events (at);
