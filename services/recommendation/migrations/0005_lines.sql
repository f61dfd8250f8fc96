-- What people did to the lines of a blueprint, for ever beside what the rules said; `version` is the case's after it.
-- Erasure empties the words.
create table line_edit (
    intake_id uuid not null,
    version int not null,
    revision int not null,
    section text not null,
    line text not null,
    rule text,
    action text not null check (action in ('add', 'change', 'drop', 'undo')),
    said jsonb,
    says jsonb,
    editor uuid not null,
    editor_name text not null,
    at timestamptz not null,
    primary key (intake_id, version),
    foreign key (intake_id, revision) references proposal
);
revoke update, delete on line_edit from advisor_recommendation;
grant update (said, says) on line_edit to advisor_recommendation;
