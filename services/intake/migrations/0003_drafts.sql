-- A questionnaire being answered. Its link is derived from its id, which becomes the intake's id when it is sent.
create table draft (
    id uuid primary key,
    questionnaire text not null,
    expires_at timestamptz not null,
    sent_at timestamptz
);
create index draft_unsent on draft (expires_at) where sent_at is null;

-- What each field holds. A higher seq is a later answer.
create table draft_entry (
    draft_id uuid not null references draft on delete cascade,
    field text not null,
    value text not null check (length(value) <= 200),
    seq int not null check (seq > 0),
    primary key (draft_id, field)
);
