"""Users and their rights: keys, grants, issuers, webhooks, sessions."""
