create table intake (
    id uuid primary key,
    channel text not null check (channel in ('web', 'console', 'api', 'link')),
    language text not null,
    contact_name text,
    contact_email text,
    consent jsonb,
    revision int not null check (revision > 0),
    version int not null check (version > 0),
    submitted_at timestamptz not null,
    state text not null default 'submitted' check (state in (
        'submitted', 'assessed', 'proposed', 'in_review', 'returned', 'approved', 'overridden', 'released',
        'accepted', 'declined', 'expired', 'superseded', 'withdrawn', 'erased')),
    heard_version int not null default 0,
    assignee uuid,
    assessment jsonb,
    asked_again int not null default 0,
    ask_again_at timestamptz
);
create index intake_unanswered on intake (ask_again_at) where ask_again_at is not null;
create index intake_recent on intake (submitted_at desc);

-- What was given, as it was given: what follows from it is worked out each time.
create table revision (
    intake_id uuid not null references intake,
    revision int not null,
    fact_id uuid not null,
    questionnaire text not null,
    answers jsonb not null,
    company jsonb not null,
    submitted_at timestamptz not null,
    primary key (intake_id, revision)
);

create table timeline (
    event_id uuid primary key,
    intake_id uuid not null references intake,
    topic text not null,
    at timestamptz not null,
    detail jsonb not null
);
create index timeline_intake on timeline (intake_id, at);
