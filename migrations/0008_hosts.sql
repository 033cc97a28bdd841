-- Machines that join, and what is known of each.

-- Where routers reach its replicas: its IP address and the port of its entry. Null for a host of which nothing was heard yet.
alter table hosts add column address text;
alter table hosts add column entry_port bigint;
-- What it offers to replicas. Null: no bound.
alter table hosts add column memory_bytes bigint;
alter table hosts add column cpu_millicores bigint;
-- What runs there: the version of its agent, and the engine.
alter table hosts add column version text;
alter table hosts add column engine text;
-- SHA-256 of the public key it signs with. Null for the agent inside a server, which needs none.
alter table hosts add column key_fingerprint text;
-- To the minute or so: what is newer is known to the servers.
alter table hosts add column last_seen_at bigint;
-- Why it is in its state, as a sentence, and since when.
alter table hosts add column state_reason text;
alter table hosts add column state_since bigint;
-- What it was before it was lost, and is again when it has come back.
alter table hosts add column state_before text;
-- Grows with each drill: an agent that hears of a higher number ends its replicas once, as if they had crashed.
alter table hosts add column drill bigint not null default 0;
create unique index hosts_key on hosts (key_fingerprint);

-- What lets a machine become a host: one machine, within minutes.
create table join_tokens (
    id text primary key,
    -- SHA-256 of the token, which has 256 random bits.
    hash text not null unique,
    -- What the host will be called; null: what it calls itself.
    name text,
    zone text not null,
    expires_at bigint not null,
    used_at bigint,
    used_by_host text references hosts (id),
    user_id text not null references users (id),
    created_at bigint not null
);
