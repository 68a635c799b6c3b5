"""config.yaml and the secrets it names."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.config import ConfigError, Contact, missing_secrets, warnings
from monitor.model.messaging import ChannelKind
from monitor.notify.channels import validate_address
from monitor.workflow.channels import slack_allowed
from monitor.workflow.checkup.finding import Finding, Patient, bad, good, warn


def unreadable(error: ConfigError) -> Iterator[Finding]:
    """Every mistake of a configuration that cannot be used."""
    for problem in error.problems:
        first, _, _ = problem.describe(error.path).partition("\n")
        yield bad("configuration", first, problem.hint or "Correct it; docs/reference/config.md explains every key.")


def configuration(patient: Patient) -> Iterator[Finding]:
    """What is tracked, and what is allowed and probably not meant."""
    issues = sum(1 for _ in patient.config.issues())
    watches = sum(1 for _ in patient.config.watches())
    yield good("configuration", f"{patient.path}: {issues} issues, {watches} watches")
    for sentence in warnings(patient.config):
        yield warn("configuration", sentence, "Change it in config.yaml, or leave it if it is meant.")


def sending(patient: Patient) -> Iterator[Finding]:
    """Whether anything can be sent at all, and lawfully."""
    config = patient.config
    if config.outbox is not None:
        said = f"messages are written to {config.outbox.dir} and sent to nobody"
        yield warn("sending", said, "Set `mail` and remove `outbox` from config.yaml when you want to send.")
    elif config.mail is None:
        yield warn("sending", "config names no mail server", "Set `mail` in config.yaml if anyone is told by email.")
    elif not config.organization.postal_address:
        said = "organization.postal_address is missing, which every mail must carry"
        yield bad("sending", said, "Set it in config.yaml.")
    else:
        yield good("sending", f"mail goes through {config.mail.host} as {config.mail.sender}")


def secrets(patient: Patient) -> Iterator[Finding]:
    """Whether every secret that config names was given, and what is meant as an address looks like one."""
    missing = list(dict.fromkeys(missing_secrets(patient.config, patient.environ)))
    for name in missing:
        credential = name.removeprefix("MONITOR_").lower()
        yield bad(
            "secrets", f"{name} is not set", f"Set it in the environment, or give systemd a credential {credential}."
        )
    contacts = (*patient.config.maintainers, *patient.config.operators)
    wrong = [why for contact in contacts if (why := _unsuitable(patient, contact))]
    for why in dict.fromkeys(wrong):
        yield bad("secrets", why, "Put the right address into that secret.")
    if not missing and not wrong:
        yield good("secrets", "every secret that config names is there")


def _unsuitable(patient: Patient, contact: Contact) -> str:
    target = contact.target(patient.environ)
    if target is None or contact.address_secret is None:
        return ""
    try:
        validate_address(ChannelKind(contact.channel), target.reveal(), slack_allowed(patient.config))
    except ValueError:
        # The error's own words may quote what is in the secret.
        return f"what MONITOR_{contact.address_secret} holds is not an address for {contact.channel}"
    return ""
