-- Two bytes for the answer to each question, in the order of the questions' ids, then for the company's size and its
-- industry: equal where those are. As one run of bytes ten thousand cases are compared in a moment; their JSON is not.
create function fingerprint(assessment jsonb, company jsonb) returns bytea language sql immutable parallel safe
return (
    select string_agg(decode(left(md5(value ->> 'level'), 4), 'hex'), '' order by key collate "C")
    from jsonb_each(assessment -> 'answers')
) || decode(left(md5(company ->> 'headcount'), 4), 'hex') || decode(left(md5(company ->> 'industry'), 4), 'hex');

alter table proposal add column fingerprint bytea generated always as (fingerprint(assessment, company)) stored;
create index proposal_fingerprint on proposal (questionnaire, state) include (intake_id, revision, fingerprint);
