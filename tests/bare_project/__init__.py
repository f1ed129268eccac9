"""The five-minute integration, proved on a project that has nothing but Django and this app."""
