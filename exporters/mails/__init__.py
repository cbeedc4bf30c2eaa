"""Mails: what they say of each event, an event a file, and how they become messages."""
