"""What cannot be observed, remembered: keys and their stories, certificates, users, the ledger of our records."""
