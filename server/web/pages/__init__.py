"""What people open: HTML first, script as a courtesy."""

from server.web.pages import accounts, analyses, home, leaderboard, organizer, rescoring, submissions

ROUTERS = (
    home.router,
    accounts.router,
    submissions.router,
    leaderboard.router,
    analyses.router,
    organizer.router,
    rescoring.router,
)
