"""What people open: HTML first, script as a courtesy."""

from server.web.pages import accounts, home, leaderboard, organizer, rescoring, submissions

ROUTERS = (home.router, accounts.router, submissions.router, leaderboard.router, organizer.router, rescoring.router)
