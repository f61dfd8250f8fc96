-- Who took the answers down, where a colleague did.
alter table proposal add column author uuid;

-- A decision against a veto, which holds only once a second person has signed it.
alter table review add column needs_second boolean not null default false;

-- What became of a decision; `version` is the case's after it. Erasure empties the note.
create table review_sequel (
    intake_id uuid not null,
    review_version int not null,
    version int not null,
    kind text not null check (kind in ('confirmed', 'refused', 'undone')),
    by uuid not null,
    by_name text not null,
    note text,
    at timestamptz not null,
    primary key (intake_id, version),
    foreign key (intake_id, review_version) references review
);
create unique index review_sequel_signature on review_sequel (intake_id, review_version) where kind <> 'undone';
create unique index review_sequel_undone on review_sequel (intake_id, review_version) where kind = 'undone';
revoke update, delete on review_sequel from advisor_recommendation;
grant update (note) on review_sequel to advisor_recommendation;

-- In whose hands a case was put, and for whom, where a deputy got it. Erasure empties the reason.
create table assignment (
    intake_id uuid not null references review_case,
    version int not null,
    assignee uuid not null,
    assignee_name text not null,
    asked_for uuid,
    asked_for_name text,
    by uuid not null,
    by_name text not null,
    reason text,
    at timestamptz not null,
    primary key (intake_id, version),
    check ((asked_for is null) = (asked_for_name is null))
);
revoke update, delete on assignment from advisor_recommendation;
grant update (reason) on assignment to advisor_recommendation;

-- Account managers who are away up to and with a day, and who looks after their reviews.
create table absence (
    staff_id uuid primary key,
    name text not null,
    until date not null,
    deputy uuid not null check (deputy <> staff_id),
    deputy_name text not null
);

-- The report reads decisions by their time.
create index review_at on review (at);
