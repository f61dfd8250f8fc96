-- Who a person is at the sign-in provider. Such an account has no password, and no roles while none are mapped to it.
alter table account add column issuer text;
alter table account add column subject text;
alter table account add constraint account_identity unique (issuer, subject);
alter table account add check ((issuer is null) = (subject is null));
alter table account add check (issuer is null or (kind = 'person' and password_hash is null));
alter table account drop constraint account_roles_check;
alter table account add constraint account_roles_check check (
    roles <@ array['sales', 'account_manager', 'rubric_owner', 'admin'] and (cardinality(roles) > 0 or issuer is not null)
);
