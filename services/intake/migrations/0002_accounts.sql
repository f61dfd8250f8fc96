-- People who sign in and keys for machines. The e-mail address is kept in lower case and never leaves this table.
create table account (
    id uuid primary key default uuidv7(),
    kind text not null check (kind in ('person', 'key')),
    email text unique check (email = lower(email)),
    name text not null check (name <> ''),
    roles text[] not null
        check (cardinality(roles) > 0 and roles <@ array['sales', 'account_manager', 'rubric_owner', 'admin']),
    password_hash text,
    active boolean not null default true,
    version int not null default 0,
    created_at timestamptz not null,
    check ((kind = 'person') = (email is not null)),
    check (kind = 'person' or password_hash is null)
);

-- What a person's token names. A key's token runs until the key is ended and names no session.
create table session (
    id uuid primary key default uuidv7(),
    account_id uuid not null references account,
    created_at timestamptz not null,
    expires_at timestamptz not null check (expires_at > created_at),
    ended_at timestamptz
);
create index session_account on session (account_id, expires_at);

-- Links that work once. Their addresses are derived from the id, so nothing here opens anything.
create table account_link (
    id uuid primary key default uuidv7(),
    purpose text not null check (purpose in ('first-admin', 'set-password')),
    account_id uuid references account,
    expires_at timestamptz not null,
    used_at timestamptz,
    check ((purpose = 'first-admin') = (account_id is null))
);
create unique index account_link_open on account_link (purpose, account_id) nulls not distinct where used_at is null;
