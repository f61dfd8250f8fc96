"""The playbook, what it proposes, and how a proposal is reviewed: pure, with no clock and no framework."""
