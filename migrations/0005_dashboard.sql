-- Signing in to the dashboard.

-- The password's hash in the PHC string format; without one, its user signs in with a token.
alter table users add column password text;

-- Browsers that are signed in. The secret in the cookie is known to its browser only.
create table sessions (
    id text primary key,
    user_id text not null references users (id),
    -- SHA-256 of the secret, which has 256 random bits.
    hash text not null unique,
    -- What it may be used for: that of the token it was opened with, or the user's own.
    scope text not null check (scope in ('read', 'write', 'admin')),
    -- What the browser calls itself, and where it came from.
    browser text not null,
    remote text,
    created_at bigint not null,
    -- To the minute.
    last_used_at bigint not null,
    ended bigint not null default 0
);
create index sessions_user on sessions (user_id);
