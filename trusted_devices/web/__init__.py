"""Whatever sees a request: cookie jar, client, session note, guards, forms, mails, pages."""
