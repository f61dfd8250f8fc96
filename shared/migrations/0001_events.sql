-- What this service has said, kept so that it can be said again with the same id.
create table fact (
    id uuid primary key,
    topic text not null,
    key uuid not null,
    version int not null,
    payload text not null,
    at timestamptz not null
);
create index fact_key on fact (key, at);
create index fact_topic on fact (topic, at);

-- What Kafka has not acknowledged yet, oldest first.
create table outbox (
    seq bigint generated always as identity primary key,
    fact_id uuid not null,
    at timestamptz not null default now()
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

-- What arrived and could not be used, as it arrived.
create table dead_letter (
    id uuid primary key default uuidv7(),
    identity text not null unique,
    topic text not null,
    partition int not null,
    "offset" bigint not null,
    key bytea,
    headers jsonb not null,
    value bytea,
    aggregate_id uuid,
    reason text not null,
    detail text not null,
    fingerprint text not null,
    attempts int not null default 1,
    state text not null default 'open' check (state in ('open', 'replayed', 'discarded')),
    first_at timestamptz not null default now(),
    last_at timestamptz not null default now(),
    settled_by text
);
create index dead_letter_open on dead_letter (last_at) where state = 'open';
create index dead_letter_aggregate on dead_letter (aggregate_id);

-- Intakes that were erased: nothing about them is stored again.
create table tombstone (
    intake_id uuid primary key,
    at timestamptz not null
);

-- The present state of every account and API key, as intake last said it.
create table staff (
    id uuid primary key,
    version int not null,
    name text not null,
    roles text[] not null,
    active boolean not null,
    sessions_ended uuid[] not null default '{}'
);

-- The answer that a caller's key got, so that a repeat gets the same one.
create table idempotency (
    caller uuid not null,
    route text not null,
    key text not null,
    body_hash bytea not null,
    status int not null,
    response text not null,
    at timestamptz not null default now(),
    primary key (caller, route, key)
);
create index idempotency_at on idempotency (at);
