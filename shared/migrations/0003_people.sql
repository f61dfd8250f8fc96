-- API keys are among staff and are given no work.
alter table staff add column is_person boolean not null default true;
