-- The order in which cases are due: what waits for sales comes last.
create index proposal_due on proposal ((state = 'returned'), proposed_at, intake_id);
