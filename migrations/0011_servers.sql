-- Servers on one database, and what the agent inside each observes of its host: the others learn of it here.
create table servers (
    name text primary key,
    host_id text not null references hosts (id),
    -- Where its API is reached.
    address text not null,
    -- model::replica::HostReport of the agent inside it, as JSON.
    report text not null,
    -- Grows with every sign of life: the others see it change, whatever their clocks say.
    beat bigint not null
);
