-- The language that somebody began to answer in (BCP 47).
alter table draft add column language text not null default 'en';
