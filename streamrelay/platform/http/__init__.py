"""The platform's HTTP: the API, the pages, who asks, and what goes out."""
