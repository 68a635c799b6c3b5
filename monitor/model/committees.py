"""The legislature's committees: code to name, as the 2025 bulk files have them."""

from __future__ import annotations

from collections.abc import Mapping

COMMITTEES: Mapping[str, str] = {
    "AGE": "Aging",
    "APP": "Appropriations",
    "BA": "Banking",
    "CE": "Commerce",
    "ED": "Education",
    "ENV": "Environment",
    "ET": "Energy and Technology",
    "EXN": "Executive and Legislative Nominations",
    "FIN": "Finance, Revenue and Bonding",
    "GAE": "Government Administration and Elections",
    "GL": "General Law",
    "GOS": "Government Oversight",
    "HED": "Higher Education and Employment Advancement",
    "HS": "Human Services",
    "HSG": "Housing",
    "INS": "Insurance and Real Estate",
    "JUD": "Judiciary",
    "KID": "Committee on Children",
    "LAB": "Labor and Public Employees",
    "PD": "Planning and Development",
    "PH": "Public Health",
    "PS": "Public Safety and Security",
    "SED": "Select Committee on Special Education",
    "TRA": "Transportation",
    "VA": "Veterans' and Military Affairs",
}

#: Other names the same committees go or went by: page titles and earlier sessions.
EARLIER_NAMES: Mapping[str, str] = {
    "Children": "KID",
    "Select Committee on Children": "KID",
    "Select Committee on Aging": "AGE",
    "Special Education": "SED",
    "Select Committee on Housing": "HSG",
    "Select Committee on Veterans' Affairs": "VA",
    "Veterans' Affairs": "VA",
    "Finance": "FIN",
    "Labor": "LAB",
    "Government Administration and Election": "GAE",
}


def committee_label(code_or_name: str) -> str:
    """As a sentence names it: "the Judiciary Committee", "the Committee on Children"."""
    name = COMMITTEES.get(code_or_name, code_or_name)
    return f"the {name}" if "Committee" in name else f"the {name} Committee"
