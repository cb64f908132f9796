"""What people open: HTML first, script as a courtesy."""

from server.web.pages import accounts, analyses, home, judging, leaderboard, organizer, report, rescoring, submissions

ROUTERS = (
    home.router,
    accounts.router,
    submissions.router,
    leaderboard.router,
    analyses.router,
    judging.router,
    report.router,
    organizer.router,
    rescoring.router,
)
