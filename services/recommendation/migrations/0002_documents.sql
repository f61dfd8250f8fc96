-- What was released to a client, with the review that let it pass. Never changed and never deleted.
create table document (
    intake_id uuid not null,
    number int not null check (number > 0),
    revision int not null,
    review_version int not null,
    hash text not null,
    model text not null check (model in ('dedicated_team', 'project_based', 'hybrid', 'discovery_call')),
    commercial_form text not null check (commercial_form in (
        'fixed_price', 'milestones', 'capped_time_and_materials', 'time_and_materials', 'monthly_team', 'retainer'
    )),
    questionnaire text not null,
    rubric text not null,
    playbook text not null,
    released_by uuid not null,
    released_by_name text not null,
    released_at timestamptz not null,
    primary key (intake_id, number),
    unique (intake_id, revision),
    foreign key (intake_id, revision) references proposal,
    foreign key (intake_id, review_version) references review
);
revoke update, delete on document from advisor_recommendation;

-- What a document says, as the text that its hash is of and as the file that was sent. Erasure deletes it.
create table document_content (
    intake_id uuid not null,
    number int not null,
    content text not null,
    pdf bytea not null,
    primary key (intake_id, number),
    foreign key (intake_id, number) references document
);
revoke update on document_content from advisor_recommendation;

-- Who may read a document and until when; the address is worked out from the id.
create table document_link (
    id uuid primary key,
    intake_id uuid not null,
    number int not null,
    made_by uuid not null,
    made_at timestamptz not null,
    expires_at timestamptz not null,
    closed_at timestamptz,
    foreign key (intake_id, number) references document
);
create index document_link_document on document_link (intake_id, number, made_at);
create unique index document_link_open on document_link (intake_id) where closed_at is null;
revoke update, delete on document_link from advisor_recommendation;
grant update (closed_at) on document_link to advisor_recommendation;

-- Each time that a client opened or downloaded a document.
create table document_visit (
    intake_id uuid not null,
    number int not null,
    kind text not null check (kind in ('opened', 'downloaded')),
    at timestamptz not null,
    foreign key (intake_id, number) references document
);
create index document_visit_document on document_visit (intake_id, number, at);
revoke update, delete on document_visit from advisor_recommendation;

-- What a client answered; `version` is the case's after the answer. Erasure empties the name and the note.
create table document_answer (
    intake_id uuid not null,
    version int not null,
    number int not null,
    answer text not null check (answer in ('accepted', 'declined', 'asked')),
    reason_code text check (reason_code in (
        'price', 'timing', 'way_of_working', 'own_people', 'another_partner', 'no_longer_needed', 'other'
    )),
    name text,
    note text,
    at timestamptz not null,
    primary key (intake_id, version),
    foreign key (intake_id, number) references document,
    check ((answer = 'declined') = (reason_code is not null))
);
create unique index document_answer_final on document_answer (intake_id, number) where answer <> 'asked';
revoke update, delete on document_answer from advisor_recommendation;
grant update (name, note) on document_answer to advisor_recommendation;
