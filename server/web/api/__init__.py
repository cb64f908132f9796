"""What programs call: the public API, and the API of worker hosts."""

from server.web.api import accounts, analyses, challenge, host, leaderboards, submissions

ROUTERS = (accounts.router, challenge.router, submissions.router, leaderboards.router, analyses.router, host.router)
