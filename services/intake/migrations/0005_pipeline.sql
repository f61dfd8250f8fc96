-- Since when a case is in its state, who looks after it, and how far its latest document has come with the client.
alter table intake
    add state_since timestamptz,
    add owner uuid,
    add document int,
    add link_expires_at timestamptz,
    add opened_at timestamptz,
    add asked_at timestamptz,
    add replied_at timestamptz;
update intake set state_since = coalesce(
    (select max(at) from timeline where timeline.intake_id = intake.id), submitted_at);
alter table intake alter state_since set not null;
create index intake_waiting on intake (state, state_since, id);
create index intake_submitted on intake (submitted_at desc, id desc);
drop index intake_recent;

-- Each time a case came into somebody's hands. `instead_of` was meant to have it and is away.
create table ownership (
    id uuid primary key default uuidv7(),
    intake_id uuid not null references intake,
    owner uuid not null,
    instead_of uuid check (instead_of <> owner),
    by uuid not null,
    reason text check (length(reason) between 1 and 1000),
    at timestamptz not null
);
create index ownership_intake on ownership (intake_id);

-- Until when somebody is away, that day included, and who takes new cases meanwhile.
create table absence (
    person uuid primary key references account,
    until date not null,
    deputy uuid not null references account check (deputy <> person)
);

create table note (
    id uuid primary key default uuidv7(),
    intake_id uuid not null references intake,
    author uuid not null,
    text text not null check (length(text) between 1 and 4000),
    at timestamptz not null,
    edited_at timestamptz
);
create index note_intake on note (intake_id);

-- A person's own ways to look at the pipeline: the query of its address, under a name.
create table saved_view (
    id uuid primary key default uuidv7(),
    person uuid not null,
    name text not null check (length(name) between 1 and 60),
    query text not null check (length(query) <= 1000),
    unique (person, name)
);
