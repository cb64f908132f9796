"""HTML to PDF: tagged, and with nothing fetched from anywhere."""

import logging

import weasyprint
from weasyprint.urls import URLFetcher

VARIANT = "pdf/ua-1"  # tagged for screen readers

logging.getLogger("weasyprint").setLevel(logging.ERROR)  # it warns of every property that print does not know


def pdf(html: str) -> bytes:
    """Give the pages of a self-contained document; only data: addresses in it are read."""
    fetcher = URLFetcher(allowed_protocols={"data"}, allow_redirects=False)
    written: bytes = weasyprint.HTML(string=html, url_fetcher=fetcher).write_pdf(pdf_variant=VARIANT)
    return written
