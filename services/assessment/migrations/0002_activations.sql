-- Each time a rubric was put in force, and each time that was taken back: who, signed by whom, why, and from when.
-- `undoes` names the step that is taken back; `rubric` is then the version that it had put in force.
create table activation (
    id bigint generated always as identity primary key,
    kind text not null check (kind in ('packaged', 'published', 'rolled_back')),
    rubric text not null references rubric,
    active_from timestamptz not null,
    at timestamptz not null,
    undoes bigint unique references activation,
    author uuid,
    author_name text,
    signer uuid,
    signer_name text,
    reason text,
    check ((kind = 'rolled_back') = (undoes is not null)),
    check ((kind = 'packaged') = (author is null)),
    check (num_nulls(author, author_name, signer, signer_name) in (0, 4)),
    check (author <> signer)
);
insert into activation (kind, rubric, active_from, at)
select 'packaged', version, active_from, active_from from rubric order by active_from, version;
drop index rubric_active;
alter table rubric drop column active_from;
create index rubric_questionnaire on rubric (questionnaire);
create index activation_rubric on activation (rubric, active_from);

-- Both only grow: what was published, and who put it in force, stays as it was.
revoke update, delete on rubric, activation from advisor_assessment;

-- The hash of the rubric that scores a questionnaire at a moment, or null.
create function rubric_in_force(of_questionnaire text, moment timestamptz) returns text
language sql stable
begin atomic
    select rubric.hash
    from activation join rubric on rubric.version = activation.rubric
    where rubric.questionnaire = of_questionnaire and activation.kind <> 'rolled_back'
      and activation.active_from <= moment
      and not exists (select from activation undoing where undoing.undoes = activation.id)
    order by activation.active_from desc, activation.id desc
    limit 1;
end;
