-- Who did what when: ids and codes alone, each row with a hash over itself and the row before it. The service may add
-- rows and do nothing else to them.
create table audit (
    seq bigint primary key,
    at timestamptz not null,
    actor uuid,
    action text not null,
    subject uuid not null,
    detail text not null,
    hash text not null
);
create index audit_subject on audit (subject, seq);

do $$
begin
    execute format('revoke update, delete on audit from %I', 'advisor_' || current_schema());
end
$$;
