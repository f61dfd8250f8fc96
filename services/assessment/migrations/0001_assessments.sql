-- Published rubrics never change: an assessment keeps the version that it was made under.
create table rubric (
    version text primary key,
    questionnaire text not null,
    hash text not null unique,
    content text not null,
    active_from timestamptz not null default now()
);
create index rubric_active on rubric (questionnaire, active_from desc);

-- The highest revision of an intake is the current one.
create table assessment (
    intake_id uuid not null,
    revision int not null,
    fact_id uuid not null,
    rubric text not null references rubric,
    assessment jsonb not null,
    completed_at timestamptz not null,
    primary key (intake_id, revision)
);
