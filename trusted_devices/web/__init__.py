"""Whatever sees a request: cookie jar, client, session note, throttling, forms, mails, pages."""
