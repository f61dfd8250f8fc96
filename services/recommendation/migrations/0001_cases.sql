-- One row per intake. `version` rises with each fact said about it; `revision` is the current proposal's, once there is one.
create table review_case (
    intake_id uuid primary key,
    version int not null default 0,
    revision int,
    assignee uuid,
    assignee_name text,
    withdrawn_at timestamptz,
    erased_at timestamptz,
    check ((assignee is null) = (assignee_name is null))
);

-- What was proposed for each revision. Erasure empties the contents and keeps the rest.
create table proposal (
    intake_id uuid not null references review_case,
    revision int not null,
    state text not null check (state in (
        'proposed', 'in_review', 'returned', 'approved', 'overridden', 'released',
        'accepted', 'declined', 'expired', 'superseded', 'withdrawn', 'erased'
    )),
    model text not null check (model in ('dedicated_team', 'project_based', 'hybrid', 'discovery_call')),
    strength text check (strength in ('clear', 'leaning')),
    commercial_form text not null check (commercial_form in (
        'fixed_price', 'milestones', 'capped_time_and_materials', 'time_and_materials', 'monthly_team', 'retainer'
    )),
    proposal jsonb,
    assessment jsonb,
    company jsonb,
    questionnaire text not null,
    channel text not null check (channel in ('web', 'console', 'api', 'link')),
    submitted_at timestamptz not null,
    proposed_at timestamptz not null,
    primary key (intake_id, revision),
    check ((state = 'erased') = (proposal is null and assessment is null and company is null))
);
create index proposal_state on proposal (state, proposed_at);

-- Decisions by people, kept for ever beside what was proposed; `version` is the case's after the decision.
create table review (
    intake_id uuid not null,
    version int not null,
    revision int not null,
    decision text not null check (decision in ('approve', 'override', 'return')),
    reviewer uuid not null,
    reviewer_name text not null,
    model text check (model in ('dedicated_team', 'project_based', 'hybrid', 'discovery_call')),
    commercial_form text check (commercial_form in (
        'fixed_price', 'milestones', 'capped_time_and_materials', 'time_and_materials', 'monthly_team', 'retainer'
    )),
    reason_code text,
    note text,
    at timestamptz not null,
    primary key (intake_id, version),
    foreign key (intake_id, revision) references proposal,
    check ((decision = 'return') = (model is null and commercial_form is null)),
    check (decision <> 'override' or reason_code is not null)
);
