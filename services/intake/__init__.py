"""Intake owns what was asked and answered: questionnaires, drafts, submissions, contacts, staff accounts and keys."""
