-- Mail to send, and what became of it. Address, name, words and links are worked out when it is sent: here are ids,
-- codes and times alone. `about` is a draft or the intake that it became.
create table mail (
    id uuid primary key,
    kind text not null check (kind in (
        'resume', 'invitation', 'invitation_reminder', 'receipt', 'document', 'document_reminder', 'reply',
        'call_booked', 'call_cancelled')),
    about uuid not null,
    detail jsonb not null,
    state text not null default 'queued' check (state in ('queued', 'sent', 'failed', 'kept', 'dropped')),
    issue int not null default 1 check (issue > 0),
    attempts int not null default 0,
    reason text,
    queued_at timestamptz not null default now(),
    due_at timestamptz not null,
    sent_at timestamptz,
    check ((state = 'sent') = (sent_at is not null))
);
create index mail_due on mail (due_at) where state = 'queued';
create index mail_about on mail (about);
create index mail_recent on mail (queued_at desc, id);
