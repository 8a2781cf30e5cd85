"""Networks as all programs meet them: TLS, proxies, addresses, quotas, one HTTP request."""
