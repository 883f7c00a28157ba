"""Filter ``report_markdown``; documented in report_markdown.yml."""

from localloop.ansible.filters import filter_module
from localloop.report.markdown import report_markdown

FilterModule = filter_module(report_markdown)
