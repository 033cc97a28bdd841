-- What apps and their replicas did, for a day.

create table metrics (
    app_id text not null references apps (id),
    -- Minutes since 1970.
    minute bigint not null,
    -- Requests in that minute, for lists of all apps.
    requests bigint not null,
    -- Up to six samples, a line each: rows of one minute are joined by putting one after the other.
    samples text not null,
    primary key (app_id, minute)
);
-- Answers how many requests all apps had without reading their samples, and finds what is old.
create index metrics_requests on metrics (minute, app_id, requests);
