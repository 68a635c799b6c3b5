"""config.yaml and the environment, as one frozen value."""

from monitor.config.board import Issue, Topic, Watch
from monitor.config.errors import ConfigError, Problem
from monitor.config.load import load, missing_secrets, warnings
from monitor.config.people import Contact, Maintainer
from monitor.config.reading import Suggests
from monitor.config.schema import Config
from monitor.config.secrets import Secret, secret

__all__ = [
    "Config",
    "ConfigError",
    "Contact",
    "Issue",
    "Maintainer",
    "Problem",
    "Secret",
    "Suggests",
    "Topic",
    "Watch",
    "load",
    "missing_secrets",
    "secret",
    "warnings",
]
