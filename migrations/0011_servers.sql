-- Servers on one database, and what each observes: the others learn of it here.
create table servers (
    name text primary key,
    -- The host of the agent inside it.
    host_id text not null references hosts (id),
    -- Where its API is reached.
    address text not null,
    -- model::replica::HostReport of that agent, as JSON.
    report text not null,
    -- How much had been written when its router's table was made.
    moment bigint not null,
    -- Ids of replicas that leave and still answer requests of its router, as JSON.
    busy text not null,
    -- Grows with every sign of life: the others see it change, whatever their clocks say.
    beat bigint not null
);
