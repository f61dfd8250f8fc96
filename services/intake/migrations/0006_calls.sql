-- Whose a draft is: a prospect's own, a call that a colleague takes down, or one made for a prospect and opened by a link.
alter table draft
    add column channel text not null default 'web' check (channel in ('web', 'console', 'link')),
    add column made_by uuid,
    add column begun_at timestamptz not null default now(),
    add column campaign jsonb,
    add column mailed_at timestamptz,
    add column reminded_at timestamptz,
    add column opened_at timestamptz,
    add column revoked_at timestamptz,
    add check ((channel = 'web') = (made_by is null));
create index draft_made on draft (channel, begun_at desc) where channel <> 'web';

-- A note beside an answer is longer than any answer.
alter table draft_entry
    drop constraint draft_entry_value_check,
    add check (length(value) <= 2000);

-- What tells that two cases may be of one company, by the address of whoever asked.
alter table intake
    add column campaign jsonb,
    add column email_key text generated always as (lower(regexp_replace(contact_email, '[+][^@]*@', '@'))) stored,
    add column email_domain text generated always as (lower(split_part(contact_email, '@', 2))) stored;
create index intake_email on intake (email_key);
create index intake_email_domain on intake (email_domain);
