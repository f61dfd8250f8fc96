-- What colleagues answered to a client's questions; `version` is the case's after it. Erasure empties the note.
create table document_reply (
    intake_id uuid not null,
    version int not null,
    number int not null,
    replied_by uuid not null,
    replied_by_name text not null,
    note text,
    at timestamptz not null,
    primary key (intake_id, version),
    foreign key (intake_id, number) references document
);
revoke update, delete on document_reply from advisor_recommendation;
grant update (note) on document_reply to advisor_recommendation;

-- When an account manager takes calls: hours of the week in a time zone, the days off, and how one meets.
create table call_hours (
    host uuid primary key,
    hours jsonb not null
);

-- A range type has an exclusion of its own, so that no extension is needed to keep a host's calls apart.
create type uuidrange as range (subtype = uuid);

-- Calls with clients. `sequence` rises with each change. Erasure empties the name and the note.
create table call (
    id uuid primary key,
    intake_id uuid not null,
    number int not null,
    host uuid not null,
    host_name text not null,
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    zone text not null,
    status text not null check (status in ('booked', 'cancelled')),
    sequence int not null check (sequence >= 0),
    name text,
    note text,
    booked_at timestamptz not null,
    foreign key (intake_id, number) references document,
    check (starts_at < ends_at),
    constraint call_apart exclude using gist (
        uuidrange(host, host, '[]') with &&, tstzrange(starts_at, ends_at) with &&
    ) where (status = 'booked')
);
create index call_intake on call (intake_id, starts_at);
create index call_time on call (starts_at, id);

-- What became of a case, one after another; `version` is the case's after it. Erasure empties the note.
create table outcome (
    intake_id uuid not null,
    version int not null,
    number int not null,
    outcome text not null check (outcome in ('signed', 'lost', 'unchanged', 'rescoped', 'renewed')),
    model_used text check (model_used in ('dedicated_team', 'project_based', 'hybrid')),
    reason_code text check (reason_code in (
        'price', 'timing', 'way_of_working', 'own_people', 'another_partner', 'no_longer_needed', 'other'
    )),
    happened_on date not null,
    note text,
    recorded_by uuid not null,
    recorded_by_name text not null,
    at timestamptz not null,
    primary key (intake_id, version),
    foreign key (intake_id, number) references document,
    check ((outcome = 'lost') = (model_used is null)),
    check ((outcome = 'lost') = (reason_code is not null))
);
revoke update, delete on outcome from advisor_recommendation;
grant update (note) on outcome to advisor_recommendation;

-- What somebody has to come back to, from a day on, until it is done.
create table follow_up (
    intake_id uuid not null references review_case,
    kind text not null check (kind in ('acceptance', 'discovery', 'first_release', 'three_months', 'six_months')),
    due_on date not null,
    done_at timestamptz,
    done_by uuid,
    primary key (intake_id, kind)
);
create index follow_up_due on follow_up (due_on, intake_id, kind) where done_at is null;

insert into follow_up (intake_id, kind, due_on)
select intake_id, 'acceptance', max((at at time zone 'UTC')::date) + 14
from document_answer where answer = 'accepted' group by intake_id;
